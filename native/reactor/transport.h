// Transport: how the fragments of a response reach a socket (DESIGN decision 5). Memory comes as a
// gathered run, file ranges one by one; each call may take only a part, and the connection resumes
// where it stopped. Plain sends files with sendfile; copy reads them into memory first, so that
// every Fetch test also runs on the path that TLS will take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "../io/io.h"
#include "../log/log.h"

namespace ottla {

class Transport {
 public:
  virtual ~Transport() = default;
  // File ranges up to this size are read and gathered with the memory around them: one call instead
  // of three, and cheaper than sendfile below some 16 KiB (PERFORMANCE §1).
  virtual int64_t gathered_bytes_max() const = 0;
  // `more`: a file range follows at once. kWouldBlock when the socket is full.
  virtual Status send_memory(Io& io, Handle socket, const iovec* iov, int count, bool more,
                             size_t* sent) = 0;
  // `bytes` from `skip` bytes into the slice. kCorrupt: the file has less than was promised.
  virtual Status send_slice(Io& io, Handle socket, const ReadSlice& slice, int64_t skip,
                            int64_t bytes, size_t* sent) = 0;
};

std::unique_ptr<Transport> make_plain_transport();
std::unique_ptr<Transport> make_copy_transport();

}  // namespace ottla
