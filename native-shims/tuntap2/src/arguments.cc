#include "arguments.h"

#include <limits.h>
#include <net/if.h>
#include <uv.h>

#include <cmath>

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

}  // namespace tuntap
