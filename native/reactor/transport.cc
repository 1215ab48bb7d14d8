// See transport.h.
#include "transport.h"

#include <algorithm>
#include <vector>

namespace ottla {

namespace {

class PlainTransport final : public Transport {
 public:
  int64_t gathered_bytes_max() const override { return 16 * 1024; }

  Status send_memory(Io& io, Handle socket, const iovec* iov, int count, bool more,
                     size_t* sent) override {
    return io.send(socket, iov, count, more, sent);
  }

  Status send_slice(Io& io, Handle socket, const ReadSlice& slice, int64_t skip, int64_t bytes,
                    size_t* sent) override {
    Handle file = kNoHandle;
    OTTLA_TRY(slice.file(io, &file));
    const auto wanted = static_cast<size_t>(bytes);
    OTTLA_TRY(io.send_file(socket, file, slice.position() + skip, wanted, sent));
    return *sent > 0 ? Status::good() : Status::fail(Code::kCorrupt, "slice is shorter");
  }
};

class CopyTransport final : public Transport {
 public:
  CopyTransport() : scratch_(64 * 1024) {}
  int64_t gathered_bytes_max() const override { return 0; }  // each range by itself

  Status send_memory(Io& io, Handle socket, const iovec* iov, int count, bool more,
                     size_t* sent) override {
    return io.send(socket, iov, count, more, sent);
  }

  Status send_slice(Io& io, Handle socket, const ReadSlice& slice, int64_t skip, int64_t bytes,
                    size_t* sent) override {
    Handle file = kNoHandle;
    OTTLA_TRY(slice.file(io, &file));
    const size_t want = std::min<size_t>(scratch_.size(), static_cast<size_t>(bytes));
    size_t got = 0;
    OTTLA_TRY(io.read(file, scratch_.data(), want, slice.position() + skip, &got));
    if (got < want) return Status::fail(Code::kCorrupt, "slice is shorter");
    const iovec run{scratch_.data(), got};
    return io.send(socket, &run, 1, false, sent);
  }

 private:
  std::vector<uint8_t> scratch_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport() { return std::make_unique<PlainTransport>(); }
std::unique_ptr<Transport> make_copy_transport() { return std::make_unique<CopyTransport>(); }

}  // namespace ottla
