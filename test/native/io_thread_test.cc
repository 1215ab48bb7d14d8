// What the kernel makes of io/thread.h, as it says itself.
#include "../../native/io/thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "test.h"

using namespace ottla;

namespace {

struct Seen {
  std::string name;
  int niceness = -1;
  uint64_t slice_ns = 0;  // 0: the usual one
};

Seen look() {
  Seen seen;
  const long self = ::syscall(SYS_gettid);
  std::ifstream("/proc/self/task/" + std::to_string(self) + "/comm") >> seen.name;
  seen.niceness = ::getpriority(PRIO_PROCESS, static_cast<id_t>(self));
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
  } attributes = {};
  CHECK_EQ(::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0), 0);
  seen.slice_ns = attributes.runtime_ns;
  return seen;
}

bool knows_slices() {
  utsname system;
  int major = 0, minor = 0;
  CHECK_EQ(::uname(&system), 0);
  CHECK_EQ(std::sscanf(system.release, "%d.%d", &major, &minor), 2);
  return major > 6 || (major == 6 && minor >= 12);
}

}  // namespace

TEST("thread: a short slice is its own, and not that of threads it starts") {
  const Seen before = look();
  Seen parent, child;
  std::thread([&] {
    name_thread("a-name-that-is-far-too-long");
    ask_for_short_slices();
    parent = look();
    std::thread([&] { child = look(); }).join();
  }).join();
  CHECK_EQ(parent.name, "a-name-that-is-");
  CHECK_EQ(parent.niceness, before.niceness);
  if (knows_slices()) {
    CHECK_EQ(parent.slice_ns, uint64_t{100'000});
    CHECK_EQ(child.slice_ns, before.slice_ns);
  }
}

TEST("thread: who yields is nicer, and only that thread") {
  const Seen before = look();
  Seen yielding;
  std::thread([&] {
    yield_to_others();
    yielding = look();
  }).join();
  CHECK_EQ(yielding.niceness, std::max(before.niceness, 10));
  CHECK_EQ(look().niceness, before.niceness);
}

RUN_TESTS()
