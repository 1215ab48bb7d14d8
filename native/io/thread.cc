// See thread.h.
#include "thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace ottla {

namespace {

constexpr uint64_t kSliceNs = 100'000;   // the least there is
constexpr uint64_t kResetOnFork = 0x01;  // SCHED_FLAG_RESET_ON_FORK
constexpr int kNiceness = 10;

// The kernel's struct sched_attr, as it was at first.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns;
  uint64_t deadline_ns;
  uint64_t period_ns;
};

}  // namespace

void name_thread(const char* name) {
  char shown[16];
  std::snprintf(shown, sizeof shown, "%s", name);
  (void)pthread_setname_np(pthread_self(), shown);
}

void ask_for_short_slices() {
  SchedulingAttributes attributes = {};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  attributes.size = sizeof attributes;
  attributes.flags |= kResetOnFork;
  attributes.runtime_ns = kSliceNs;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void yield_to_others() {
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));  // on Linux a thread's own
  const int niceness = ::getpriority(PRIO_PROCESS, self);
  if (niceness < kNiceness) (void)::setpriority(PRIO_PROCESS, self, kNiceness);
}

}  // namespace ottla
