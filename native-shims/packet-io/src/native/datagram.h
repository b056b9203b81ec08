#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "failure.h"

/**
 * A batch of received datagrams in one piece of memory: a record for each, then as many slots.
 *
 *   record (words)   length | whole length | seconds | nanoseconds | family | source port | offset | 0 | source (16 bytes) | destination (16)
 *   slot             headroom | data
 *
 * Length is what was received, whole length what there was before the slot cut it. Time is when the kernel got it, seconds since
 * 1970. Family 4 or 6, addresses in network order, IPv4 in the first four bytes; 0: a frame of a packet socket.
 */
constexpr uint32_t DATAGRAM_RECORD = 64;
constexpr uint32_t DATAGRAM_HEADROOM = 128;
constexpr uint32_t DATAGRAMS_MAX = 256;

/**
 * Opens a UDP socket bound to a numeric address and port, non-blocking, with a receive buffer of `receiveBuffer` bytes as far as it
 * may have it, that tells time and destination of each datagram. Fails with EINVAL when `address` is none, and as socket(2) and bind(2).
 */
Failure openUdpSocket(const std::string &address, uint16_t port, int receiveBuffer, int *out);

/** Makes a packet socket of this interface see all frames there, and tell when each was received. */
Failure startSniffing(int fd, int ifindex);

/** Receives at most `slots` datagrams that wait, without waiting itself, into `memory` laid out as above. */
Failure receiveDatagrams(int fd, uint8_t *memory, uint32_t slots, uint32_t slotBytes, uint32_t *received);

/** Datagrams the kernel dropped at a socket that is no packet socket since it was opened, modulo 2^32; bytes of its receive buffer. */
Failure socketMemory(int fd, uint32_t *drops, uint32_t *receiveBuffer);
