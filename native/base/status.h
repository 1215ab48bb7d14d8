// What the world answered: success, or which call failed and why. Never thrown, never ignored.
// `code` is coarse (what a caller branches on), `error` is errno, `where` a static string.
#pragma once

#include <cstdint>

namespace ottla {

enum class Code : uint8_t {
  kOk = 0,
  kNotFound,    // no such file
  kExists,      // already there
  kNoSpace,     // ENOSPC, EDQUOT
  kIo,          // EIO and everything unexpected from a device
  kCorrupt,     // bytes do not add up (CRC, length, magic)
  kInvalid,     // the caller's arguments
  kWouldBlock,  // EAGAIN on a socket
  kClosed,      // peer is gone
  kTooLarge,    // over a limit
  kOutOfRange,  // offset outside the log
  kBusy,        // try again later: a mailbox or table is full
};

struct [[nodiscard]] Status {
  Code code = Code::kOk;
  int error = 0;
  const char* where = "";

  bool ok() const { return code == Code::kOk; }
  static Status good() { return {}; }
  static Status fail(Code code, const char* where, int error = 0) { return {code, error, where}; }
};

}  // namespace ottla

// Returns early with the first failure. The name is one that no expression has: a member called the
// same would be read before it is set.
#define OTTLA_TRY(expression)                                                           \
  do {                                                                                  \
    if (::ottla::Status ottla_try_ = (expression); !ottla_try_.ok()) return ottla_try_; \
  } while (0)
