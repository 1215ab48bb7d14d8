// See uring_ring.h.
#include "uring_ring.h"

#ifdef OTTLA_HAS_IO_URING

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../base/assert.h"
#include "posix_files.h"

namespace ottla {

namespace {

constexpr uint32_t kFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                            IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED |
                            IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
// Timeouts as arguments, submissions that are read when they are submitted, completions that are
// kept when the ring is full, success that tells nothing: all older than DEFER_TASKRUN.
constexpr uint32_t kFeatures = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_EXT_ARG |
                               IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_NODROP |
                               IORING_FEAT_CQE_SKIP;

long do_register(int ring, unsigned what, void* argument, unsigned count) {
  return ::syscall(__NR_io_uring_register, ring, what, argument, count);
}

}  // namespace

UringRing::Memory::~Memory() {
  if (data != nullptr) ::munmap(data, bytes);
}

Status UringRing::Memory::take(size_t with_bytes, int flags, int descriptor, uint64_t offset) {
  void* mapped = ::mmap(nullptr, with_bytes, PROT_READ | PROT_WRITE, flags, descriptor,
                        static_cast<off_t>(offset));
  if (mapped == MAP_FAILED) return posix::failure("mmap of io_uring");
  data = static_cast<uint8_t*>(mapped);
  bytes = with_bytes;
  return Status::good();
}

Status UringRing::open(const UringSizes& sizes, std::unique_ptr<UringRing>* ring) {
  std::unique_ptr<UringRing> opened(new UringRing(sizes));
  OTTLA_TRY(opened->set_up());
  *ring = std::move(opened);
  return Status::good();
}

UringRing::~UringRing() {
  if (descriptor_ < 0) return;
  // A thread that has ended let go of it itself; another's list is not to be touched.
  if (enter_flags_ != 0 && owner_ == std::this_thread::get_id()) {
    io_uring_rsrc_update registered = {};
    registered.offset = static_cast<uint32_t>(enter_descriptor_);
    (void)do_register(descriptor_, IORING_UNREGISTER_RING_FDS, &registered, 1);
  }
  ::close(descriptor_);
}

Status UringRing::set_up() {
  io_uring_params params = {};
  params.flags = kFlags;
  params.cq_entries = sizes_.completions;
  descriptor_ = static_cast<int>(::syscall(__NR_io_uring_setup, sizes_.submissions, &params));
  if (descriptor_ < 0) return posix::failure("io_uring_setup");
  if ((params.features & kFeatures) != kFeatures) {
    return Status::fail(Code::kInvalid, "io_uring_setup", EOPNOTSUPP);
  }
  enter_descriptor_ = descriptor_;
  OTTLA_TRY(map(params));
  return lend_buffers();
}

Status UringRing::map(const io_uring_params& params) {
  const size_t bytes = std::max(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                                params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  OTTLA_TRY(rings_.take(bytes, MAP_SHARED | MAP_POPULATE, descriptor_, IORING_OFF_SQ_RING));
  OTTLA_TRY(entries_.take(params.sq_entries * sizeof(io_uring_sqe), MAP_SHARED | MAP_POPULATE,
                          descriptor_, IORING_OFF_SQES));
  auto word = [this](uint32_t offset) { return reinterpret_cast<uint32_t*>(rings_.data + offset); };
  submissions_ = reinterpret_cast<io_uring_sqe*>(entries_.data);
  sq_size_ = params.sq_entries;
  sq_mask_ = *word(params.sq_off.ring_mask);
  sq_head_shared_ = word(params.sq_off.head);
  sq_tail_shared_ = word(params.sq_off.tail);
  sq_flags_ = word(params.sq_off.flags);
  for (uint32_t i = 0; i < sq_size_; i += 1) word(params.sq_off.array)[i] = i;
  completions_ = reinterpret_cast<const io_uring_cqe*>(rings_.data + params.cq_off.cqes);
  cq_mask_ = *word(params.cq_off.ring_mask);
  cq_head_shared_ = word(params.cq_off.head);
  cq_tail_ = word(params.cq_off.tail);
  return Status::good();
}

// The memory of the ring and its buffers is touched as they are first used.
Status UringRing::lend_buffers() {
  constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  OTTLA_TRY(buffer_ring_.take(sizes_.buffers * sizeof(io_uring_buf), kAnonymous, -1, 0));
  OTTLA_TRY(buffer_pages_.take(size_t{sizes_.buffers} * sizes_.buffer_bytes, kAnonymous, -1, 0));
  buffer_memory_ = buffer_pages_.data;
  io_uring_buf_reg lent = {};
  lent.ring_addr = reinterpret_cast<uint64_t>(buffer_ring_.data);
  lent.ring_entries = sizes_.buffers;
  lent.bgid = kBufferGroup;
  if (do_register(descriptor_, IORING_REGISTER_PBUF_RING, &lent, 1) < 0) {
    return posix::failure("io_uring_register");
  }
  for (uint32_t id = 0; id < sizes_.buffers; id += 1) give_back(static_cast<uint16_t>(id));
  return Status::good();
}

Status UringRing::enable() {
  if (do_register(descriptor_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0) {
    return posix::failure("io_uring_register");
  }
  owner_ = std::this_thread::get_id();
  // The ring's own descriptor, registered: no look-up of it in each enter(). Its list is short; who
  // finds it full does without.
  io_uring_rsrc_update registered = {};
  registered.offset = ~uint32_t{0};
  registered.data = static_cast<uint64_t>(descriptor_);
  if (do_register(descriptor_, IORING_REGISTER_RING_FDS, &registered, 1) == 1) {
    enter_descriptor_ = static_cast<int>(registered.offset);
    enter_flags_ = IORING_ENTER_REGISTERED_RING;
  }
  return Status::good();
}

io_uring_sqe* UringRing::prepare() {
  if (sq_tail_ - load(sq_head_shared_) == sq_size_) {
    store(sq_tail_shared_, sq_tail_);
    (void)::syscall(__NR_io_uring_enter, enter_descriptor_, sq_size_, 0, enter_flags_, nullptr, 0);
    if (sq_tail_ - load(sq_head_shared_) == sq_size_) return nullptr;
  }
  io_uring_sqe* entry = &submissions_[sq_tail_ & sq_mask_];
  std::memset(entry, 0, sizeof *entry);
  sq_tail_ += 1;
  return entry;
}

void UringRing::enter(int64_t timeout_us) {
  const int error = try_enter(timeout_us);
  OTTLA_ASSERT(error == 0 || error == EINTR || error == ETIME || error == EAGAIN ||
                   error == EBUSY || error == EEXIST,
               "io_uring is entered");
}

int UringRing::try_enter(int64_t timeout_us) {
  store(sq_tail_shared_, sq_tail_);
  const uint32_t prepared = sq_tail_ - load(sq_head_shared_);
  uint32_t flags = IORING_ENTER_GETEVENTS | enter_flags_;
  io_uring_getevents_arg limit = {};
  __kernel_timespec timeout = {};
  const bool has_limit = timeout_us > 0;
  if (has_limit) {
    timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
    limit.ts = reinterpret_cast<uint64_t>(&timeout);
    flags |= IORING_ENTER_EXT_ARG;
  }
  const long result =
      ::syscall(__NR_io_uring_enter, enter_descriptor_, prepared, timeout_us == 0 ? 0 : 1, flags,
                has_limit ? &limit : nullptr, has_limit ? sizeof limit : 0);
  return result < 0 ? errno : 0;
}

void UringRing::give_back(uint16_t id) {
  // The ring's tail lies in what is left over of its first entry.
  auto* entries = reinterpret_cast<io_uring_buf*>(buffer_ring_.data);
  io_uring_buf& entry = entries[buffer_tail_ & (sizes_.buffers - 1)];
  entry.addr = reinterpret_cast<uint64_t>(buffer(id));
  entry.len = sizes_.buffer_bytes;
  entry.bid = id;
  buffer_tail_ += 1;
  __atomic_store_n(&entries[0].resv, buffer_tail_, __ATOMIC_RELEASE);
}

}  // namespace ottla

#endif
