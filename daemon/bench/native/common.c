#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

void fail(const char *what) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

void usage(const char *text) {
  fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, text);
  exit(2);
}

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

long number(const char *text) {
  char *end;
  const long value = strtol(text, &end, 10);
  if (end == text || *end) {
    fprintf(stderr, "%s: %s is not a number\n", program_invocation_short_name, text);
    exit(2);
  }
  return value;
}

void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
}

/** Enters a network namespace; returns a descriptor of the one this thread was in. */
static int enter(const char *netns) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  const int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = open(path, O_RDONLY | O_CLOEXEC);
  if (back < 0 || there < 0) fail(path);
  if (setns(there, CLONE_NEWNET) < 0) fail("setns");
  close(there);
  return back;
}

int open_tap(const char *netns, const char *name, int vnet) {
  const int back = enter(netns);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0);
  if (ioctl(fd, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  int header = VNET_LEN;
  if (vnet && ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) fail("TUNSETVNETHDRSZ");
  const unsigned offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  /* Kernels before 6.2 know no UDP segmentation here. */
  if (vnet && ioctl(fd, TUNSETOFFLOAD, offloads | TUN_F_USO4 | TUN_F_USO6) < 0 && ioctl(fd, TUNSETOFFLOAD, offloads) < 0)
    fail("TUNSETOFFLOAD");
  if (setns(back, CLONE_NEWNET) < 0) fail("setns");
  close(back);
  return fd;
}

static void read_mac(const char *text, uint8_t *mac) {
  if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6) return;
  fprintf(stderr, "%s: %s is no MAC address\n", program_invocation_short_name, text);
  exit(2);
}

static uint32_t read_address(const char *text) {
  struct in_addr address;
  if (inet_pton(AF_INET, text, &address) == 1) return address.s_addr;
  fprintf(stderr, "%s: %s is no IPv4 address\n", program_invocation_short_name, text);
  exit(2);
}

struct target read_target(char *const arguments[4]) {
  struct target target;
  read_mac(arguments[0], target.source_mac);
  target.source_address = read_address(arguments[1]);
  read_mac(arguments[2], target.mac);
  target.address = read_address(arguments[3]);
  return target;
}

static uint16_t checksum(const uint8_t *bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

void write_frame(uint8_t *frame, size_t length, const struct target *target, uint16_t source_port) {
  memset(frame, 0, length);
  memcpy(frame, target->mac, 6);
  memcpy(frame + 6, target->source_mac, 6);
  put16(frame + 12, 0x0800);
  uint8_t *ip = frame + 14;
  ip[0] = 0x45;
  put16(ip + 2, length - 14);
  ip[8] = 64;
  ip[9] = 17;
  memcpy(ip + 12, &target->source_address, 4);
  memcpy(ip + 16, &target->address, 4);
  put16(ip + 10, checksum(ip, 20));
  uint8_t *udp = ip + 20;
  put16(udp, source_port);
  put16(udp + 2, DISCARD_PORT);
  put16(udp + 4, length - 34); /* checksum 0: none */
}

struct pace start_pace(double seconds, long rate) {
  struct pace pace = {.start = now_ns(), .sent = 0};
  pace.end = pace.start + (uint64_t)(seconds * 1e9);
  pace.ns_per_frame = rate > 0 ? 1e9 / (double)rate : 0;
  return pace;
}

int wait_turn(const struct pace *pace) {
  const uint64_t now = now_ns();
  if (now >= pace->end) return 0;
  const uint64_t due = pace->start + (uint64_t)((double)pace->sent * pace->ns_per_frame);
  if (due > now) {
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)(due - now)};
    nanosleep(&pause, NULL);
  }
  return 1;
}
