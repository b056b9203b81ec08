// System calls that open and configure TUN/TAP devices. JavaScript values are converted in tuntap_binding.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "system_linux.h"

namespace tuntap {

/** What to open. On entry `name` is shorter than IFNAMSIZ and neither string holds a NUL. */
struct OpenRequest {
  std::string name;   // empty: the kernel picks tapN or tunN
  std::string netns;  // file of the network namespace the device lives in; empty: the caller's own
  bool tap = true;    // Ethernet frames; otherwise IP packets
  bool vnetHeader = false;
  bool offloads = false;
  bool multiQueue = false;
  bool persist = false;
  std::optional<uint32_t> owner;
  std::optional<uint32_t> group;
};

/** An open queue of a device. The caller owns `fd`, which is non-blocking and closed on exec. */
struct OpenDevice {
  int fd = -1;
  std::string name;
  uint32_t ifindex = 0;
};

/** Bytes of the virtio-net header in front of each frame when `vnetHeader` is asked for. */
constexpr int VNET_HEADER_BYTES = 10;

/** Creates the device, or opens a queue of an existing one of the same mode. */
Failure openDevice(const OpenRequest& request, OpenDevice* device);

/** Whether the device stays when its last descriptor is closed. */
Failure setPersist(int fd, bool on);

/** Whether the kernel may hand over frames with partial checksums and TCP or UDP super-frames. Needs a virtio-net header. */
Failure setOffloads(int fd, bool on);

}  // namespace tuntap
