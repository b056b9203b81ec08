/*
 * UDP between sockets: throughput with segmentation left to whoever is last (UDP_SEGMENT) and datagrams merged on arrival
 * (UDP_GRO), and round trips.
 *     udp send ADDRESS PORT SECONDS      udp receive PORT     until a second without datagrams; prints Gbit/s of payload
 *     udp echo PORT                      udp ping ADDRESS PORT SECONDS     prints p50 and p99, microseconds, and how many
 *     udp first ADDRESS PORT SECONDS     the same with a socket, and so a source port, of its own for each round trip
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

/** Payload of a datagram, and how many go to the kernel in one call. */
enum { PAYLOAD = 1400, DATAGRAMS = 46, BUFFER = 8 << 20, PING_BYTES = 18, PINGS_MAX = 1 << 20 };

static struct sockaddr_in address_of(const char *address, const char *port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port))};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) usage("see udp.c");
  return to;
}

static int open_socket(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  const int bytes = BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) fail("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0) fail("SO_SNDBUFFORCE");
  return fd;
}

static int connected(const char *address, const char *port) {
  const int fd = open_socket();
  const struct sockaddr_in to = address_of(address, port);
  if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  return fd;
}

static int bound(const char *port) {
  const int fd = open_socket();
  const struct sockaddr_in at = address_of("0.0.0.0", port);
  if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0) fail("bind");
  puts("ready");
  fflush(stdout);
  return fd;
}

static void receive_for(int fd, long ms) {
  const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) fail("SO_RCVTIMEO");
}

static void send_all(const char *address, const char *port, double seconds) {
  static uint8_t payload[PAYLOAD * DATAGRAMS];
  const int fd = connected(address, port);
  const int size = PAYLOAD;
  if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size) < 0) fail("UDP_SEGMENT");
  for (const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < end;) {
    if (send(fd, payload, sizeof payload, 0) < 0 && errno != ENOBUFS && errno != ECONNREFUSED) fail("send");
  }
}

static void receive_all(const char *port) {
  static uint8_t payload[1 << 16];
  const int fd = bound(port);
  const int on = 1;
  if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) < 0) fail("UDP_GRO");
  ssize_t got = recv(fd, payload, sizeof payload, 0);
  const uint64_t first = now_ns();
  uint64_t last = first + 1, bytes = 0;
  for (receive_for(fd, 300); (got = recv(fd, payload, sizeof payload, 0)) > 0; last = now_ns()) bytes += (uint64_t)got;
  printf("%.4f\n", (double)bytes * 8 / (double)(last - first));
}

static void echo(const char *port) {
  const int fd = bound(port);
  uint8_t bytes[2048];
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (got < 0) fail("recvfrom");
    if (sendto(fd, bytes, (size_t)got, 0, (const struct sockaddr *)&from, length) < 0 && errno != ENOBUFS) fail("sendto");
  }
}

static int ascending(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void ping(const char *address, const char *port, double seconds, int first) {
  static uint32_t trips[PINGS_MAX];
  int fd = connected(address, port);
  receive_for(fd, 100);
  uint32_t lost = 0, count = 0, sequence = 0;
  const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
  for (uint64_t sent = now_ns(); sent < end && count < PINGS_MAX; sent = now_ns()) {
    if (first) {
      close(fd);
      fd = connected(address, port);
      receive_for(fd, 100);
      sent = now_ns();
    }
    uint8_t bytes[PING_BYTES] = {0};
    const uint32_t number = ++sequence;
    memcpy(bytes, &number, sizeof number);
    if (send(fd, bytes, sizeof bytes, 0) < 0) fail("send");
    uint32_t answer = 0;
    /* An answer to an earlier one that had been given up is not the answer. */
    while (answer != number && recv(fd, bytes, sizeof bytes, 0) > 0) memcpy(&answer, bytes, sizeof answer);
    if (answer == number) trips[count++] = (uint32_t)(now_ns() - sent);
    else lost++;
  }
  if (count == 0) {
    fprintf(stderr, "udp ping: no answer from %s\n", address);
    exit(1);
  }
  qsort(trips, count, sizeof *trips, ascending);
  printf("%.2f %.2f %u %u\n", trips[count / 2] / 1e3, trips[(uint64_t)count * 99 / 100] / 1e3, count, lost);
}

int main(int count, char *arguments[]) {
  const char *mode = count > 1 ? arguments[1] : "";
  if (!strcmp(mode, "send") && count == 5) send_all(arguments[2], arguments[3], atof(arguments[4]));
  else if (!strcmp(mode, "receive") && count == 3) receive_all(arguments[2]);
  else if (!strcmp(mode, "echo") && count == 3) echo(arguments[2]);
  else if (!strcmp(mode, "ping") && count == 5) ping(arguments[2], arguments[3], atof(arguments[4]), 0);
  else if (!strcmp(mode, "first") && count == 5) ping(arguments[2], arguments[3], atof(arguments[4]), 1);
  else usage("send ADDRESS PORT SECONDS | receive PORT | echo PORT | ping|first ADDRESS PORT SECONDS");
  return 0;
}
