#include "datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "packet-socket.h"

namespace {

enum RecordWord { LENGTH, WHOLE_LENGTH, SECONDS, NANOSECONDS, FAMILY, SOURCE_PORT, AT, NOTHING, SOURCE, DESTINATION = SOURCE + 4 };

/** Bytes of what the kernel tells beside a datagram: a time, and where it was sent to or what tag it had. */
constexpr size_t CONTROL_LEN = CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(tpacket_auxdata));
constexpr uint32_t ADDRESSES_LEN = 12, VLAN_LEN = 4;

/** What recvmmsg needs for one datagram. */
struct Message {
  iovec vector;
  sockaddr_storage from;
  alignas(cmsghdr) uint8_t control[CONTROL_LEN];
};

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/** Reads a numeric address; returns the length of the outcome, 0 when it is none. */
socklen_t readAddress(const std::string &text, uint16_t port, Address *out) {
  *out = {};
  if (inet_pton(AF_INET, text.c_str(), &out->v4.sin_addr) == 1) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    return sizeof out->v4;
  }
  if (inet_pton(AF_INET6, text.c_str(), &out->v6.sin6_addr) == 1) {
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    return sizeof out->v6;
  }
  return 0;
}

Failure set(int fd, int level, int option, int value, const char *call) {
  if (setsockopt(fd, level, option, &value, sizeof value) < 0) return {errno, call};
  return {};
}

/** A 0 in `into` stays where the kernel tells none. */
void takeSource(const sockaddr_storage &from, uint32_t *record) {
  if (from.ss_family == AF_INET) {
    const auto &v4 = reinterpret_cast<const sockaddr_in &>(from);
    record[FAMILY] = 4;
    record[SOURCE_PORT] = ntohs(v4.sin_port);
    memcpy(&record[SOURCE], &v4.sin_addr, 4);
  } else if (from.ss_family == AF_INET6) {
    const auto &v6 = reinterpret_cast<const sockaddr_in6 &>(from);
    record[FAMILY] = 6;
    record[SOURCE_PORT] = ntohs(v6.sin6_port);
    memcpy(&record[SOURCE], &v6.sin6_addr, 16);
  }
}

/** Puts a VLAN tag back in that the kernel delivered beside the frame. */
void insertVlan(uint8_t *memory, uint32_t *record, const tpacket_auxdata &aux) {
  if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || record[LENGTH] < ADDRESSES_LEN) return;
  const uint32_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100;
  uint8_t *frame = memory + record[AT] - VLAN_LEN;
  memmove(frame, frame + VLAN_LEN, ADDRESSES_LEN);
  const uint8_t tag[] = {uint8_t(tpid >> 8), uint8_t(tpid), uint8_t(aux.tp_vlan_tci >> 8), uint8_t(aux.tp_vlan_tci)};
  memcpy(frame + ADDRESSES_LEN, tag, VLAN_LEN);
  record[AT] -= VLAN_LEN;
  record[LENGTH] += VLAN_LEN;
  record[WHOLE_LENGTH] += VLAN_LEN;
}

/** Takes what the kernel tells beside a datagram. Returns whether its time was among it. */
bool takeControl(msghdr *message, uint8_t *memory, uint32_t *record) {
  bool timed = false;
  for (cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      timespec at;
      memcpy(&at, CMSG_DATA(c), sizeof at);
      record[SECONDS] = static_cast<uint32_t>(at.tv_sec);
      record[NANOSECONDS] = static_cast<uint32_t>(at.tv_nsec);
      timed = true;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      memcpy(&record[DESTINATION], &info.ipi_addr, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      memcpy(&record[DESTINATION], &info.ipi6_addr, 16);
    } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
      tpacket_auxdata aux;
      memcpy(&aux, CMSG_DATA(c), sizeof aux);
      insertVlan(memory, record, aux);
    }
  }
  return timed;
}

void describe(mmsghdr *message, const Message &given, uint8_t *memory, uint32_t at, uint32_t *record) {
  memset(record, 0, DATAGRAM_RECORD);
  record[LENGTH] = std::min<uint32_t>(message->msg_len, static_cast<uint32_t>(given.vector.iov_len));
  record[WHOLE_LENGTH] = message->msg_len;
  record[AT] = at;
  takeSource(given.from, record);
  if (takeControl(&message->msg_hdr, memory, record)) return;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  record[SECONDS] = static_cast<uint32_t>(now.tv_sec);
  record[NANOSECONDS] = static_cast<uint32_t>(now.tv_nsec);
}

Failure configure(int fd, const Address &address, socklen_t length, int receiveBuffer) {
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBuffer, sizeof receiveBuffer) < 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
  }
  if (const Failure f = set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "setsockopt SO_TIMESTAMPNS")) return f;
  if (address.any.sa_family == AF_INET) {
    if (const Failure f = set(fd, IPPROTO_IP, IP_PKTINFO, 1, "setsockopt IP_PKTINFO")) return f;
  } else {
    // The same port of IPv4 has a socket of its own.
    if (const Failure f = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "setsockopt IPV6_V6ONLY")) return f;
    if (const Failure f = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "setsockopt IPV6_RECVPKTINFO")) return f;
  }
  if (bind(fd, &address.any, length) < 0) return {errno, "bind"};
  return {};
}

}  // namespace

Failure openUdpSocket(const std::string &address, uint16_t port, int receiveBuffer, int *out) {
  Address to;
  const socklen_t length = readAddress(address, port, &to);
  if (length == 0) return {EINVAL, "inet_pton"};
  const int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, "socket"};
  if (const Failure failure = configure(fd, to, length, receiveBuffer)) {
    close(fd);
    return failure;
  }
  *out = fd;
  return {};
}

Failure startSniffing(int fd, int ifindex) {
  if (const Failure f = set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "setsockopt SO_TIMESTAMPNS")) return f;
  packet_mreq request{};
  request.mr_ifindex = ifindex;
  request.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0) {
    return {errno, "setsockopt PACKET_ADD_MEMBERSHIP"};
  }
  return {};
}

Failure receiveDatagrams(int fd, uint8_t *memory, uint32_t slots, uint32_t slotBytes, uint32_t *received) {
  // Some 70 KiB; per thread, for a call is not interrupted by another.
  static thread_local mmsghdr messages[DATAGRAMS_MAX];
  static thread_local Message given[DATAGRAMS_MAX];
  *received = 0;
  if (slots == 0 || slots > DATAGRAMS_MAX || slotBytes <= DATAGRAM_HEADROOM) return {EINVAL, "recvmmsg"};
  const uint32_t slotsAt = slots * DATAGRAM_RECORD;
  for (uint32_t i = 0; i < slots; i++) {
    given[i].vector = {memory + slotsAt + size_t{i} * slotBytes + DATAGRAM_HEADROOM, slotBytes - DATAGRAM_HEADROOM};
    given[i].from.ss_family = AF_UNSPEC;
    messages[i].msg_hdr = {&given[i].from, sizeof given[i].from, &given[i].vector, 1, given[i].control, CONTROL_LEN, 0};
  }
  const int got = recvmmsg(fd, messages, slots, MSG_DONTWAIT | MSG_TRUNC, nullptr);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Failure{} : Failure{errno, "recvmmsg"};
  for (int i = 0; i < got; i++) {
    const uint32_t index = static_cast<uint32_t>(i);
    const uint32_t at = slotsAt + index * slotBytes + DATAGRAM_HEADROOM;
    describe(&messages[i], given[i], memory, at, reinterpret_cast<uint32_t *>(memory + index * DATAGRAM_RECORD));
  }
  *received = static_cast<uint32_t>(got);
  return {};
}

Failure socketMemory(int fd, uint32_t *drops, uint32_t *receiveBuffer) {
  uint32_t words[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof words;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, words, &length) < 0) return {errno, "getsockopt SO_MEMINFO"};
  *drops = words[SK_MEMINFO_DROPS];
  *receiveBuffer = words[SK_MEMINFO_RCVBUF];
  return {};
}
