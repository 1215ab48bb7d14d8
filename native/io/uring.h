// The backend that asks by io_uring: multishot accepts and receives into buffers lent to the
// kernel, multishot polls for the rest. Files are as epoll's: pwritev and sendfile.
#pragma once

#include <cstdint>
#include <memory>

#include "posix_io.h"

namespace ottla {

struct UringSizes {
  uint32_t submissions = 256;
  uint32_t completions = 4096;
  uint32_t buffers = 512;  // a power of two, 32768 at most
  uint32_t buffer_bytes = 4096;
};

struct UringOptions : PosixOptions {
  UringSizes sizes;
};

// Any thread may make it; one thread then uses it. Fails where io_uring is not to be had: errno
// says why (ENOSYS, EPERM, EINVAL for a kernel before 6.1, EMFILE, ENOMEM), `where` which call.
Status make_uring_io(const UringOptions& options, std::unique_ptr<Io>* io);

// Whether one can be made and used here: every system call it needs is made once.
Status probe_uring();

}  // namespace ottla
