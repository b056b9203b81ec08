// Checked conversion of JavaScript arguments, and failures as exceptions. Every function throws instead of returning a value
// that a system call could misread.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

#include "link_linux.h"

namespace tuntap {

/** Throws an Error with `code` (as in node:os constants), a negative `errno` and `syscall` when the call failed. */
void throwIfFailed(Napi::Env env, const Failure& failure);

/** A TypeError with `code` ERR_INVALID_ARG_VALUE. */
Napi::Error invalidArgument(Napi::Env env, const std::string& message);

/** A descriptor number; that it is open is for the system call to say. */
int toDescriptor(const Napi::Value& value);

bool toFlag(const Napi::Value& value, const char* what);

/** An interface name as the kernel accepts it: 1 to 15 bytes without '/', ':', '%', white space or NUL, not "." or "..". */
std::string toInterfaceName(const Napi::Value& value);

/** A path of 1 to PATH_MAX - 1 bytes without NUL. */
std::string toPath(const Napi::Value& value, const char* what);

/** A whole number in 0..max. */
uint32_t toWhole(const Napi::Value& value, const char* what, uint32_t max);

/** Six groups of two hexadecimal digits with colons between them. */
Mac toMac(const Napi::Value& value);
std::string formatMac(const Mac& mac);

/** "a.b.c.d/length" or "x::y/length", as `family` (AF_INET, AF_INET6) says. */
Address toAddress(const Napi::Value& value, uint8_t family);
std::string formatAddress(const Address& address);

/** Memory of a Uint8Array; valid until JavaScript runs again. */
struct Bytes {
  uint8_t* data;
  size_t length;
};
Bytes toBytes(const Napi::Value& value);

}  // namespace tuntap
