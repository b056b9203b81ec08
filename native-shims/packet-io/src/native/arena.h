#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "failure.h"

// Words of a descriptor, as the FrameIo contract of the daemon lays them out.
constexpr uint32_t RX_WORDS = 4;
constexpr uint32_t TX_WORDS = 6;
constexpr uint32_t CTL_WORDS = 8;
enum RxWord { RX_PORT, RX_AT, RX_LENGTH };
enum TxWord { TX_PORT, TX_AT, TX_LENGTH, TX_STATUS };
enum CtlWord { CTL_WOKEN, CTL_FAILED, CTL_CLOCK /* a double: two words */ };

/** Words (doubles) of a port's counters. `gone` is 1 once the descriptor answered that its device no longer exists. */
constexpr uint32_t COUNTER_WORDS = 4;
enum CounterWord { KERNEL_DROPS, RX_ERRORS, LAST_ERRNO, GONE };

/** virtio-net header in front of every frame, without num_buffers (virtio 1.x section 5.1.6). */
constexpr uint32_t VNET_LEN = 10;
/** Bytes a receiver of a frame may use in front of the virtio-net header. */
constexpr uint32_t HEADROOM = 256;
/** Room for a VLAN tag the kernel delivers beside the frame; it is put back in without using up headroom. */
constexpr uint32_t VLAN_LEN = 4;
/** Where a frame starts in its slot: `% 4 == 2`, so that an IP header behind 14 bytes of Ethernet is aligned. */
constexpr uint32_t FRAME_AT = HEADROOM + VLAN_LEN + VNET_LEN;
static_assert(FRAME_AT % 4 == 2, "frames start two bytes past a word");

/** A receive ring of a packet socket: 2 MiB, see ring.h. */
constexpr uint32_t RING_FRAME = 2048;
constexpr uint32_t RING_FRAMES = 1024;
constexpr uint32_t RING_BYTES = RING_FRAME * RING_FRAMES;

/** Sizes of an arena: counts and bytes. */
struct ArenaSizes {
  uint32_t rxSlots;
  uint32_t slotBytes;
  uint32_t scratchBytes;
  uint32_t txQueue;
  uint32_t ports;
  uint32_t ringBytes;
};

/**
 * One mapping that holds everything JavaScript and the kernel exchange, addressed by byte offset, between two guard pages:
 *
 *   0          ctl | rx descriptors | tx descriptors | port counters
 *   slotsAt    rx slots: 256 headroom | 4 | virtio-net header 10 | frame
 *   scratchAt  frames the datapath builds itself
 *   ringsAt    address space for rings of packet sockets, in units of RING_BYTES
 *   end        (below 2 GiB, so that an offset is a positive int32)
 *
 * Address space without a ring reads as zeroes: an offset that outlived its ring does no harm.
 */
class Arena {
 public:
  /** Fails with EINVAL on sizes out of range, else with what mmap said. */
  static Failure create(const ArenaSizes &sizes, std::shared_ptr<Arena> *out);
  ~Arena();
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  uint8_t *base() const { return base_; }
  uint8_t *slot(uint32_t index) const { return base_ + slotsAt_ + size_t{index} * sizes.slotBytes; }
  uint32_t offset(const uint8_t *p) const { return static_cast<uint32_t>(p - base_); }
  int32_t *ctl() const { return reinterpret_cast<int32_t *>(base_); }
  double *clock() const { return reinterpret_cast<double *>(ctl() + CTL_CLOCK); }
  int32_t *rx() const { return reinterpret_cast<int32_t *>(base_ + rxAt_); }
  int32_t *tx() const { return reinterpret_cast<int32_t *>(base_ + txAt_); }
  double *counters(uint32_t port) const {
    return reinterpret_cast<double *>(base_ + countersAt_) + size_t{port} * COUNTER_WORDS;
  }
  uint32_t rxAt() const { return rxAt_; }
  uint32_t txAt() const { return txAt_; }
  uint32_t countersAt() const { return countersAt_; }
  uint32_t scratchAt() const { return scratchAt_; }
  size_t bytes() const { return bytes_; }

  /** Whether a frame of `length` bytes at `at`, with its virtio-net header in front, lies where frames may lie. */
  bool holdsFrame(int32_t at, int32_t length) const;

  /** Address space of RING_BYTES for a ring; null when the budget is spent. */
  uint8_t *takeRing();
  /** Gives back what takeRing gave. The caller has put plain memory there again. */
  void giveRing(const uint8_t *ring);

  const ArenaSizes sizes;

 private:
  explicit Arena(const ArenaSizes &given) : sizes(given) {}

  /** The whole mapping, guard pages included. */
  void *mapped_ = nullptr;
  size_t room_ = 0;
  uint8_t *base_ = nullptr;
  size_t bytes_ = 0;
  uint32_t rxAt_ = 0, txAt_ = 0, countersAt_ = 0, slotsAt_ = 0, scratchAt_ = 0, ringsAt_ = 0;
  std::vector<bool> ringTaken_;
};
