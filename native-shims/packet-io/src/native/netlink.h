#pragma once

#include <cstddef>
#include <cstdint>

#include "failure.h"

/** Opens a routing netlink socket of this thread's network namespace, in the multicast groups of the bit mask. Non-blocking. */
Failure openNetlink(uint32_t groups, int *out);

Failure sendNetlink(int fd, const uint8_t *message, size_t length);

/**
 * Receives one datagram of the kernel, waiting at most `timeoutMs`; ETIMEDOUT after that; without waiting, `received` is 0 when
 * none is there. ENOBUFS: messages were lost; EMSGSIZE: the datagram was longer than `room`.
 */
Failure receiveNetlink(int fd, uint8_t *into, size_t room, int timeoutMs, size_t *received);
