#include "system_linux.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace tuntap {
namespace {

struct Errand {
  const std::string& netns;
  const std::function<Failure()>& work;
  Failure failure;
};

Failure enterAndWork(const Errand& errand) {
  const Descriptor netns(open(errand.netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (netns.get() < 0) return failed("open", errand.netns);
  if (setns(netns.get(), CLONE_NEWNET) < 0) return failed("setns", errand.netns);
  return errand.work();
}

void* run(void* argument) {
  auto* errand = static_cast<Errand*>(argument);
  errand->failure = enterAndWork(*errand);
  return nullptr;
}

}  // namespace

Failure failed(const char* call, const std::string& subject) {
  return {errno, call, subject};
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

int Descriptor::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Failure inNamespace(const std::string& netns, const std::function<Failure()>& work) {
  if (netns.empty()) return work();

  // The thread inherits this mask: no signal of Node's may run on it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Errand errand{netns, work, {}};
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, run, &errand);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) return {error, "pthread_create"};
  pthread_join(thread, nullptr);
  return errand.failure;
}

Failure closeDescriptor(int fd) {
  return close(fd) < 0 ? failed("close") : Failure{};
}

Failure duplicateDescriptor(int fd, int* copy) {
  *copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return *copy < 0 ? failed("F_DUPFD_CLOEXEC") : Failure{};
}

ssize_t readFrame(int fd, void* to, size_t length) {
  const ssize_t bytes = read(fd, to, length);
  return bytes < 0 ? -errno : bytes;
}

ssize_t writeFrame(int fd, const void* from, size_t length) {
  const ssize_t bytes = write(fd, from, length);
  return bytes < 0 ? -errno : bytes;
}

}  // namespace tuntap
