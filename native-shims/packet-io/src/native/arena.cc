#include "arena.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>

namespace {

constexpr uint64_t PAGE = 4096;
constexpr uint64_t LARGE_PAGE = uint64_t{2} << 20;
constexpr uint64_t ARENA_MAX = uint64_t{1} << 31;

uint64_t toPage(uint64_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

bool within(uint32_t value, uint32_t least, uint32_t most) { return value >= least && value <= most; }

bool acceptable(const ArenaSizes &s) {
  return within(s.rxSlots, 1, 1024) && within(s.slotBytes, 2048, 1 << 20) && s.slotBytes % 64 == 0 &&
         within(s.txQueue, 1, 65536) && within(s.ports, 1, 65536);
}

}  // namespace

Failure Arena::create(const ArenaSizes &sizes, std::shared_ptr<Arena> *out) {
  if (!acceptable(sizes)) return {EINVAL, "arena"};
  std::shared_ptr<Arena> arena(new Arena(sizes));
  const uint64_t rxAt = CTL_WORDS * sizeof(int32_t);
  const uint64_t txAt = rxAt + uint64_t{sizes.rxSlots} * RX_WORDS * sizeof(int32_t);
  const uint64_t countersAt = (txAt + uint64_t{sizes.txQueue} * TX_WORDS * sizeof(int32_t) + 7) / 8 * 8;
  const uint64_t slotsAt = toPage(countersAt + uint64_t{sizes.ports} * COUNTER_WORDS * sizeof(double));
  const uint64_t scratchAt = toPage(slotsAt + uint64_t{sizes.rxSlots} * sizes.slotBytes);
  const uint64_t ringsAt = toPage(scratchAt + sizes.scratchBytes);
  const uint64_t rings = sizes.ringBytes / RING_BYTES;
  const uint64_t bytes = ringsAt + rings * RING_BYTES;
  if (bytes >= ARENA_MAX) return {EINVAL, "arena"};

  // A page nobody may touch on either side: whoever goes past the arena is stopped there.
  const uint64_t room = bytes + 2 * PAGE + LARGE_PAGE;
  void *mapped = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return {errno, "mmap"};
  const uint64_t start = reinterpret_cast<uint64_t>(mapped);
  const uint64_t slots = (start + PAGE + slotsAt + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  arena->mapped_ = mapped;
  arena->room_ = room;
  arena->base_ = reinterpret_cast<uint8_t *>(slots - slotsAt);
  arena->bytes_ = bytes;
  if (mprotect(arena->base_, bytes, PROT_READ | PROT_WRITE) < 0) return {errno, "mprotect"};
  // Frames lie far apart: in small pages each would take an entry of the processor's table of pages for itself. A kernel without
  // large ones refuses, and nothing is lost.
  madvise(arena->base_ + slotsAt, ringsAt - slotsAt, MADV_HUGEPAGE);
  arena->rxAt_ = static_cast<uint32_t>(rxAt);
  arena->txAt_ = static_cast<uint32_t>(txAt);
  arena->countersAt_ = static_cast<uint32_t>(countersAt);
  arena->slotsAt_ = static_cast<uint32_t>(slotsAt);
  arena->scratchAt_ = static_cast<uint32_t>(scratchAt);
  arena->ringsAt_ = static_cast<uint32_t>(ringsAt);
  arena->ringTaken_.resize(rings);
  *out = std::move(arena);
  return {};
}

Arena::~Arena() {
  if (mapped_) munmap(mapped_, room_);
}

bool Arena::holdsFrame(int32_t at, int32_t length) const {
  if (at < 0 || length <= 0) return false;
  const uint64_t from = static_cast<uint64_t>(at);
  const uint64_t end = from + static_cast<uint64_t>(length);
  if (from < ringsAt_) return from >= uint64_t{slotsAt_} + VNET_LEN && end <= ringsAt_;
  const uint64_t ring = (from - ringsAt_) / RING_BYTES;
  if (ring >= ringTaken_.size() || !ringTaken_[ring]) return false;
  const uint64_t ringAt = ringsAt_ + ring * RING_BYTES;
  return from >= ringAt + VNET_LEN && end <= ringAt + RING_BYTES;
}

uint8_t *Arena::takeRing() {
  const auto free = std::find(ringTaken_.begin(), ringTaken_.end(), false);
  if (free == ringTaken_.end()) return nullptr;
  *free = true;
  return base_ + ringsAt_ + static_cast<size_t>(free - ringTaken_.begin()) * RING_BYTES;
}

void Arena::giveRing(const uint8_t *ring) { ringTaken_[(offset(ring) - ringsAt_) / RING_BYTES] = false; }
