#include "ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace {

/** The kernel allocates a ring in blocks of this many bytes. */
constexpr uint32_t BLOCK = 64 << 10;
/** Where the kernel puts a frame of a 14-byte link header when nothing is reserved, without virtio-net header. */
constexpr uint32_t KERNEL_FRAME_AT = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) - 14;

Failure set(int fd, int option, const void *value, socklen_t length, const char *call) {
  if (setsockopt(fd, SOL_PACKET, option, value, length) < 0) return {errno, call};
  return {};
}

Failure set(int fd, int option, uint32_t value, const char *call) { return set(fd, option, &value, sizeof value, call); }

Failure resize(int fd, uint32_t bytes) {
  tpacket_req request{};
  request.tp_block_size = bytes ? BLOCK : 0;
  request.tp_block_nr = bytes / BLOCK;
  request.tp_frame_size = bytes ? RING_FRAME : 0;
  request.tp_frame_nr = bytes / RING_FRAME;
  return set(fd, PACKET_RX_RING, &request, sizeof request, "setsockopt PACKET_RX_RING");
}

}  // namespace

Failure openRing(int fd, bool vnetHeader) {
  const uint32_t reserve = RING_FRAME_AT - KERNEL_FRAME_AT - (vnetHeader ? VNET_LEN : 0);
  if (const Failure f = set(fd, PACKET_RESERVE, reserve, "setsockopt PACKET_RESERVE")) return f;
  if (const Failure f = set(fd, PACKET_COPY_THRESH, 1, "setsockopt PACKET_COPY_THRESH")) return f;
  if (const Failure f = set(fd, PACKET_VERSION, TPACKET_V2, "setsockopt PACKET_VERSION")) return f;
  const Failure failure = resize(fd, RING_BYTES);
  if (failure) set(fd, PACKET_VERSION, TPACKET_V1, "setsockopt PACKET_VERSION");
  return failure;
}

bool hasRing(int fd) {
  // The version of all other sockets is the one they are made with.
  int version = TPACKET_V1;
  socklen_t length = sizeof version;
  return getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &length) == 0 && version == TPACKET_V2;
}

void closeRing(int fd) {
  if (!resize(fd, 0)) set(fd, PACKET_VERSION, TPACKET_V1, "setsockopt PACKET_VERSION");
}

Failure mapRing(int fd, uint8_t *where) {
  if (mmap(where, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED) return {};
  const Failure failure{errno, "mmap"};
  unmapRing(where);
  return failure;
}

void unmapRing(uint8_t *where) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  mmap(where, RING_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
}
