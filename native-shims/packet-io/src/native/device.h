#pragma once

#include <time.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "poller.h"
#include "port.h"
#include "receive.h"
#include "transmit.h"

/** A set of ports behind one batched call: the order of sending, receiving and waiting. Used by one thread. */
class Device {
 public:
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;
  /** `wakeFd`: an eventfd of the caller's that ends a waiting step and outlives the device; -1: one of its own. */
  static Failure create(const ArenaSizes &sizes, uint32_t rxQuota, int wakeFd, std::unique_ptr<Device> *out);

  /**
   * Sends the first `queued` tx descriptors, then reads frames, waiting at most `timeoutMs` when none is there. Returns how many
   * rx descriptors it wrote; ctl holds the rest of the outcome.
   */
  uint32_t step(uint32_t queued, int timeoutMs);
  void flush(uint32_t queued);

  /**
   * Starts reading a descriptor; it becomes non-blocking and must stay open until detach. A packet socket that has a ring is read
   * through it, from where its last reader stopped.
   */
  Failure attach(uint32_t port, int fd, PortKind kind, bool vnetHeader);
  bool hasRing(uint32_t port) const { return ports_[port].ring != nullptr; }
  /** Ends reading. Harmless on a port that is not attached. */
  void detach(uint32_t port);

  const std::shared_ptr<Arena> &arena() const { return arena_; }
  int wakeFd() const { return poller_.wakeFd(); }

 private:
  Device(std::shared_ptr<Arena> arena, uint32_t rxQuota);
  void readHotPorts();
  uint8_t *takeRing(int fd);
  void collectDrops();

  std::shared_ptr<Arena> arena_;
  std::vector<Port> ports_;
  Poller poller_;
  Receiver receiver_;
  Transmitter transmitter_;
  uint32_t stepsSincePoll_ = 0;
  /** Ports from here on have none attached. */
  uint32_t portsEnd_ = 0;
  /** When the drops of all ports were last asked for, and the next port to ask in the round that is on. */
  time_t collectedAt_ = 0;
  uint32_t collectNext_ = 0;
};
