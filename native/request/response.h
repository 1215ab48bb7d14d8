// A response: a chain of fragments, handed to a Transport. Memory fragments are owned by the
// response's own recycled buffer; file fragments hold their segment. (DESIGN decision 5: one
// response, many transports.)
#pragma once

#include <cstdint>
#include <vector>

#include "../log/log.h"

namespace ottla {

// Reused from request to request: clear() keeps capacity, so the steady state allocates nothing.
class Response {
 public:
  struct Fragment {
    uint32_t memory_begin = 0;  // into memory(), when slice is empty
    uint32_t memory_bytes = 0;
    ReadSlice slice;
  };

  // The header and body bytes so far, without the length.
  std::vector<uint8_t>& memory() { return memory_; }
  // Ends the current memory run (if any) and adds a file run behind it.
  void add_slice(ReadSlice slice);
  void finish();  // closes the last run and puts the frame length in front
  const std::vector<Fragment>& fragments() const { return fragments_; }
  std::vector<Fragment>& fragments() { return fragments_; }
  int64_t bytes() const { return bytes_; }  // of the whole frame
  void clear();

 private:
  void close_run();

  std::vector<uint8_t> memory_;
  std::vector<Fragment> fragments_;
  uint32_t run_begin_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace ottla
