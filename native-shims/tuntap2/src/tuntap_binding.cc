// The functions of native.ts: arguments are checked and converted here, the system calls are in *_linux.cc.
#include <napi.h>

#include "arguments.h"
#include "open_linux.h"

namespace tuntap {
namespace {

// (uid_t) -1 and (gid_t) -1 mean "nobody in particular" to the kernel, so they are no owner.
constexpr uint32_t LAST_ID = UINT32_MAX - 1;

bool flagOf(const Napi::Object& options, const char* key, bool otherwise) {
  const Napi::Value value = options.Get(key);
  return value.IsUndefined() ? otherwise : toFlag(value, key);
}

std::optional<uint32_t> idOf(const Napi::Object& options, const char* key) {
  const Napi::Value value = options.Get(key);
  if (value.IsUndefined()) return std::nullopt;
  return toWhole(value, key, LAST_ID);
}

bool isTap(const Napi::Object& options) {
  const Napi::Value mode = options.Get("mode");
  if (mode.IsUndefined()) return true;
  const std::string text = mode.IsString() ? mode.As<Napi::String>().Utf8Value() : "";
  if (text != "tap" && text != "tun") throw invalidArgument(options.Env(), "mode must be \"tap\" or \"tun\"");
  return text == "tap";
}

OpenRequest toRequest(const Napi::Value& value) {
  if (!value.IsObject()) throw invalidArgument(value.Env(), "the options must be an object");
  const Napi::Object options = value.As<Napi::Object>();
  const Napi::Value name = options.Get("name");
  const Napi::Value netns = options.Get("netns");
  OpenRequest request;
  if (!name.IsUndefined()) request.name = toInterfaceName(name);
  if (!netns.IsUndefined()) request.netns = toPath(netns, "netns");
  request.tap = isTap(options);
  request.vnetHeader = flagOf(options, "vnetHeader", false);
  request.offloads = flagOf(options, "offloads", request.vnetHeader);
  request.multiQueue = flagOf(options, "multiQueue", false);
  request.persist = flagOf(options, "persist", false);
  request.owner = idOf(options, "owner");
  request.group = idOf(options, "group");
  if (request.offloads && !request.vnetHeader) throw invalidArgument(value.Env(), "offloads need vnetHeader");
  return request;
}

Napi::Value openTap(const Napi::CallbackInfo& info) {
  const OpenRequest request = toRequest(info[0]);
  OpenDevice device;
  throwIfFailed(info.Env(), openDevice(request, &device));
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("fd", Napi::Number::New(info.Env(), device.fd));
  result.Set("name", Napi::String::New(info.Env(), device.name));
  result.Set("ifindex", Napi::Number::New(info.Env(), device.ifindex));
  return result;
}

void setPersistOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setPersist(toDescriptor(info[0]), toFlag(info[1], "on")));
}

void setOffloadsOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setOffloads(toDescriptor(info[0]), toFlag(info[1], "on")));
}

void closeFd(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), closeDescriptor(toDescriptor(info[0])));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("openTap", Napi::Function::New(env, openTap, "openTap"));
  exports.Set("setPersist", Napi::Function::New(env, setPersistOf, "setPersist"));
  exports.Set("setOffloads", Napi::Function::New(env, setOffloadsOf, "setOffloads"));
  exports.Set("closeFd", Napi::Function::New(env, closeFd, "closeFd"));
  return exports;
}

NODE_API_MODULE(tuntap2, initialise)

}  // namespace
}  // namespace tuntap
