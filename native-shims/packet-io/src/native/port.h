#pragma once

#include <cstdint>

enum class PortKind : uint8_t { none, tap, packet };

/** One attached descriptor. The descriptor belongs to the caller and outlives the attachment. */
struct Port {
  int fd = -1;
  PortKind kind = PortKind::none;
  /** Whether the descriptor carries a virtio-net header in front of each frame. */
  bool vnetHeader = false;
  /** Whether it waits in the poller's queue of ports that may have frames. */
  bool hot = false;
  /** Read errors since the last frame; many in a row mean that the descriptor is of no more use. */
  uint8_t errorsInRow = 0;
  /** The receive ring of a packet socket that has one; the slot to look at next; how many before it await release. */
  uint8_t *ring = nullptr;
  uint32_t ringNext = 0;
  uint32_t ringHeld = 0;
};
