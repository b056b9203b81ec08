// What the system calls of this addon share: failures, descriptors, and work done inside a network namespace.
#pragma once

#include <functional>
#include <string>

namespace tuntap {

/** A failed system call: a positive errno, the call and what it was about; `error` 0 means success. */
struct Failure {
  int error = 0;
  const char* call = "";
  std::string subject = {};  // path or interface name
};

/** The failure errno tells of. */
Failure failed(const char* call, const std::string& subject = {});

/** Owns a descriptor until it is released. */
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

/**
 * Runs `work` inside the network namespace whose file is `netns`, or right here when `netns` is empty. A namespace is entered by a
 * thread that ends with the work, so no thread of Node ever changes its own.
 */
Failure inNamespace(const std::string& netns, const std::function<Failure()>& work);

Failure closeDescriptor(int fd);

/** A second descriptor of the same open file, closed on exec. */
Failure duplicateDescriptor(int fd, int* copy);

/** One read or write, so one frame: the number of bytes, or a negative errno. */
ssize_t readFrame(int fd, void* to, size_t length);
ssize_t writeFrame(int fd, const void* from, size_t length);

}  // namespace tuntap
