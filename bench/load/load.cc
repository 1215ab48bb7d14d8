// The load generator: one thread that keeps to its schedule and tells what became of every record.
//
// Open loop (--rate): batch g is due at start + g * interval whether or not earlier ones were
// answered; every latency counts from there, so that a stall is seen by all that were due in it (no
// coordinated omission). Closed loop
// (--rate 0): as many requests in flight as allowed, for peak rates; with one in flight it had
// better spin (--spin-closed), or half of every round trip is our own waking up. Everything
// acknowledged is read back by every group in order, exactly once, or the run is void.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "consumer.h"
#include "producer.h"
#include "report.h"

namespace ottla::load {
namespace {

constexpr int kEventsMax = 256;
constexpr int64_t kStartInNs = 20'000'000;
constexpr int64_t kIdleWaitNs = 10'000'000;
constexpr uint32_t kConsumerBit = 1u << 31;

// Stolen and all ticks of the machine so far.
void read_steal(double* stolen, double* all) {
  double t[8] = {};
  std::FILE* file = std::fopen("/proc/stat", "r");
  if (file == nullptr) return;
  const int read = std::fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3,
                               t + 4, t + 5, t + 6, t + 7);
  std::fclose(file);
  *stolen = read == 8 ? t[7] : 0;
  *all = t[0] + t[1] + t[2] + t[3] + t[4] + t[5] + t[6] + t[7];
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

class Load {
 public:
  explicit Load(Run& run) : run_(run) {}

  bool open(Bootstrap& bootstrap, std::string* problem);
  void go();
  const Health& health() const { return health_; }

 private:
  bool open_idle(std::string* problem);
  bool watch(int fd, uint32_t who);
  void plan();
  bool issue(int64_t now);
  bool handle(const epoll_event& event);
  void watch_writes(int fd, uint32_t who, bool unsent);
  bool is_over(int64_t now);
  int wait(int64_t now, epoll_event* events);

  Run& run_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::vector<uint8_t> waits_to_write_;
  int64_t next_batch_ = 0;
  bool may_send_ = false;
  Health health_;
};

bool Load::open_idle(std::string* problem) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<uint8_t> request, response;
  begin_frame(&request, gen::kApiVersionsKey, 0, 0);
  end_frame(&request);
  for (int i = 0; i < run_.options.idle_connections; ++i) {
    idle_.push_back(std::make_unique<Connection>());
    if (!idle_.back()->open(run_.cluster.host, run_.cluster.port, true, problem)) return false;
    if (!idle_.back()->ask(request, &response, problem)) return false;
  }
  return true;
}

bool Load::watch(int fd, uint32_t who) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = who;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool Load::open(Bootstrap& bootstrap, std::string* problem) {
  const Options& options = run_.options;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (!open_idle(problem)) return false;
  run_.streams = std::max(run_.cluster.partitions, options.connections);
  if (options.codec != Codec::kNone && options.groups > 0 &&
      (run_.streams != run_.cluster.partitions || options.first_stream > 0)) {
    *problem =
        "compressed batches are told apart by partition: one stream each, and from the first";
    return false;
  }
  if (options.request_batches > 1 &&
      (run_.streams != run_.cluster.partitions ||
       run_.own_streams(options.connections - 1) < options.request_batches)) {
    *problem = "--request-batches: every connection needs as many partitions of its own";
    return false;
  }
  run_.next_batch.assign(static_cast<size_t>(run_.streams), 0);
  for (int i = 0; options.produce && i < options.connections; ++i) {
    ProducerId id;
    if (options.idempotent && !bootstrap.init_producer_id(&id, problem)) return false;
    producers_.push_back(std::make_unique<Producer>(run_, i));
    if (!producers_.back()->open(id, problem)) return false;
    watch(producers_.back()->fd(), static_cast<uint32_t>(i));
  }
  run_.groups.resize(static_cast<size_t>(options.groups));
  std::vector<int64_t> offsets;
  if (options.groups > 0 &&
      !bootstrap.list_offsets(run_.cluster, options.from_earliest, &offsets, problem)) {
    return false;
  }
  for (Group& group : run_.groups) {
    for (int member = 0; member < options.group_connections; ++member) {
      consumers_.push_back(std::make_unique<Consumer>(run_, group, member, offsets));
      if (!consumers_.back()->open(problem)) return false;
      watch(consumers_.back()->fd(), kConsumerBit | static_cast<uint32_t>(consumers_.size() - 1));
    }
  }
  waits_to_write_.assign(producers_.size(), 0);
  return true;
}

// The first batch is due a moment after the consumers' first fetches are out.
void Load::plan() {
  const Options& o = run_.options;
  run_.start_ns = now_ns() + kStartInNs;
  run_.epoch_ms = wall_clock_ms();
  run_.window_begin_ns = run_.start_ns + static_cast<int64_t>(o.warmup * 1e9);
  run_.window_end_ns = run_.window_begin_ns + static_cast<int64_t>(o.seconds * 1e9);
  const double records = o.batch_records;
  if (o.rate > 0) {
    run_.batch_interval_ns = records / o.rate * 1e9;
    run_.batches_max = static_cast<int64_t>((o.warmup + o.seconds) * o.rate / records);
  }
  if (o.count > 0) {  // by number, not by time: the window ends with the last
    run_.batches_max = (o.count + o.batch_records - 1) / o.batch_records;
    run_.window_begin_ns = run_.start_ns;
    run_.window_end_ns = INT64_MAX;
  }
  // Whole requests.
  if (run_.batches_max != INT64_MAX) {
    run_.batches_max += o.request_batches - 1;
    run_.batches_max -= run_.batches_max % o.request_batches;
  }
}

// True when something was sent.
bool Load::issue(int64_t now) {
  if (producers_.empty() || now < run_.start_ns) return false;
  if (!run_.is_open_loop()) {
    may_send_ = now < run_.window_end_ns && run_.sent / run_.batch.records() < run_.batches_max;
    if (run_.sent > 0) return false;  // from now on answers drive it
    for (const auto& producer : producers_) {
      if (!producer->pump(true)) health_.connection_lost = true;
    }
    return true;
  }
  bool worked = false;
  const int64_t batches = run_.options.request_batches;
  for (; next_batch_ < run_.batches_max && run_.due_ns(next_batch_) <= now;
       next_batch_ += batches) {
    const int64_t due = run_.due_ns(next_batch_);
    const auto at = static_cast<uint32_t>(run_.connection_of(next_batch_ / batches));
    Producer& producer = *producers_[at];
    if (run_.is_measured(due)) run_.lag.record((now - due) / 1000);
    producer.add_due(due);
    if (!producer.pump(false)) health_.connection_lost = true;
    run_.backlog_max = std::max(run_.backlog_max, static_cast<int64_t>(producer.waiting()));
    watch_writes(producer.fd(), at, producer.has_unsent());
    worked = true;
  }
  return worked;
}

void Load::watch_writes(int fd, uint32_t who, bool unsent) {
  if (waits_to_write_[who] == static_cast<uint8_t>(unsent)) return;
  waits_to_write_[who] = static_cast<uint8_t>(unsent);
  epoll_event event{};
  event.events = EPOLLIN | (unsent ? EPOLLOUT : 0u);
  event.data.u32 = who;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

bool Load::handle(const epoll_event& event) {
  const uint32_t who = event.data.u32;
  if ((who & kConsumerBit) != 0) {
    Consumer& consumer = *consumers_[who & ~kConsumerBit];
    return consumer.on_readable() && (!consumer.has_unsent() || consumer.flush());
  }
  Producer& producer = *producers_[who];
  if ((event.events & ~EPOLLOUT) != 0 && !producer.on_readable()) return false;
  if (!producer.pump(may_send_)) return false;
  watch_writes(producer.fd(), who, producer.has_unsent());
  return true;
}

bool Load::is_over(int64_t now) {
  const Options& o = run_.options;
  const auto has_read = [&](int64_t records) {
    return std::all_of(run_.groups.begin(), run_.groups.end(),
                       [&](const Group& group) { return group.records >= records; });
  };
  if (!o.produce) {
    health_.finished = has_read(o.count);
  } else if (run_.is_open_loop() || o.count > 0) {
    const bool all_sent = run_.sent / run_.batch.records() >= run_.batches_max;
    health_.finished = all_sent && run_.acked + run_.failed == run_.sent && has_read(run_.acked);
  } else {
    health_.finished =
        now >= run_.window_end_ns && run_.acked + run_.failed == run_.sent && has_read(run_.acked);
  }
  const double limit = o.warmup + o.seconds + o.drain;
  return health_.finished || now > run_.start_ns + static_cast<int64_t>(limit * 1e9);
}

int Load::wait(int64_t now, epoll_event* events) {
  if (run_.spins()) return epoll_wait(epoll_, events, kEventsMax, 0);
  int64_t sleep_ns = kIdleWaitNs;
  if (now < run_.start_ns) sleep_ns = std::min(sleep_ns, run_.start_ns - now);
  if (run_.is_open_loop() && next_batch_ < run_.batches_max) {
    sleep_ns = std::clamp<int64_t>(run_.due_ns(next_batch_) - now, 0, sleep_ns);
  }
  const timespec time{0, static_cast<long>(sleep_ns)};
  return epoll_pwait2(epoll_, events, kEventsMax, &time, nullptr);
}

void Load::go() {
  double stolen = 0, ticks = 0, stolen_after = 0, ticks_after = 0;
  read_steal(&stolen, &ticks);
  const double cpu_before = cpu_seconds();
  plan();
  for (const auto& consumer : consumers_) {
    if (!consumer->fetch()) health_.connection_lost = true;
  }
  epoll_event events[kEventsMax];
  int64_t busy_ns = 0;
  const int64_t began = now_ns();
  int64_t last = began;
  while (!health_.connection_lost) {
    const int64_t now = now_ns();
    health_.clock_went_back = health_.clock_went_back || now < last;
    health_.longest_gap_us = std::max(health_.longest_gap_us, (now - last) / 1000);
    if (is_over(now)) break;
    const bool sent = issue(now);
    if (sent) busy_ns += now_ns() - now;
    const int ready = wait(now_ns(), events);
    last = now_ns();
    for (int i = 0; i < ready; ++i) {
      if (!handle(events[i])) health_.connection_lost = true;
    }
    if (ready > 0) busy_ns += now_ns() - last;
  }
  const int64_t ended = now_ns();
  run_.window_end_ns = std::min(run_.window_end_ns, ended);
  health_.wall_seconds = static_cast<double>(ended - began) / 1e9;
  health_.busy_share = static_cast<double>(busy_ns) / static_cast<double>(ended - began);
  health_.cpu_seconds = cpu_seconds() - cpu_before;
  read_steal(&stolen_after, &ticks_after);
  if (ticks_after > ticks) health_.steal_share = (stolen_after - stolen) / (ticks_after - ticks);
}

int run(const Options& options) {
  std::string problem;
  Cluster cluster;
  Bootstrap bootstrap;
  if (!bootstrap.open(options, &cluster, &problem)) {
    std::fprintf(stderr, "load: %s\n", problem.c_str());
    return 1;
  }
  const BatchTemplate batch(
      {options.batch_records, options.message_bytes, options.key_bytes, options.codec});
  Run state(options, cluster, batch);
  Load load(state);
  if (!load.open(bootstrap, &problem)) {
    std::fprintf(stderr, "load: %s\n", problem.c_str());
    return 1;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  load.go();
  return report(state, load.health()) ? 0 : 3;
}

}  // namespace
}  // namespace ottla::load

int main(int argc, char** argv) {
  ottla::load::Options options;
  std::string problem;
  if (!ottla::load::parse_options(argc, argv, &options, &problem)) {
    std::fprintf(stderr, "load: %s\n%s", problem.c_str(), ottla::load::usage());
    return 2;
  }
  return ottla::load::run(options);
}
