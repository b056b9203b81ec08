// What JavaScript calls on a device: arguments in, results out. System calls are made elsewhere.

#include <node_api.h>

#include <errno.h>

#include <algorithm>
#include <memory>

#include "arguments.h"
#include "device.h"

namespace {

/** What the JavaScript object holds. Closing ends the device; the arena lives on while its buffer is in use. */
struct Handle {
  static constexpr Kind KIND = Kind::device;
  const Kind kind = KIND;
  std::unique_ptr<Device> device;
};

Device *open(napi_env env, const Handle *handle) {
  if (handle->device) return handle->device.get();
  throwFailure(env, {EBADF, "closed"});
  return nullptr;
}

Device *deviceOf(napi_env env, Arguments *args) {
  const Handle *handle = args->external<Handle>(0);
  return args->bad() ? nullptr : open(env, handle);
}

napi_value create(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  ArenaSizes sizes;
  sizes.rxSlots = args.uint32(0);
  sizes.slotBytes = args.uint32(1);
  sizes.scratchBytes = args.uint32(2);
  sizes.txQueue = args.uint32(3);
  sizes.ports = args.uint32(4);
  sizes.ringBytes = args.uint32(5);
  const uint32_t rxQuota = args.uint32(6);
  const int wakeFd = args.has(7) ? args.positive(7) : -1;
  if (args.bad()) return nullptr;

  auto handle = std::make_unique<Handle>();
  if (const Failure failure = Device::create(sizes, rxQuota, wakeFd, &handle->device)) return throwFailure(env, failure);
  napi_value value;
  const auto finalize = [](napi_env, void *data, void *) { delete static_cast<Handle *>(data); };
  if (napi_create_external(env, handle.get(), finalize, nullptr, &value) != napi_ok) return nullptr;
  handle.release();
  return value;
}

/** The arena as an ArrayBuffer that keeps the mapping alive. Asked for once per device. */
napi_value arena(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Device *device = deviceOf(env, &args);
  if (!device) return nullptr;
  auto *shared = new std::shared_ptr<Arena>(device->arena());
  napi_value value;
  const auto finalize = [](napi_env, void *, void *hint) { delete static_cast<std::shared_ptr<Arena> *>(hint); };
  if (napi_create_external_arraybuffer(env, (*shared)->base(), (*shared)->bytes(), finalize, shared, &value) != napi_ok) {
    delete shared;
    return throwFailure(env, {ENOMEM, "arena"});
  }
  return value;
}

/** Where in the arena things lie: rx, tx, counters, scratch; then the wake-up descriptor. */
napi_value layout(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Device *device = deviceOf(env, &args);
  if (!device) return nullptr;
  const Arena &a = *device->arena();
  const double words[] = {double(a.rxAt()), double(a.txAt()), double(a.countersAt()), double(a.scratchAt()),
                          double(device->wakeFd())};
  napi_value array;
  napi_create_array(env, &array);
  for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) napi_set_element(env, array, i, toNumber(env, words[i]));
  return array;
}

/** Longest wait of one step, in milliseconds. */
constexpr int64_t TIMEOUT_MAX = 60'000;

/** The number of queued frames, cut to what a device may be told; the device cuts it to its queue. */
uint32_t cutQueued(int64_t queued) { return static_cast<uint32_t>(std::clamp<int64_t>(queued, 0, UINT32_MAX)); }

/** Fast path: no allocation; numbers out of range are cut. */
napi_value step(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value values[3];
  const Handle *handle = nullptr;
  int64_t queued = 0;
  int64_t timeoutMs = 0;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok || count < 3 ||
      !(handle = handleAs<Handle>(env, values[0])) ||
      napi_get_value_int64(env, values[1], &queued) != napi_ok ||
      napi_get_value_int64(env, values[2], &timeoutMs) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "step takes a device and two numbers");
    return nullptr;
  }
  Device *device = open(env, handle);
  if (!device) return nullptr;
  napi_value frames;
  const int wait = static_cast<int>(std::clamp<int64_t>(timeoutMs, 0, TIMEOUT_MAX));
  napi_create_uint32(env, device->step(cutQueued(queued), wait), &frames);
  return frames;
}

napi_value flush(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value values[2];
  const Handle *handle = nullptr;
  int64_t queued = 0;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok || count < 2 ||
      !(handle = handleAs<Handle>(env, values[0])) ||
      napi_get_value_int64(env, values[1], &queued) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "flush takes a device and a number");
    return nullptr;
  }
  Device *device = open(env, handle);
  if (device) device->flush(cutQueued(queued));
  return nullptr;
}

napi_value attachTap(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Device *device = deviceOf(env, &args);
  if (!device) return nullptr;
  const uint32_t port = args.uint32(1);
  const int fd = args.positive(2);
  const bool vnetHeader = args.boolean(3);
  if (args.bad()) return nullptr;
  const Failure failure = device->attach(port, fd, PortKind::tap, vnetHeader);
  return failure ? throwFailure(env, failure) : nullptr;
}

/** Returns whether the port receives through a ring. */
napi_value attachPacketSocket(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Device *device = deviceOf(env, &args);
  if (!device) return nullptr;
  const uint32_t port = args.uint32(1);
  const int fd = args.positive(2);
  const bool vnetHeader = args.boolean(3);
  if (args.bad()) return nullptr;
  if (const Failure failure = device->attach(port, fd, PortKind::packet, vnetHeader)) return throwFailure(env, failure);
  napi_value value;
  napi_get_boolean(env, device->hasRing(port), &value);
  return value;
}

napi_value detach(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Device *device = deviceOf(env, &args);
  if (!device) return nullptr;
  const uint32_t port = args.uint32(1);
  if (!args.bad()) device->detach(port);
  return nullptr;
}

napi_value closeDevice(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Handle *handle = args.external<Handle>(0);
  if (!args.bad()) handle->device.reset();
  return nullptr;
}

}  // namespace

const Export DEVICE_EXPORTS[] = {
    {"create", create},       {"arena", arena},           {"layout", layout},
    {"step", step},           {"flush", flush},           {"attachTap", attachTap},
    {"attachPacketSocket", attachPacketSocket}, {"detach", detach}, {"close", closeDevice},
};
const size_t DEVICE_EXPORT_COUNT = sizeof DEVICE_EXPORTS / sizeof *DEVICE_EXPORTS;
