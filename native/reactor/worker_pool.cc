// See worker_pool.h.
#include "worker_pool.h"

#include <algorithm>

#include "../base/assert.h"
#include "../io/thread.h"

namespace ottla {

void WorkerPool::submit(Io& io, Work work, Finish finish) {
  if (threads_max_ == 0) {
    work(io);
    if (finish) finish(Status::good());
    return;
  }
  std::lock_guard<std::mutex> lock(lock_);
  if (is_stopped_) return;
  jobs_.push_back({std::move(work), std::move(finish)});
  if (jobs_.size() > idle_ && threads_.size() < static_cast<size_t>(threads_max_)) {
    threads_.emplace_back([this] { run(); });
  }
  wake_.notify_one();
}

void WorkerPool::run() {
  name_thread("helper");
  if (pace_ == Pace::kYields) yield_to_others();
  const std::unique_ptr<Io> io = make_io_();
  OTTLA_ASSERT(io != nullptr, "descriptors for a worker thread");
  std::unique_lock<std::mutex> lock(lock_);
  for (;;) {
    idle_ += 1;
    wake_.wait(lock, [this] { return is_stopped_ || !jobs_.empty(); });
    idle_ -= 1;
    if (is_stopped_) return;
    std::vector<Job> batch;
    for (size_t left = batch_size(); left > 0; left -= 1) {
      batch.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
    const auto begun = begun_us_.insert(io->now_us());
    lock.unlock();
    run_batch(*io, batch);
    batch.clear();
    lock.lock();
    begun_us_.erase(begun);
  }
}

// Others get their share of what waits.
size_t WorkerPool::batch_size() const {
  if (disk_ == nullptr || jobs_.size() < many_ || !disk_->can_sync()) return 1;
  return std::clamp<size_t>(jobs_.size() / static_cast<size_t>(threads_max_), 1, kBatchMax);
}

void WorkerPool::run_batch(Io& io, std::vector<Job>& batch) {
  if (batch.size() > 1) io.defer_syncs();
  for (const Job& job : batch) job.work(io);
  Status status;
  if (batch.size() > 1) status = io.catch_up([&] { return disk_->sync(io); });
  for (const Job& job : batch) {
    if (job.finish) job.finish(status);
  }
}

bool WorkerPool::is_stuck_since(int64_t us) const {
  std::lock_guard<std::mutex> lock(lock_);
  return !begun_us_.empty() && *begun_us_.begin() <= us;
}

void WorkerPool::stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard<std::mutex> lock(lock_);
    is_stopped_ = true;
    jobs_.clear();
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace ottla
