#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "port.h"

/** Sends what the tx descriptors name, in order, and writes each one's status: 0 or a positive errno. Never waits. */
class Transmitter {
 public:
  Transmitter(std::shared_ptr<Arena> arena, const std::vector<Port> *ports);

  /** Sends the first `queued` descriptors (at most the size of the queue). Returns how many failed. */
  uint32_t flush(uint32_t queued);

 private:
  void prepare(uint32_t index, const Port &port);
  void sendTap(uint32_t index, const Port &port);
  void sendRun(uint32_t from, uint32_t to, const Port &port);
  int check(uint32_t index) const;
  int32_t *words(uint32_t index) const { return arena_->tx() + size_t{index} * TX_WORDS; }
  void finish(uint32_t index, int status);

  std::shared_ptr<Arena> arena_;
  const std::vector<Port> &ports_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  uint32_t failed_ = 0;
};
