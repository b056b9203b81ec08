// The functions of native.ts: arguments are checked and converted here, the system calls are in *_linux.cc.
#include <napi.h>
#include <sys/socket.h>

#include "arguments.h"
#include "link_linux.h"
#include "offload_linux.h"
#include "open_linux.h"
#include "watch_binding.h"

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

Napi::Value duplicateFd(const Napi::CallbackInfo& info) {
  int copy = -1;
  throwIfFailed(info.Env(), duplicateDescriptor(toDescriptor(info[0]), &copy));
  return Napi::Number::New(info.Env(), copy);
}

/** readFrame(fd, bytes): how many were filled, or a negative errno. Not an exception: EAGAIN is the normal end of a batch. */
Napi::Value readFrameInto(const Napi::CallbackInfo& info) {
  const Bytes bytes = toBytes(info[1]);
  return Napi::Number::New(info.Env(), static_cast<double>(readFrame(toDescriptor(info[0]), bytes.data, bytes.length)));
}

/** writeFrame(fd, bytes): how many the kernel took, or a negative errno. */
Napi::Value writeFrameFrom(const Napi::CallbackInfo& info) {
  const Bytes bytes = toBytes(info[1]);
  return Napi::Number::New(info.Env(), static_cast<double>(writeFrame(toDescriptor(info[0]), bytes.data, bytes.length)));
}

Napi::Value openRouteSocketOf(const Napi::CallbackInfo& info) {
  int control = -1;
  throwIfFailed(info.Env(), openControl(info[0].IsUndefined() ? "" : toPath(info[0], "netns"), &control));
  return Napi::Number::New(info.Env(), control);
}

/** The interface a property function is asked about: (control, name or ifindex, ...). */
int controlOf(const Napi::CallbackInfo& info) {
  return toDescriptor(info[0]);
}

uint32_t indexOf(const Napi::CallbackInfo& info) {
  return toWhole(info[1], "ifindex", INT32_MAX);
}

uint8_t familyOf(const Napi::CallbackInfo& info) {
  const uint32_t version = toWhole(info[2], "family", 6);
  if (version != 4 && version != 6) throw invalidArgument(info.Env(), "family must be 4 or 6");
  return version == 4 ? AF_INET : AF_INET6;
}

Napi::Value isUpOf(const Napi::CallbackInfo& info) {
  bool up = false;
  throwIfFailed(info.Env(), isUp(controlOf(info), toInterfaceName(info[1]), &up));
  return Napi::Boolean::New(info.Env(), up);
}

void setUpOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setUp(controlOf(info), toInterfaceName(info[1]), toFlag(info[2], "isUp")));
}

Napi::Value getMtuOf(const Napi::CallbackInfo& info) {
  uint32_t mtu = 0;
  throwIfFailed(info.Env(), getMtu(controlOf(info), toInterfaceName(info[1]), &mtu));
  return Napi::Number::New(info.Env(), mtu);
}

void setMtuOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setMtu(controlOf(info), toInterfaceName(info[1]), toWhole(info[2], "mtu", INT32_MAX)));
}

Napi::Value getMacOf(const Napi::CallbackInfo& info) {
  Mac mac{};
  throwIfFailed(info.Env(), getMac(controlOf(info), toInterfaceName(info[1]), &mac));
  return Napi::String::New(info.Env(), formatMac(mac));
}

void setMacOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setMac(controlOf(info), toInterfaceName(info[1]), toMac(info[2])));
}

Napi::Value getAddressOf(const Napi::CallbackInfo& info) {
  Address address;
  throwIfFailed(info.Env(), getAddress(controlOf(info), indexOf(info), familyOf(info), &address));
  if (address.bytes.empty()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), formatAddress(address));
}

void setAddressOf(const Napi::CallbackInfo& info) {
  const uint8_t family = familyOf(info);
  throwIfFailed(info.Env(), setAddress(controlOf(info), indexOf(info), family, toAddress(info[3], family)));
}

void setLinkOffloadsOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), setLinkOffloads(controlOf(info), toInterfaceName(info[1]), toFlag(info[2], "on")));
}

void limitLinkOffloadsOf(const Napi::CallbackInfo& info) {
  throwIfFailed(info.Env(), limitLinkOffloads(controlOf(info), toInterfaceName(info[1])));
}

template <typename Callback>
void define(Napi::Object exports, const char* name, Callback callback) {
  exports.Set(name, Napi::Function::New(exports.Env(), callback, name));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  define(exports, "openTap", openTap);
  define(exports, "setPersist", setPersistOf);
  define(exports, "setOffloads", setOffloadsOf);
  define(exports, "closeFd", closeFd);
  define(exports, "duplicateFd", duplicateFd);
  define(exports, "readFrame", readFrameInto);
  define(exports, "writeFrame", writeFrameFrom);
  define(exports, "openRouteSocket", openRouteSocketOf);
  define(exports, "isUp", isUpOf);
  define(exports, "setUp", setUpOf);
  define(exports, "getMtu", getMtuOf);
  define(exports, "setMtu", setMtuOf);
  define(exports, "getMac", getMacOf);
  define(exports, "setMac", setMacOf);
  define(exports, "getAddress", getAddressOf);
  define(exports, "setAddress", setAddressOf);
  define(exports, "setLinkOffloads", setLinkOffloadsOf);
  define(exports, "limitLinkOffloads", limitLinkOffloadsOf);
  defineWatch(env, exports);
  return exports;
}

NODE_API_MODULE(tuntap2, initialise)

}  // namespace
}  // namespace tuntap
