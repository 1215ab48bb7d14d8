// WorkerPool: threads for what waits for files: opening a partition may take seconds, a sync
// milliseconds, and a reactor has neither to spare. Each thread has an Io of its own; jobs begin in
// the order they came. Not a hot path: one lock, one condition. Without threads (simulation) jobs
// run where they are submitted.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../io/io.h"

namespace ottla {

class WorkerPool {
 public:
  using Job = std::function<void(Io& io)>;

  // `make_io`: for each thread; threads start with the first job.
  WorkerPool(int threads, std::function<std::unique_ptr<Io>()> make_io)
      : threads_max_(threads), make_io_(std::move(make_io)) {}
  ~WorkerPool() { stop(); }

  // Any thread. `io` is the caller's, used when there are no threads.
  void submit(Io& io, Job job);
  // Jobs that run are finished, those that wait are dropped. Idempotent.
  void stop();

 private:
  void run();

  const int threads_max_;
  const std::function<std::unique_ptr<Io>()> make_io_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool is_stopped_ = false;
};

}  // namespace ottla
