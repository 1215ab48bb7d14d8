// What is not in memory must come from a disk, and a reactor has no time for that: it finds out
// (Impatient, ready_bytes), lends the read to a helper (ColdWork, partition/host.h), and does what
// it wanted once the page cache has it. Kafka has no such thing: its network threads wait in
// sendfile.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "io.h"

namespace ottla {

// While it lives, reads through `io` do not wait; `missing` says what the first one lacked.
class Impatient {
 public:
  Impatient(Io& io, ColdRead* missing) : io_(io) { io_.refuse_to_wait(missing); }
  ~Impatient() { io_.refuse_to_wait(nullptr); }
  Impatient(const Impatient&) = delete;
  Impatient& operator=(const Impatient&) = delete;

 private:
  Io& io_;
};

// Waits until a range is in memory, asks for `ahead` bytes behind it, and closes the descriptor.
// What is beyond the file's end is found out by whoever reads it next.
inline Status read_cold(Io& io, const ColdRead& cold, int64_t ahead) {
  constexpr int64_t kPieceBytes = 128 << 10;
  std::vector<uint8_t> piece(static_cast<size_t>(std::min(cold.bytes, kPieceBytes)));
  io.prefetch(cold.file, cold.position, cold.bytes + ahead);
  Status status;
  size_t got = 1;
  for (int64_t done = 0; done < cold.bytes && got > 0; done += static_cast<int64_t>(got)) {
    const auto wanted = static_cast<size_t>(std::min(cold.bytes - done, kPieceBytes));
    status = io.read(cold.file, piece.data(), wanted, cold.position + done, &got);
    if (!status.ok()) break;
  }
  (void)io.close(cold.file);
  return status;
}

}  // namespace ottla
