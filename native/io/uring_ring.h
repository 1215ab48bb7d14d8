// UringRing: the rings shared with the kernel, by plain system calls: submissions, completions, and
// the ring of buffers that receives fill (uring.cc says what for).
//
// Made with DEFER_TASKRUN and SINGLE_ISSUER: completions appear only while the one thread that
// enabled the ring is inside enter(), so that between two calls nothing moves. Needs Linux 6.1; a
// header older than that, and a system that forbids it, answer at open().
#pragma once

#include <sys/syscall.h>

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#if defined(IORING_SETUP_DEFER_TASKRUN) && defined(IORING_RECV_MULTISHOT) && \
    defined(__NR_io_uring_setup)
#define OTTLA_HAS_IO_URING 1
#endif

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "../base/status.h"
#include "uring.h"

namespace ottla {

#ifdef OTTLA_HAS_IO_URING

class UringRing {
 public:
  static constexpr uint16_t kBufferGroup = 0;

  // `where` of a failure is the call that was refused.
  static Status open(const UringSizes& sizes, std::unique_ptr<UringRing>* ring);
  ~UringRing();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  // Once, by the thread that uses it from then on.
  Status enable();

  // The next submission to fill, all zeros. Null: there is no room and the kernel takes none now.
  io_uring_sqe* prepare();
  // Submits what is prepared and runs what the kernel has put off; then waits for a completion, at
  // most `timeout_us` (<0: no limit, 0: not at all). A signal, a lack of memory, and a thread that
  // is not the ring's end it early.
  void enter(int64_t timeout_us);
  int try_enter(int64_t timeout_us);  // the same, but every errno is the caller's
  // Whether enter(0) would do anything.
  bool has_work() const {
    return has_prepared() || (load(sq_flags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }
  // Completions that found no room in the ring: they come with the next enter().
  bool is_overflown() const { return (load(sq_flags_) & IORING_SQ_CQ_OVERFLOW) != 0; }

  // Gives every completion that is here to `take`, which may prepare() no submission.
  template <typename Take>
  void reap(Take take) {
    for (uint32_t end = load(cq_tail_); cq_head_ != end; end = load(cq_tail_)) {
      for (; cq_head_ != end; cq_head_ += 1) take(completions_[cq_head_ & cq_mask_]);
      store(cq_head_shared_, cq_head_);
    }
  }

  uint32_t buffer_bytes() const { return sizes_.buffer_bytes; }
  uint32_t buffers() const { return sizes_.buffers; }
  const uint8_t* buffer(uint16_t id) const {
    return buffer_memory_ + size_t{id} * sizes_.buffer_bytes;
  }
  void give_back(uint16_t id);

 private:
  explicit UringRing(const UringSizes& sizes) : sizes_(sizes) {}
  Status set_up();
  Status map(const io_uring_params& params);
  Status lend_buffers();
  bool has_prepared() const { return sq_tail_ != load(sq_head_shared_); }

  static uint32_t load(const uint32_t* shared) { return __atomic_load_n(shared, __ATOMIC_ACQUIRE); }
  static void store(uint32_t* shared, uint32_t value) {
    __atomic_store_n(shared, value, __ATOMIC_RELEASE);
  }

  // A mapping, unmapped with it.
  struct Memory {
    ~Memory();
    Status take(size_t with_bytes, int flags, int descriptor, uint64_t offset);
    uint8_t* data = nullptr;
    size_t bytes = 0;
  };

  const UringSizes sizes_;
  int descriptor_ = -1;
  int enter_descriptor_ = -1;  // its index among the thread's registered rings, or itself
  uint32_t enter_flags_ = 0;
  std::thread::id owner_;
  Memory rings_, entries_, buffer_ring_, buffer_pages_;

  io_uring_sqe* submissions_ = nullptr;
  uint32_t sq_mask_ = 0, sq_size_ = 0, sq_tail_ = 0;
  const uint32_t* sq_head_shared_ = nullptr;
  uint32_t* sq_tail_shared_ = nullptr;
  const uint32_t* sq_flags_ = nullptr;

  const io_uring_cqe* completions_ = nullptr;
  uint32_t cq_mask_ = 0, cq_head_ = 0;
  uint32_t* cq_head_shared_ = nullptr;
  const uint32_t* cq_tail_ = nullptr;

  uint8_t* buffer_memory_ = nullptr;
  uint16_t buffer_tail_ = 0;
};

#endif

}  // namespace ottla
