// Readiness of a descriptor in Node's event loop.
#pragma once

#include <napi.h>

namespace tuntap {

/** Adds the class Watch of native.ts to the exports. */
void defineWatch(Napi::Env env, Napi::Object exports);

}  // namespace tuntap
