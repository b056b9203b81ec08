#pragma once

#include <cstddef>
#include <cstdint>

#include "failure.h"

/**
 * Opens a packet socket on an interface: every protocol, received frames only, with VLAN tags told as ancillary data and, if asked
 * for, a virtio-net header in front of each frame. Non-blocking. Buffers of `receiveBuffer` bytes need CAP_NET_ADMIN; without it
 * the system's limit holds. With `ring` it gets a receive ring, if the kernel has memory for one: see `hasRing`. With a `filter` of
 * `filterBytes`, sock_filter instructions in a row, only frames that pass it are received.
 */
Failure openPacketSocket(int ifindex, bool vnetHeader, bool ring, int receiveBuffer, const uint8_t *filter, size_t filterBytes,
                         int *out);

/** Frames the kernel dropped since the last call because the socket's buffer or ring was full. */
uint32_t takeKernelDrops(int fd);
