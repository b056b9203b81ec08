/*
 * Packet generator: UDP frames of one size out of an interface, by sendmmsg on a packet socket, many flows.
 * Prints how many the interface took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common.h"

/** Frames of a call. A paced generator sends smaller bursts, so that they do not fill queues. */
enum { BATCH = 64, PACED_BATCH = 16, FLOWS = 1024, FIRST_PORT = 10000 };

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

int main(int count, char *arguments[]) {
  if (count != 10) usage("INTERFACE BYTES SECONDS RATE CPU SOURCE-MAC SOURCE-ADDRESS MAC ADDRESS   (RATE 0: as fast as it goes)");
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

  const unsigned batch = rate > 0 ? PACED_BATCH : BATCH;
  struct pace pace = start_pace(atof(arguments[3]), rate);
  for (unsigned next = 0; wait_turn(&pace); next = (next + batch) % FLOWS) {
    const int sent = sendmmsg(fd, &messages[next], batch, 0);
    /* A full queue takes nothing for a moment. */
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("sendmmsg");
    if (sent > 0) pace.sent += (uint64_t)sent;
  }
  printf("%lu\n", pace.sent);
  return 0;
}
