/* What the programs of the benchmark share. They end with a message on any error: a benchmark that goes on is worth nothing. */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>

/** Ends the program with a message: the call and errno. */
void fail(const char *what);

/** Ends the program with a message about its arguments. */
void usage(const char *text);

/** Monotonic time, ns. */
uint64_t now_ns(void);

/** A number from the command line. */
long number(const char *text);

/** Runs this thread on one CPU only; a negative one: on any. */
void pin(int cpu);

/** Virtio-net header in front of every frame, bytes. */
enum { VNET_LEN = 10 };
/** Longest frame with its virtio-net header. */
enum { MAX_FRAME = 65536 + 22 + VNET_LEN };
/** Port of the discard service: what is sent there is dropped by the receiving guest before its stack. */
enum { DISCARD_PORT = 9 };
/** First destination port of flows that are told apart by both ports; what is sent to this one and the 9,999 behind is dropped too. */
enum { FIRST_FLOW_PORT = 10000 };

/**
 * Opens a TAP in a network namespace below /run/netns, made unless it is there; returns its descriptor, non-blocking. With `vnet`
 * it carries virtio-net headers and all segmentation is left to whoever is last.
 */
int open_tap(const char *netns, const char *name, int vnet);

/** Where a generator sends: what stands in its frames. */
struct target {
  uint8_t source_mac[6];
  uint8_t mac[6];
  uint32_t source_address; /* network order */
  uint32_t address;
};

/** Reads SOURCE-MAC SOURCE-ADDRESS MAC ADDRESS. */
struct target read_target(char *const arguments[4]);

/** Writes an Ethernet frame of `length` bytes, UDP to the discard port with this source port. */
void write_frame(uint8_t *frame, size_t length, const struct target *target, uint16_t source_port);

/**
 * When to send the next burst so that `rate` frames a second go out; 0: as fast as it goes. Sleeps until then; returns 0 when the
 * time is over.
 */
struct pace {
  uint64_t start, end;
  double ns_per_frame;
  uint64_t sent;
};
struct pace start_pace(double seconds, long rate);
int wait_turn(const struct pace *pace);

#endif
