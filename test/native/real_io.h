// Which backend the tests of a real kernel run on: epoll, or what OTTLA_TEST_IO names. ctest runs
// the programs that say RUN_TESTS_ON_EACH_IO twice (CMakeLists.txt); where io_uring is forbidden
// the second run is skipped, and says so.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "../../native/io/epoll.h"
#include "../../native/io/uring.h"
#include "test.h"

namespace ottla::test {

inline bool is_on_uring() {
  const char* asked = std::getenv("OTTLA_TEST_IO");
  return asked != nullptr && std::strcmp(asked, "io_uring") == 0;
}

inline std::unique_ptr<Io> make_uring(const UringOptions& options = {}) {
  std::unique_ptr<Io> io;
  CHECK_OK(make_uring_io(options, &io));
  return io;
}

inline std::unique_ptr<Io> make_real_io(const PosixOptions& options = {}) {
  if (!is_on_uring()) return make_epoll_io(options);
  UringOptions uring;
  static_cast<PosixOptions&>(uring) = options;
  return make_uring(uring);
}

constexpr int64_t kPatienceUs = 10'000'000;

// Polls until `tag` is reported.
inline Event wait_for(Io* io, void* tag) {
  for (const int64_t until_us = io->now_us() + kPatienceUs; io->now_us() < until_us;) {
    Event events[16];
    const int count = io->poll(events, 16, kPatienceUs);
    for (int i = 0; i < count; i += 1) {
      if (events[i].tag == tag) return events[i];
    }
  }
  CHECK(!"an event in time");
  return {};
}

// The next `bytes` that come, waited for: less if the connection ends or nothing comes in time. Who
// has to wait for them finds the socket unwatched afterwards.
inline std::string receive_text(Io* io, Handle socket, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    char part[65536];
    size_t got = 0;
    const Status status =
        io->receive(socket, part, std::min(sizeof part, bytes - text.size()), &got);
    if (status.code == Code::kWouldBlock) {
      CHECK_OK(io->watch(socket, &text, true, false));
      const bool is_there = wait_for(io, &text).tag != nullptr;
      io->unwatch(socket);
      if (!is_there) return text;
      continue;
    }
    CHECK_OK(status);
    if (!status.ok()) return text;
    text.append(part, got);
  }
  return text;
}

constexpr int kSkipped = 77;

// Zero: go on.
inline int skip_without_uring(bool is_needed) {
  const Status status = is_needed ? probe_uring() : Status::good();
  if (status.ok()) return 0;
  std::printf("skipped: io_uring is not to be had here: %s: %s\n", status.where,
              std::strerror(status.error));
  return kSkipped;
}

}  // namespace ottla::test

#define RUN_TESTS_ON_EACH_IO()                                                           \
  int main(int argc, char** argv) {                                                      \
    const int skipped = ::ottla::test::skip_without_uring(::ottla::test::is_on_uring()); \
    return skipped != 0 ? skipped : ::ottla::test::run_all(argc, argv);                  \
  }
