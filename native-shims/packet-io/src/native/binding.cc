// The module and the functions that need neither device nor netlink: arguments in, results out. System calls are made elsewhere.

#include <node_api.h>

#include <errno.h>
#include <uv.h>

#include <cstring>

#include "arguments.h"
#include "packet-socket.h"
#include "system.h"

napi_value toNumber(napi_env env, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  return number;
}

namespace {

napi_value toText(napi_env env, const char *text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

}  // namespace

napi_value throwFailure(napi_env env, const Failure &failure) {
  // One number, two names: what would block is never thrown, so a thrown one is a lock that is held.
  const char *name = failure.code == EWOULDBLOCK ? "EWOULDBLOCK" : uv_err_name(-failure.code);
  const std::string message = std::string(name) + ": " + strerror(failure.code) + ", " + failure.call;
  napi_value error;
  napi_create_error(env, toText(env, name), toText(env, message.c_str()), &error);
  napi_set_named_property(env, error, "errno", toNumber(env, -failure.code));
  napi_set_named_property(env, error, "syscall", toText(env, failure.call));
  napi_throw(env, error);
  return nullptr;
}

namespace {

/** The descriptor a call made, or its error. */
napi_value result(napi_env env, const Failure &failure, int fd) {
  return failure ? throwFailure(env, failure) : toNumber(env, fd);
}

napi_value openPacketSocketCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int ifindex = args.positive(0);
  const bool vnetHeader = args.boolean(1);
  const bool ring = args.boolean(2);
  const int receiveBuffer = args.positive(3);
  const Bytes filter = args.has(4) ? args.bytes(4) : Bytes{};
  if (args.bad()) return nullptr;
  // An empty array has no memory; it is no program either.
  static const uint8_t none = 0;
  const uint8_t *program = args.has(4) && !filter.at ? &none : filter.at;
  int fd = -1;
  const Failure failure = openPacketSocket(ifindex, vnetHeader, ring, receiveBuffer, program, filter.length, &fd);
  return result(env, failure, fd);
}

napi_value closeFdCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  if (args.bad()) return nullptr;
  const Failure failure = closeFd(fd);
  return failure ? throwFailure(env, failure) : nullptr;
}

/** A descriptor that a thread of the pool closes. */
struct Closing {
  int fd;
  napi_async_work work;
};

napi_value closeInBackgroundCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  if (args.bad()) return nullptr;
  auto *closing = new Closing{fd, nullptr};
  const auto execute = [](napi_env, void *data) { closeFd(static_cast<Closing *>(data)->fd); };
  const auto complete = [](napi_env end, napi_status, void *data) {
    napi_delete_async_work(end, static_cast<Closing *>(data)->work);
    delete static_cast<Closing *>(data);
  };
  napi_value name;
  napi_create_string_utf8(env, "packet-io", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, nullptr, name, execute, complete, closing, &closing->work);
  napi_queue_async_work(env, closing->work);
  return nullptr;
}

napi_value createEventFdCall(napi_env env, napi_callback_info) {
  int fd = -1;
  const Failure failure = createEventFd(&fd);
  return result(env, failure, fd);
}

napi_value wakeCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  if (args.bad()) return nullptr;
  const Failure failure = wake(fd);
  return failure ? throwFailure(env, failure) : nullptr;
}

napi_value mapFileCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const std::string path = args.text(0);
  const double bytes = args.number(1);
  if (args.bad()) return nullptr;
  // The largest buffer Node makes is 4 GiB.
  if (!(bytes >= 1 && bytes <= 4294967296.0)) return throwFailure(env, {EINVAL, "mmap"});
  const size_t size = static_cast<size_t>(bytes);
  void *at = nullptr;
  if (const Failure failure = mapFile(path, size, &at)) return throwFailure(env, failure);
  napi_value buffer;
  const auto finalize = [](napi_env, void *data, void *hint) { unmapFile(data, reinterpret_cast<size_t>(hint)); };
  void *const hint = reinterpret_cast<void *>(size);
  if (napi_create_external_arraybuffer(env, at, size, finalize, hint, &buffer) != napi_ok) {
    unmapFile(at, size);
    return throwFailure(env, {ENOMEM, "mmap"});
  }
  return buffer;
}

napi_value lockFileCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const std::string path = args.text(0);
  if (args.bad()) return nullptr;
  int fd = -1;
  const Failure failure = lockFile(path, &fd);
  return result(env, failure, fd);
}

napi_value notifyCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const std::string socketName = args.text(0);
  const std::string state = args.text(1);
  if (args.bad()) return nullptr;
  const Failure failure = notify(socketName, state);
  return failure ? throwFailure(env, failure) : nullptr;
}

napi_value messagePairCall(napi_env env, napi_callback_info) {
  int fds[2];
  if (const Failure failure = messagePair(fds)) return throwFailure(env, failure);
  napi_value pair;
  napi_create_array(env, &pair);
  napi_set_element(env, pair, 0, toNumber(env, fds[0]));
  napi_set_element(env, pair, 1, toNumber(env, fds[1]));
  return pair;
}

const Export SYSTEM_EXPORTS[] = {
    {"openPacketSocket", openPacketSocketCall},
    {"closeFd", closeFdCall},
    {"closeInBackground", closeInBackgroundCall},
    {"createEventFd", createEventFdCall},
    {"wake", wakeCall},
    {"mapFile", mapFileCall},
    {"lockFile", lockFileCall},
    {"notify", notifyCall},
    {"messagePair", messagePairCall},
};

void define(napi_env env, napi_value exports, const Export *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].call, nullptr, &function);
    napi_set_named_property(env, exports, list[i].name, function);
  }
}

}  // namespace

NAPI_MODULE_INIT() {
  define(env, exports, DEVICE_EXPORTS, DEVICE_EXPORT_COUNT);
  define(env, exports, DATAGRAM_EXPORTS, DATAGRAM_EXPORT_COUNT);
  define(env, exports, NETLINK_EXPORTS, NETLINK_EXPORT_COUNT);
  define(env, exports, SYSTEM_EXPORTS, sizeof SYSTEM_EXPORTS / sizeof *SYSTEM_EXPORTS);
  return exports;
}
