/*
 * Mirrored packets as vRouters send them, in UDP:
 *     mirrored ADDRESS PORT SECONDS RATE BYTES      frames of so many bytes; rate 0: as fast as it goes
 * Prints how many it sent and in how many seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common.h"

enum { BATCH = 32, METADATA_TYPE_SOURCE = 3, METADATA_END = 255, BUFFER = 8 << 20 };

static const char NETWORK[] = "default-domain:default-project:network-of-guests";

/** Metadata of what a port's guest sends, then the frame; returns the length of both. */
static size_t write_copy(uint8_t *payload, size_t frame_bytes) {
  const size_t name = sizeof NETWORK - 1;
  const struct target target = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, htonl(0x0a000001), htonl(0x0a000002)};
  payload[0] = METADATA_TYPE_SOURCE;
  payload[1] = (uint8_t)name;
  memcpy(payload + 2, NETWORK, name);
  payload[2 + name] = METADATA_END;
  payload[3 + name] = 0;
  write_frame(payload + 4 + name, frame_bytes, &target, 40000);
  return 4 + name + frame_bytes;
}

int main(int count, char *arguments[]) {
  static uint8_t payload[MAX_FRAME];
  static struct mmsghdr messages[BATCH];
  if (count != 6) usage("ADDRESS PORT SECONDS RATE BYTES");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(arguments[2]))};
  if (inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1) usage("see mirrored.c");
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  const int buffer = BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) < 0) fail("SO_SNDBUFFORCE");
  struct iovec vector = {payload, write_copy(payload, (size_t)number(arguments[5]))};
  for (int i = 0; i < BATCH; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};

  struct pace pace = start_pace(atof(arguments[3]), number(arguments[4]));
  while (wait_turn(&pace)) {
    const int sent = sendmmsg(fd, messages, BATCH, 0);
    if (sent > 0) pace.sent += (uint64_t)sent;
    else if (errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
  }
  printf("%llu %.6f\n", (unsigned long long)pace.sent, (double)(now_ns() - pace.start) / 1e9);
  return 0;
}
