#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <vector>

#include "failure.h"
#include "port.h"

/**
 * Which ports may have frames. Ready ports stand in a ring-shaped queue, each at most once; ports that were read empty leave it
 * and cost nothing until epoll names them again. An eventfd in the same set lets other threads end a wait.
 */
class Poller {
 public:
  explicit Poller(std::vector<Port> *ports) : ports_(*ports), queue_(ports->size()) {}
  ~Poller();
  Poller(const Poller &) = delete;
  Poller &operator=(const Poller &) = delete;

  /** `wakeFd` is the caller's, who closes it later than this; -1: an eventfd of its own. */
  Failure open(int wakeFd);
  int wakeFd() const { return wakeFd_; }
  Failure add(uint32_t port);
  /** Ends watching, and forgets the port if it was queued. Harmless on a port that is not watched. */
  void remove(uint32_t port);

  /** Waits at most `timeoutMs` for events and queues the ports they name. Returns whether the wake-up descriptor fired. */
  bool poll(int timeoutMs);

  uint32_t queued() const { return count_; }
  /** First port of the queue, which must not be empty. */
  uint32_t take();
  void putBack(uint32_t port);

 private:
  static constexpr int EVENTS = 64;
  static constexpr uint64_t WAKE = ~uint64_t{0};

  std::vector<Port> &ports_;
  std::vector<uint32_t> queue_;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
  int epollFd_ = -1;
  int wakeFd_ = -1;
  bool ownsWakeFd_ = false;
  epoll_event events_[EVENTS];
};
