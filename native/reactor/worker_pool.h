// WorkerPool: threads for what waits for files: opening a partition may take seconds, a sync
// milliseconds, and a reactor has neither to spare. Each thread has an Io of its own; jobs begin in
// the order they came. Not a hot path: one lock, one condition. Without threads (simulation) jobs
// run where they are submitted.
//
// Of many that wait a thread takes a batch whose syncs are one (Io::defer_syncs): ten thousand logs
// that are closed one by one take half a minute. A job's `finish` comes when what it wrote is
// synced.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "disk.h"

namespace ottla {

class WorkerPool {
 public:
  using Work = std::function<void(Io& io)>;
  // Its status is bad when what the work wrote could not be synced.
  using Finish = std::function<void(const Status& status)>;

  // Whether reactors come first where there are too few cores for all.
  enum class Pace : uint8_t { kPrompt, kYields };

  // `make_io`: for each thread; threads start with the first job. `many`: jobs that wait from which
  // on they are taken in batches.
  WorkerPool(int threads, std::function<std::unique_ptr<Io>()> make_io, Pace pace,
             Disk* disk = nullptr, size_t many = 0)
      : threads_max_(threads),
        make_io_(std::move(make_io)),
        pace_(pace),
        disk_(disk),
        many_(many) {}
  ~WorkerPool() { stop(); }

  // Any thread. `io` is the caller's, used when there are no threads.
  void submit(Io& io, Work work, Finish finish = nullptr);
  // Whether a job runs since before then.
  bool is_stuck_since(int64_t us) const;
  // Jobs that run are finished, those that wait are dropped. Idempotent.
  void stop();

 private:
  struct Job {
    Work work;
    Finish finish;
  };
  static constexpr size_t kBatchMax = 512;

  void run();
  size_t batch_size() const;
  void run_batch(Io& io, std::vector<Job>& batch);

  const int threads_max_;
  const std::function<std::unique_ptr<Io>()> make_io_;
  const Pace pace_;
  Disk* const disk_;
  const size_t many_;
  mutable std::mutex lock_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  std::multiset<int64_t> begun_us_;  // of the batches that run
  size_t idle_ = 0;
  bool is_stopped_ = false;
};

}  // namespace ottla
