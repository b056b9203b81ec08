#pragma once

#include <cstddef>
#include <string>

#include "failure.h"

/** A non-blocking eventfd. */
Failure createEventFd(int *out);
/** Makes an eventfd readable. One that is so already stays so. */
Failure wake(int fd);
Failure closeFd(int fd);

/** Maps the first `bytes` of a regular file, created with mode 0640 and grown as needed, shared with every other mapping. */
Failure mapFile(const std::string &path, size_t bytes, void **out);
void unmapFile(void *at, size_t bytes);

/** Takes the exclusive lock of a file, created as needed, for the life of the returned descriptor. EWOULDBLOCK: held elsewhere. */
Failure lockFile(const std::string &path, int *out);

/** Sends a systemd notification to a socket named as in NOTIFY_SOCKET: a path, or `@` and an abstract name. */
Failure notify(const std::string &socketName, const std::string &state);

/** Two connected descriptors that keep message boundaries: what a TAP and its interface are to each other. */
Failure messagePair(int out[2]);
