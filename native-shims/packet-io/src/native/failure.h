#pragma once

/** Outcome of a system call: `code` is a positive errno, 0 for success; `call` names what failed. */
struct Failure {
  int code = 0;
  const char *call = "";
  explicit operator bool() const { return code != 0; }
};
