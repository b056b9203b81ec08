/*
 * What a forwarder costs at least: frames from one TAP to the other and back, read and written one by one in batches, without a look
 * at them. With virtio-net headers super-frames pass whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

enum { BATCH = 64 };

static uint8_t frames[BATCH][MAX_FRAME];

/** Moves up to a batch; returns whether there may be more. */
static int move(int from, int to) {
  ssize_t lengths[BATCH];
  int n = 0;
  while (n < BATCH && (lengths[n] = read(from, frames[n], MAX_FRAME)) > 0) n++;
  if (n < BATCH && lengths[n] < 0 && errno != EAGAIN && errno != EINTR && errno != EIO) fail("read");
  for (int i = 0; i < n; i++) {
    /* A full queue loses the frame, as it does in a switch. */
    if (write(to, frames[i], (size_t)lengths[i]) < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EIO) fail("write");
  }
  return n == BATCH;
}

int main(int count, char *arguments[]) {
  if (count != 4 || (strcmp(arguments[1], "vnet") && strcmp(arguments[1], "plain"))) usage("vnet|plain NETNS NETNS");
  const int vnet = !strcmp(arguments[1], "vnet");
  struct pollfd ports[2];
  for (int i = 0; i < 2; i++) ports[i] = (struct pollfd){.fd = open_tap(arguments[2 + i], "eth0", vnet), .events = POLLIN};
  puts("ready");
  fflush(stdout);
  for (int more = 0;; ) {
    if (!more && poll(ports, 2, -1) < 0 && errno != EINTR) fail("poll");
    more = move(ports[0].fd, ports[1].fd);
    more |= move(ports[1].fd, ports[0].fd);
  }
}
