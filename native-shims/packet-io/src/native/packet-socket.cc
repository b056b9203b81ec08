#include "packet-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "ring.h"

namespace {

/** Bytes that may wait on the way out: several super-frames. */
constexpr int SEND_BUFFER = 4 << 20;

Failure set(int fd, int level, int option, int value, const char *call) {
  if (setsockopt(fd, level, option, &value, sizeof value) < 0) return {errno, call};
  return {};
}

/** A buffer size beyond the system's limit where we may, up to the limit where we may not. */
void setBuffer(int fd, int forced, int limited, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0) setsockopt(fd, SOL_SOCKET, limited, &bytes, sizeof bytes);
}

/** A classic BPF program (linux/filter.h) that decides which frames are received. */
Failure setFilter(int fd, const uint8_t *filter, size_t bytes) {
  // Memory of JavaScript need not lie as instructions have to.
  std::vector<sock_filter> instructions(bytes / sizeof(sock_filter));
  if (instructions.empty() || instructions.size() > BPF_MAXINSNS || bytes % sizeof(sock_filter) != 0) {
    return {EINVAL, "setsockopt SO_ATTACH_FILTER"};
  }
  memcpy(instructions.data(), filter, bytes);
  const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) {
    return {errno, "setsockopt SO_ATTACH_FILTER"};
  }
  return {};
}

Failure configure(int fd, int ifindex, bool vnetHeader, bool ring, int receiveBuffer) {
  if (const Failure f = set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "setsockopt PACKET_IGNORE_OUTGOING")) return f;
  if (const Failure f = set(fd, SOL_PACKET, PACKET_AUXDATA, 1, "setsockopt PACKET_AUXDATA")) return f;
  if (vnetHeader) {
    if (const Failure f = set(fd, SOL_PACKET, PACKET_VNET_HDR, 1, "setsockopt PACKET_VNET_HDR")) return f;
  }
  if (ring) openRing(fd, vnetHeader);
  setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receiveBuffer);
  setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = ifindex;
  if (bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) < 0) return {errno, "bind"};
  return {};
}

}  // namespace

Failure openPacketSocket(int ifindex, bool vnetHeader, bool ring, int receiveBuffer, const uint8_t *filter, size_t filterBytes,
                         int *out) {
  // Interface 0 would mean all of them.
  if (ifindex <= 0) return {ENODEV, "bind"};
  // Protocol 0: nothing is received before the socket is set up and bound.
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, "socket"};
  Failure failure = filter ? setFilter(fd, filter, filterBytes) : Failure{};
  if (!failure) failure = configure(fd, ifindex, vnetHeader, ring, receiveBuffer);
  if (failure) {
    close(fd);
    return failure;
  }
  *out = fd;
  return {};
}

uint32_t takeKernelDrops(int fd) {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0 ? 0 : stats.tp_drops;
}
