/*
 * Stands in for a hypervisor: holds the TAP of a port, as QEMU does, and has behind it a guest, which is a network namespace with a
 * TAP of its own. Frames go from one to the other with their virtio-net headers; those for the discard port end here. On a line
 *     BYTES SECONDS RATE CPU SOURCE-MAC SOURCE-ADDRESS MAC ADDRESS
 * of standard input, the guest generates packets meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

enum { BATCH = 64, PACED_BURST = 16, FLOWS = 1024, FIRST_PORT = 10000 };

static int port;
static int guest;

static int is_discarded(const uint8_t *frame, ssize_t length) {
  const uint8_t *ip = frame + VNET_LEN + 14;
  return length >= VNET_LEN + 42 && ip[-2] == 8 && ip[-1] == 0 && ip[0] == 0x45 && ip[9] == 17 && ip[22] == 0 && ip[23] == DISCARD_PORT;
}

static int move(int from, int to) {
  static uint8_t frame[MAX_FRAME];
  int n = 0;
  for (; n < BATCH; n++) {
    const ssize_t length = read(from, frame, sizeof frame);
    if (length <= 0) break;
    if (from == port && is_discarded(frame, length)) continue;
    if (write(to, frame, (size_t)length) < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EIO) fail("write");
  }
  if (n < BATCH && errno != EAGAIN && errno != EINTR && errno != EIO) fail("read");
  return n == BATCH;
}

static void generate(char *line) {
  char *words[8];
  int count = 0;
  for (char *word = strtok(line, " \n"); word && count < 8; word = strtok(NULL, " \n")) words[count++] = word;
  if (count < 8) return;
  const size_t length = (size_t)number(words[0]);
  const long rate = number(words[2]);
  const struct target target = read_target(&words[4]);
  pin((int)number(words[3]));
  static uint8_t frames[FLOWS][VNET_LEN + 2048];
  memset(frames, 0, sizeof frames);
  for (unsigned i = 0; i < FLOWS; i++) write_frame(frames[i] + VNET_LEN, length, &target, (uint16_t)(FIRST_PORT + i));
  struct pace pace = start_pace(atof(words[1]), rate);
  for (unsigned next = 0; wait_turn(&pace);) {
    for (int i = 0; i < PACED_BURST; i++, next = (next + 1) % FLOWS) {
      if (write(port, frames[next], VNET_LEN + length) > 0) pace.sent++;
    }
  }
}

static void *generator(void *nothing) {
  char line[512];
  while (fgets(line, sizeof line, stdin)) generate(line);
  return nothing;
}

int main(int count, char *arguments[]) {
  if (count != 4) usage("NETNS-OF-TAP TAP NETNS-OF-GUEST");
  port = open_tap(arguments[1], arguments[2], 1);
  guest = open_tap(arguments[3], "eth0", 1);
  pthread_t thread;
  if (pthread_create(&thread, NULL, generator, NULL)) fail("pthread_create");
  puts("ready");
  fflush(stdout);
  struct pollfd ports[2] = {{.fd = port, .events = POLLIN}, {.fd = guest, .events = POLLIN}};
  for (int more = 0;;) {
    if (!more && poll(ports, 2, -1) < 0 && errno != EINTR) fail("poll");
    more = move(port, guest);
    more |= move(guest, port);
  }
}
