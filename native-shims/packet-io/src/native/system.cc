#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace {

constexpr mode_t FILE_MODE = 0640;

/** Maps an open file, or says why not. The mapping outlives the descriptor. */
Failure mapOpenFile(int fd, size_t bytes, void **out) {
  struct stat status;
  if (fstat(fd, &status) < 0) return {errno, "fstat"};
  if (!S_ISREG(status.st_mode)) return {EINVAL, "mmap"};
  if (static_cast<size_t>(status.st_size) < bytes && ftruncate(fd, static_cast<off_t>(bytes)) < 0) {
    return {errno, "ftruncate"};
  }
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return {errno, "mmap"};
  *out = at;
  return {};
}

}  // namespace

Failure createEventFd(int *out) {
  *out = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return *out < 0 ? Failure{errno, "eventfd"} : Failure{};
}

Failure wake(int fd) {
  const uint64_t once = 1;
  if (write(fd, &once, sizeof once) < 0 && errno != EAGAIN) return {errno, "write"};
  return {};
}

Failure closeFd(int fd) { return close(fd) < 0 ? Failure{errno, "close"} : Failure{}; }

Failure mapFile(const std::string &path, size_t bytes, void **out) {
  if (bytes == 0) return {EINVAL, "mmap"};
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
  if (fd < 0) return {errno, "open"};
  const Failure failure = mapOpenFile(fd, bytes, out);
  close(fd);
  return failure;
}

void unmapFile(void *at, size_t bytes) { munmap(at, bytes); }

Failure lockFile(const std::string &path, int *out) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
  if (fd < 0) return {errno, "open"};
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    const Failure failure{errno, "flock"};
    close(fd);
    return failure;
  }
  *out = fd;
  return {};
}

Failure notify(const std::string &socketName, const std::string &state) {
  sockaddr_un address{};
  if (socketName.empty() || socketName.size() >= sizeof address.sun_path) return {EINVAL, "sendto"};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, socketName.data(), socketName.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, "socket"};
  const socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socketName.size());
  const ssize_t sent =
      sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr *>(&address), length);
  const Failure failure = sent < 0 ? Failure{errno, "sendto"} : Failure{};
  close(fd);
  return failure;
}

Failure messagePair(int out[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out) < 0) return {errno, "socketpair"};
  return {};
}
