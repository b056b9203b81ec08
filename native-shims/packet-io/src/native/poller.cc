#include "poller.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

Poller::~Poller() {
  if (ownsWakeFd_) close(wakeFd_);
  if (epollFd_ >= 0) close(epollFd_);
}

Failure Poller::open(int wakeFd) {
  epollFd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epollFd_ < 0) return {errno, "epoll_create1"};
  wakeFd_ = wakeFd >= 0 ? wakeFd : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wakeFd_ < 0) return {errno, "eventfd"};
  ownsWakeFd_ = wakeFd < 0;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = WAKE;
  if (epoll_ctl(epollFd_, EPOLL_CTL_ADD, wakeFd_, &event) < 0) return {errno, "epoll_ctl"};
  return {};
}

Failure Poller::add(uint32_t port) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = port;
  if (epoll_ctl(epollFd_, EPOLL_CTL_ADD, ports_[port].fd, &event) < 0) return {errno, "epoll_ctl"};
  return {};
}

void Poller::remove(uint32_t port) {
  epoll_ctl(epollFd_, EPOLL_CTL_DEL, ports_[port].fd, nullptr);
  if (!ports_[port].hot) return;
  for (uint32_t left = count_; left > 0; left--) {
    const uint32_t other = take();
    if (other != port) putBack(other);
  }
}

bool Poller::poll(int timeoutMs) {
  bool woken = false;
  const int n = epoll_wait(epollFd_, events_, EVENTS, timeoutMs);
  for (int i = 0; i < n; i++) {
    if (events_[i].data.u64 == WAKE) {
      uint64_t times;
      woken = read(wakeFd_, &times, sizeof times) == sizeof times;
      continue;
    }
    const uint32_t port = static_cast<uint32_t>(events_[i].data.u64);
    if (ports_[port].kind != PortKind::none && !ports_[port].hot) putBack(port);
  }
  return woken;
}

uint32_t Poller::take() {
  const uint32_t port = queue_[first_];
  first_ = first_ + 1 == queue_.size() ? 0 : first_ + 1;
  count_--;
  ports_[port].hot = false;
  return port;
}

void Poller::putBack(uint32_t port) {
  uint32_t at = first_ + count_;
  if (at >= queue_.size()) at -= static_cast<uint32_t>(queue_.size());
  queue_[at] = port;
  count_++;
  ports_[port].hot = true;
}
