#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>

// read(2) and write(2) as the kernel has them. Those of the C library are places where a thread can be cancelled, which costs 5 ns a
// call in a process of several threads.

inline ssize_t plainRead(int fd, void *to, size_t length) { return syscall(SYS_read, fd, to, length); }

inline ssize_t plainWrite(int fd, const void *from, size_t length) { return syscall(SYS_write, fd, from, length); }
