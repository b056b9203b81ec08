#include "arguments.h"

#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <uv.h>

#include <cctype>
#include <cmath>
#include <cstdio>

namespace tuntap {

void throwIfFailed(Napi::Env env, const Failure& failure) {
  if (!failure.error) return;
  const std::string code = uv_err_name(-failure.error);
  const std::string where = std::string(failure.call) + (failure.subject.empty() ? "" : " " + failure.subject);
  Napi::Error error = Napi::Error::New(env, code + ": " + uv_strerror(-failure.error) + ", " + where);
  error.Set("code", Napi::String::New(env, code));
  error.Set("errno", Napi::Number::New(env, -failure.error));
  error.Set("syscall", Napi::String::New(env, failure.call));
  throw error;
}

Napi::Error invalidArgument(Napi::Env env, const std::string& message) {
  Napi::TypeError error = Napi::TypeError::New(env, message);
  error.Set("code", Napi::String::New(env, "ERR_INVALID_ARG_VALUE"));
  return error;
}

int toDescriptor(const Napi::Value& value) {
  return static_cast<int>(toWhole(value, "fd", INT_MAX));
}

bool toFlag(const Napi::Value& value, const char* what) {
  if (!value.IsBoolean()) throw invalidArgument(value.Env(), std::string(what) + " must be a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string toInterfaceName(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsString()) throw invalidArgument(env, "an interface name must be a string");
  const std::string name = value.As<Napi::String>().Utf8Value();
  if (name.empty() || name.size() >= IFNAMSIZ) {
    throw invalidArgument(env, "interface name \"" + name + "\" must have 1 to " + std::to_string(IFNAMSIZ - 1) + " bytes");
  }
  const bool badByte = name.find_first_of(std::string("/:% \f\n\r\t\v\0", 10)) != std::string::npos;
  if (badByte || name == "." || name == "..") {
    throw invalidArgument(env, "interface name \"" + name + "\" holds characters an interface cannot be named with");
  }
  return name;
}

std::string toPath(const Napi::Value& value, const char* what) {
  if (!value.IsString()) throw invalidArgument(value.Env(), std::string(what) + " must be a path");
  const std::string path = value.As<Napi::String>().Utf8Value();
  if (path.empty() || path.size() >= PATH_MAX || path.find('\0') != std::string::npos) {
    throw invalidArgument(value.Env(), std::string(what) + " must be a path of 1 to " + std::to_string(PATH_MAX - 1) + " bytes");
  }
  return path;
}

uint32_t toWhole(const Napi::Value& value, const char* what, uint32_t max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= 0 && number <= max) || std::floor(number) != number) {
    throw invalidArgument(value.Env(), std::string(what) + " must be a whole number from 0 to " + std::to_string(max));
  }
  return static_cast<uint32_t>(number);
}

Mac toMac(const Napi::Value& value) {
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  const Napi::Error refusal = invalidArgument(value.Env(), "\"" + text + "\" is no MAC address like 02:00:00:00:00:01");
  Mac mac{};
  if (text.size() != 3 * mac.size() - 1) throw refusal;
  for (size_t i = 0; i < mac.size(); i++) {
    const bool digits = std::isxdigit(static_cast<unsigned char>(text[3 * i])) &&
                        std::isxdigit(static_cast<unsigned char>(text[3 * i + 1]));
    if (!digits || (i > 0 && text[3 * i - 1] != ':')) throw refusal;
    mac[i] = static_cast<uint8_t>(std::stoul(text.substr(3 * i, 2), nullptr, 16));
  }
  return mac;
}

std::string formatMac(const Mac& mac) {
  char text[18];
  snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

Address toAddress(const Napi::Value& value, uint8_t family) {
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  const char* const example = family == AF_INET ? "192.0.2.1/24" : "2001:db8::1/64";
  const Napi::Error refusal = invalidArgument(value.Env(), "\"" + text + "\" is no address like " + example);
  const size_t slash = text.find('/');
  const std::string length = slash == std::string::npos ? "" : text.substr(slash + 1);
  const bool digits = !length.empty() && length.size() <= 3 && length.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || text.find('\0') != std::string::npos) throw refusal;

  Address address;
  address.bytes.resize(family == AF_INET ? 4 : 16);
  const unsigned long prefixLength = std::stoul(length);
  if (prefixLength > address.bytes.size() * 8) throw refusal;
  address.prefixLength = static_cast<uint8_t>(prefixLength);
  if (inet_pton(family, text.substr(0, slash).c_str(), address.bytes.data()) != 1) throw refusal;
  return address;
}

std::string formatAddress(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address.bytes.size() == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof(text));
  return std::string(text) + "/" + std::to_string(address.prefixLength);
}

Bytes toBytes(const Napi::Value& value) {
  const bool bytes = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!bytes) throw invalidArgument(value.Env(), "the bytes must be a Uint8Array");
  auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

}  // namespace tuntap
