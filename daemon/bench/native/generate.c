/*
 * Packet generator: frames of one size out of an interface, by sendmmsg on a packet socket. UDP of 1,024 flows to the discard port;
 * or, with `udp FLOWS FIRST` or `syn FLOWS FIRST`, datagrams or TCP's SYNs of so many flows in turn, beginning with the one of this
 * number: ports from FIRST_FLOW_PORT on, no two flows alike. Prints how many the interface took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common.h"

/** Frames of a call. A paced generator sends smaller bursts, so that they do not fill queues. */
enum { BATCH = 64, PACED_BATCH = 16, FLOWS = 1024, FIRST_PORT = 10000 };
/** Source ports of numbered flows, from FIRST_SOURCE on; a step that visits each of them once, in no order to be guessed. */
enum { FIRST_SOURCE = 1024, SOURCES = 64512, SOURCE_STEP = 40507 };
/** Where a TCP header begins and how long it is. */
enum { TCP_AT = 34, TCP_LEN = 20 };

/** Frames of a batch, written anew for each: numbered flows one after the other. */
struct numbered {
  uint8_t *frames;
  size_t length;
  int syn;
  uint64_t first, count, next;
  uint32_t tcp_sum; /* of everything but the ports */
};

static int open_socket(const char *interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
  if (address.sll_ifindex == 0) fail(interface);
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  const int buffer = 4 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) < 0) fail("SO_SNDBUFFORCE");
  return fd;
}

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static uint32_t sum_of(const uint8_t *bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
  return length % 2 ? sum + ((uint32_t)bytes[length - 1] << 8) : sum;
}

/** Makes a frame write_frame has written a SYN. Only the protocol of its IP header differs, by 11. */
static void make_syn(struct numbered *flows, uint8_t *frame) {
  uint8_t *ip = frame + 14, *tcp = frame + TCP_AT;
  const unsigned checksum = (unsigned)ip[10] << 8 | ip[11];
  ip[9] = 6;
  put16(ip + 10, checksum + 11 > 0xffff ? checksum + 11 - 0xffff : checksum + 11);
  memset(tcp, 0, TCP_LEN);
  tcp[12] = TCP_LEN / 4 << 4;
  tcp[13] = 2;
  put16(tcp + 14, 0xffff);
  flows->tcp_sum = sum_of(ip + 12, 8) + 6 + (uint32_t)(flows->length - TCP_AT) + sum_of(tcp, flows->length - TCP_AT);
}

static void number_flows(struct numbered *flows, const struct target *target, char *const arguments[3]) {
  flows->syn = !strcmp(arguments[0], "syn");
  flows->count = (uint64_t)number(arguments[1]);
  flows->first = (uint64_t)number(arguments[2]);
  if ((!flows->syn && strcmp(arguments[0], "udp")) || flows->count == 0) usage("... udp|syn FLOWS FIRST");
  if (flows->length < TCP_AT + TCP_LEN) usage("... BYTES of 54 or more");
  for (size_t i = 0; i < BATCH; i++) {
    write_frame(flows->frames + i * flows->length, flows->length, target, 0);
    if (flows->syn) make_syn(flows, flows->frames + i * flows->length);
  }
}

/** Writes the ports of the next flows into the batch. */
static void next_flows(struct numbered *flows, unsigned batch) {
  for (unsigned i = 0; i < batch; i++) {
    const uint64_t flow = flows->first + flows->next++ % flows->count;
    const unsigned source = (unsigned)(FIRST_SOURCE + flow % SOURCES * SOURCE_STEP % SOURCES);
    const unsigned destination = (unsigned)(FIRST_FLOW_PORT + flow / SOURCES);
    uint8_t *l4 = flows->frames + i * flows->length + TCP_AT;
    put16(l4, source);
    put16(l4 + 2, destination);
    if (!flows->syn) continue;
    uint32_t sum = flows->tcp_sum + source + destination;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    put16(l4 + 16, ~sum & 0xffff);
  }
}

int main(int count, char *arguments[]) {
  if (count != 10 && count != 13)
    usage("INTERFACE BYTES SECONDS RATE CPU SOURCE-MAC SOURCE-ADDRESS MAC ADDRESS [udp|syn FLOWS FIRST]   (RATE 0: as fast as it goes)");
  const size_t length = (size_t)number(arguments[2]);
  const long rate = number(arguments[4]);
  const struct target target = read_target(&arguments[6]);
  const int fd = open_socket(arguments[1]);
  pin((int)number(arguments[5]));

  uint8_t *frames = malloc(FLOWS * length);
  struct mmsghdr messages[FLOWS] = {0};
  struct iovec vectors[FLOWS];
  if (!frames) fail("malloc");
  for (size_t i = 0; i < FLOWS; i++) {
    write_frame(frames + i * length, length, &target, (uint16_t)(FIRST_PORT + i));
    vectors[i] = (struct iovec){.iov_base = frames + i * length, .iov_len = length};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }

  struct numbered flows = {.frames = frames, .length = length};
  if (count == 13) number_flows(&flows, &target, &arguments[10]);

  const unsigned batch = rate > 0 ? PACED_BATCH : BATCH;
  struct pace pace = start_pace(atof(arguments[3]), rate);
  for (unsigned next = 0; wait_turn(&pace); next = flows.count > 0 ? 0 : (next + batch) % FLOWS) {
    if (flows.count > 0) next_flows(&flows, batch);
    const int sent = sendmmsg(fd, &messages[next], batch, 0);
    /* A full queue takes nothing for a moment. */
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("sendmmsg");
    if (sent > 0) pace.sent += (uint64_t)sent;
  }
  printf("%lu\n", pace.sent);
  return 0;
}
