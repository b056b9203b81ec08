#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>

#include "failure.h"

/** Memory of a Uint8Array, valid during the call it was passed to. */
struct Bytes {
  uint8_t *at = nullptr;
  size_t length = 0;
};

/** What a handle JavaScript holds stands for: the first word of what it points to. */
enum class Kind : uint32_t { device = 0x64657669, watch = 0x77617463 };

/** What the handle points to, if that is a T, told by T::KIND; else null. Handles of other addons are not told apart. */
template <typename T>
T *handleAs(napi_env env, napi_value value) {
  void *data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok || !data) return nullptr;
  return *static_cast<const Kind *>(data) == T::KIND ? static_cast<T *>(data) : nullptr;
}

/** Reads the arguments of one call from JavaScript. The first that does not fit leaves an exception pending, see `bad`. */
class Arguments {
 public:
  static constexpr size_t MAX = 8;

  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
  }

  bool bad() const { return bad_; }

  /** Whether an argument that may be left out is there. */
  bool has(size_t index) {
    napi_valuetype type = napi_undefined;
    return index < count_ && napi_typeof(env_, values_[index], &type) == napi_ok && type != napi_undefined;
  }

  /** An integer in [0, 2^32). */
  uint32_t uint32(size_t index) {
    const double value = number(index);
    if (bad_ || !(value >= 0 && value <= 4294967295.0) || value != static_cast<double>(static_cast<uint32_t>(value))) {
      return static_cast<uint32_t>(refuse("an argument is not an unsigned 32-bit integer"));
    }
    return static_cast<uint32_t>(value);
  }

  /** An integer in [0, 2^31): a descriptor, an interface index. */
  int positive(size_t index) {
    const uint32_t value = uint32(index);
    return value <= INT32_MAX ? static_cast<int>(value) : refuse("an argument is not a positive 32-bit integer");
  }

  double number(size_t index) {
    double value = 0;
    if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok) {
      refuse("an argument is not a number");
    }
    return value;
  }

  bool boolean(size_t index) {
    bool value = false;
    if (index >= count_ || napi_get_value_bool(env_, values_[index], &value) != napi_ok) {
      refuse("an argument is not a boolean");
    }
    return value;
  }

  std::string text(size_t index) {
    size_t length = 0;
    if (index >= count_ || napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok) {
      refuse("an argument is not a string");
      return {};
    }
    std::string value(length, '\0');
    napi_get_value_string_utf8(env_, values_[index], &value[0], length + 1, &length);
    if (value.find('\0') != std::string::npos) refuse("an argument is a string with a zero byte");
    return value;
  }

  Bytes bytes(size_t index) {
    napi_typedarray_type type = napi_int8_array;
    void *at = nullptr;
    size_t length = 0;
    if (index >= count_ ||
        napi_get_typedarray_info(env_, values_[index], &type, &length, &at, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array) {
      refuse("an argument is not a Uint8Array");
      return {};
    }
    return {static_cast<uint8_t *>(at), length};
  }

  napi_value function(size_t index) {
    napi_valuetype type = napi_undefined;
    if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function) {
      refuse("an argument is not a function");
    }
    return values_[index];
  }

  template <typename T>
  T *external(size_t index) {
    T *const value = index < count_ ? handleAs<T>(env_, values_[index]) : nullptr;
    if (!value) refuse("an argument is not a handle of this kind");
    return value;
  }

 private:
  int refuse(const char *why) {
    if (!bad_) napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", why);
    bad_ = true;
    return 0;
  }

  napi_env env_;
  size_t count_ = MAX;
  napi_value values_[MAX];
  bool bad_ = false;
};

/** Throws an Error with `code` (name of the errno), `errno` (negative, as Node's own) and `syscall`. Returns null. */
napi_value throwFailure(napi_env env, const Failure &failure);

/** One function of the module. */
struct Export {
  const char *name;
  napi_callback call;
};

napi_value toNumber(napi_env env, double value);

/** The functions around a Device, those that receive datagrams, and those around netlink sockets. */
extern const Export DEVICE_EXPORTS[];
extern const size_t DEVICE_EXPORT_COUNT;
extern const Export DATAGRAM_EXPORTS[];
extern const size_t DATAGRAM_EXPORT_COUNT;
extern const Export NETLINK_EXPORTS[];
extern const size_t NETLINK_EXPORT_COUNT;
