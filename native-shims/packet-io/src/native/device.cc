#include "device.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>

#include "packet-socket.h"
#include "ring.h"

namespace {

/** While ports stay busy, the idle ones are asked for every so many steps: often enough for them, cheap for the busy. */
constexpr uint32_t STEPS_PER_POLL = 4;

/** Ports asked for their drops in one step. */
constexpr uint32_t COLLECT_PORTS = 64;

/** Milliseconds since some moment before now; never goes back. */
double monotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Failure setNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return {errno, "fcntl"};
  return {};
}

}  // namespace

Failure Device::create(const ArenaSizes &sizes, uint32_t rxQuota, int wakeFd, std::unique_ptr<Device> *out) {
  if (rxQuota == 0) return {EINVAL, "rxQuota"};
  std::shared_ptr<Arena> arena;
  if (const Failure failure = Arena::create(sizes, &arena)) return failure;
  std::unique_ptr<Device> device(new Device(std::move(arena), rxQuota));
  if (const Failure failure = device->poller_.open(wakeFd)) return failure;
  *out = std::move(device);
  return {};
}

Device::~Device() {
  for (uint32_t id = 0; id < portsEnd_; id++) detach(id);
}

Device::Device(std::shared_ptr<Arena> arena, uint32_t rxQuota)
    : arena_(std::move(arena)),
      ports_(arena_->sizes.ports),
      poller_(&ports_),
      receiver_(arena_, rxQuota),
      transmitter_(arena_, &ports_) {}

uint32_t Device::step(uint32_t queued, int timeoutMs) {
  flush(queued);
  receiver_.begin(&ports_);
  collectDrops();
  bool woken = false;
  // Ports known to have frames come first, without asking epoll, but others get their turn between.
  if (poller_.queued() > 0) {
    if (++stepsSincePoll_ >= STEPS_PER_POLL) {
      stepsSincePoll_ = 0;
      woken = poller_.poll(0);
    }
    readHotPorts();
  }
  if (receiver_.frames() == 0 && poller_.queued() == 0) {
    stepsSincePoll_ = 0;
    woken |= poller_.poll(woken ? 0 : timeoutMs);
    readHotPorts();
  }
  arena_->ctl()[CTL_WOKEN] = woken ? 1 : 0;
  *arena_->clock() = monotonicMs();
  return receiver_.frames();
}

void Device::flush(uint32_t queued) {
  const uint32_t failed = transmitter_.flush(std::min(queued, arena_->sizes.txQueue));
  arena_->ctl()[CTL_FAILED] = static_cast<int32_t>(failed);
}

/**
 * Reads queued ports in order; what was not read empty goes to the end. One that is busy alone gets its quota again: the more frames
 * a step takes, the less often the kernel's code and that of the frames' way push each other out of the caches.
 */
void Device::readHotPorts() {
  while (poller_.queued() > 0 && !receiver_.full()) {
    const uint32_t id = poller_.take();
    const After after = receiver_.read(id, &ports_[id]);
    if (after == After::more) poller_.putBack(id);
    if (after == After::gone) poller_.remove(id);
  }
}

Failure Device::attach(uint32_t id, int fd, PortKind kind, bool vnetHeader) {
  if (id >= ports_.size()) return {EINVAL, "attach"};
  Port &port = ports_[id];
  if (port.kind != PortKind::none) return {EEXIST, "attach"};
  if (const Failure failure = setNonBlocking(fd)) return failure;
  port = Port{};
  port.fd = fd;
  if (const Failure failure = poller_.add(id)) return failure;
  port.kind = kind;
  port.vnetHeader = vnetHeader;
  port.ring = kind == PortKind::packet ? takeRing(fd) : nullptr;
  if (port.ring) port.ringNext = *keptPosition(port.ring) % RING_FRAMES;
  double *counters = arena_->counters(id);
  std::fill(counters, counters + COUNTER_WORDS, 0.0);
  portsEnd_ = std::max(portsEnd_, id + 1);
  return {};
}

/** Maps the ring of a packet socket; null when it has none. One there is no room for is taken away, or nobody would read it. */
uint8_t *Device::takeRing(int fd) {
  if (!::hasRing(fd)) return nullptr;
  uint8_t *ring = arena_->takeRing();
  if (ring && !mapRing(fd, ring)) return ring;
  if (ring) arena_->giveRing(ring);
  closeRing(fd);
  return nullptr;
}

void Device::detach(uint32_t id) {
  if (id >= ports_.size() || ports_[id].kind == PortKind::none) return;
  poller_.remove(id);
  Port &port = ports_[id];
  if (port.ring) {
    Receiver::release(&port);
    *keptPosition(port.ring) = port.ringNext;
    unmapRing(port.ring);
    arena_->giveRing(port.ring);
  }
  port = Port{};
}

/** Once a second, asks each packet socket what the kernel dropped; a few ports per step. */
void Device::collectDrops() {
  if (collectNext_ >= portsEnd_) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec == collectedAt_) return;
    collectedAt_ = now.tv_sec;
    collectNext_ = 0;
  }
  for (const uint32_t end = std::min(collectNext_ + COLLECT_PORTS, portsEnd_); collectNext_ < end; collectNext_++) {
    const Port &port = ports_[collectNext_];
    if (port.kind == PortKind::packet) arena_->counters(collectNext_)[KERNEL_DROPS] += takeKernelDrops(port.fd);
  }
}
