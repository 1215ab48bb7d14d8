// See worker_pool.h.
#include "worker_pool.h"

#include "../base/assert.h"

namespace ottla {

void WorkerPool::submit(Io& io, Job job) {
  if (threads_max_ == 0) return job(io);
  std::lock_guard<std::mutex> lock(lock_);
  if (is_stopped_) return;
  jobs_.push_back(std::move(job));
  if (jobs_.size() > idle_ && threads_.size() < static_cast<size_t>(threads_max_)) {
    threads_.emplace_back([this] { run(); });
  }
  wake_.notify_one();
}

void WorkerPool::run() {
  const std::unique_ptr<Io> io = make_io_();
  OTTLA_ASSERT(io != nullptr, "descriptors for a worker thread");
  std::unique_lock<std::mutex> lock(lock_);
  for (;;) {
    idle_ += 1;
    wake_.wait(lock, [this] { return is_stopped_ || !jobs_.empty(); });
    idle_ -= 1;
    if (is_stopped_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(*io);
    lock.lock();
  }
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
