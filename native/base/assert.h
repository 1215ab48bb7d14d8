// Assertions that stay on in production. A failed one prints the expression, its place and a note,
// then aborts: replication exists so that we may stop. (DESIGN §9, bugs.)
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ottla {

[[noreturn]] inline void assertion_failed(const char* expression, const char* file, int line,
                                          const char* note) {
  std::fprintf(stderr, "ottla: assertion failed: %s at %s:%d%s%s\n", expression, file, line,
               note[0] ? ": " : "", note);
  std::fflush(stderr);
  std::abort();
}

}  // namespace ottla

// OTTLA_ASSERT(condition, "what it means")
#define OTTLA_ASSERT(condition, note) \
  ((condition) ? (void)0 : ::ottla::assertion_failed(#condition, __FILE__, __LINE__, note))
