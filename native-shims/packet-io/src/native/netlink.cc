#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace {

/** Bytes of events that may wait while the event loop is busy: thousands of links that change at once. */
constexpr int EVENT_BUFFER = 8 << 20;

int64_t nowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/** Waits until there is something to receive, at most until `deadlineMs` of `nowMs`. */
Failure waitReadable(int fd, int64_t deadlineMs) {
  pollfd waiting{fd, POLLIN, 0};
  for (;;) {
    const int64_t left = std::max<int64_t>(deadlineMs - nowMs(), 0);
    const int ready = poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready == 0) return {ETIMEDOUT, "poll"};
    if (errno != EINTR) return {errno, "poll"};
  }
}

}  // namespace

Failure openNetlink(uint32_t groups, int *out) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return {errno, "socket"};
  // Without the right to a large buffer the ordinary one has to do; what is lost is told as ENOBUFS.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &EVENT_BUFFER, sizeof EVENT_BUFFER);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) < 0) {
    const Failure failure{errno, "bind"};
    close(fd);
    return failure;
  }
  *out = fd;
  return {};
}

Failure sendNetlink(int fd, const uint8_t *message, size_t length) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = sendto(fd, message, length, 0, reinterpret_cast<const sockaddr *>(&kernel), sizeof kernel);
  return sent < 0 ? Failure{errno, "sendto"} : Failure{};
}

Failure receiveNetlink(int fd, uint8_t *into, size_t room, int timeoutMs, size_t *received) {
  *received = 0;
  const int64_t deadlineMs = nowMs() + timeoutMs;
  for (;;) {
    sockaddr_nl sender{};
    iovec vector{into, room};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return {errno, "recvmsg"};
    if (got < 0) {
      if (timeoutMs == 0) return {};
      if (const Failure failure = waitReadable(fd, deadlineMs)) return failure;
      continue;
    }
    // Another process may send to this socket; only the kernel has port 0.
    if (sender.nl_pid != 0) continue;
    if (message.msg_flags & MSG_TRUNC) return {EMSGSIZE, "recvmsg"};
    *received = static_cast<size_t>(got);
    return {};
  }
}
