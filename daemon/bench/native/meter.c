/*
 * Counts the packets an interface of this namespace receives (rx) or, on a TAP somebody else reads, delivers (tx), and the CPU time
 * that processes with all their threads use meanwhile. Prints seconds, packets and CPU nanoseconds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/** Columns of /proc/net/dev in front of the number of packets. */
enum { BEFORE_RX_PACKETS = 1, BEFORE_TX_PACKETS = 9 };

static uint64_t packets_of(const char *interface, int columns_before) {
  FILE *file = fopen("/proc/self/net/dev", "r");
  char line[512];
  if (!file) fail("/proc/self/net/dev");
  while (fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    char *name = line + strspn(line, " ");
    if (!colon || (size_t)(colon - name) != strlen(interface) || strncmp(name, interface, strlen(interface))) continue;
    fclose(file);
    char *at = colon + 1;
    for (int i = 0; i < columns_before; i++) strtoull(at, &at, 10);
    return strtoull(at, &at, 10);
  }
  fprintf(stderr, "meter: no interface %s\n", interface);
  exit(1);
}

/** Time the threads of a process have run, ns. */
static uint64_t cpu_of(const char *pid) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) fail(path);
  uint64_t total = 0;
  for (struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, task->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long ran = 0;
    if (!file) continue; /* the thread has ended */
    if (fscanf(file, "%llu", &ran) == 1) total += ran;
    fclose(file);
  }
  closedir(tasks);
  return total;
}

static uint64_t cpu_of_all(char *const pids[], int count) {
  uint64_t total = 0;
  for (int i = 0; i < count; i++) total += cpu_of(pids[i]);
  return total;
}

int main(int count, char *arguments[]) {
  if (count < 5) usage("INTERFACE rx|tx WARM-UP-MS MS [PID...]");
  const int columns = strcmp(arguments[2], "tx") ? BEFORE_RX_PACKETS : BEFORE_TX_PACKETS;
  usleep((useconds_t)number(arguments[3]) * 1000);
  const uint64_t cpu = cpu_of_all(arguments + 5, count - 5);
  const uint64_t packets = packets_of(arguments[1], columns);
  const uint64_t start = now_ns();
  usleep((useconds_t)number(arguments[4]) * 1000);
  const uint64_t seen = packets_of(arguments[1], columns) - packets;
  const uint64_t elapsed = now_ns() - start;
  printf("%.6f %lu %lu\n", (double)elapsed / 1e9, seen, cpu_of_all(arguments + 5, count - 5) - cpu);
  return 0;
}
