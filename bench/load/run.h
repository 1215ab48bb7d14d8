// What the parts of one run share: the schedule, the window that is measured, what was counted.
//
// Stream s of S is a part of partition s mod P on connection s mod C, S = max(P, C). In an open
// loop request g belongs to the connection of stream g mod S (or g mod C, when it has several
// batches), takes the next of that connection's streams for each of its batches, and is due at
// start + g * interval, whatever became of the requests before it. Latencies
// are taken from there; in a closed loop from when the batch was sent.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "batch.h"
#include "cluster.h"
#include "histogram.h"
#include "options.h"

namespace ottla::load {

struct Second {
  int64_t acked = 0;
  int64_t consumed = 0;
  int64_t ack_max_us = 0;
  int64_t end_to_end_max_us = 0;
};

// What one consumer group saw of every stream: each must come in order, exactly once.
struct Group {
  std::vector<uint64_t> expected;
  int64_t records = 0;  // of this run
  int64_t backlog = 0;  // of an earlier one
  int64_t missing = 0;
  int64_t duplicates = 0;
  int64_t corrupt = 0;
  Histogram end_to_end;

  void saw(size_t stream, uint64_t first, uint64_t count) {
    if (stream >= expected.size()) expected.resize(stream + 1, 0);
    uint64_t& next = expected[stream];
    if (first < next) duplicates += static_cast<int64_t>(count);
    if (first > next) missing += static_cast<int64_t>(first - next);
    if (first >= next) next = first + count;
  }
};

struct Run {
  Run(const Options& options, const Cluster& cluster, const BatchTemplate& batch)
      : options(options), cluster(cluster), batch(batch) {}

  const Options& options;
  const Cluster& cluster;
  const BatchTemplate& batch;

  int streams = 0;
  int64_t start_ns = 0;
  int64_t epoch_ms = 0;
  int64_t window_begin_ns = 0;
  int64_t window_end_ns = 0;
  double batch_interval_ns = 0;  // 0: closed loop
  int64_t batches_max = INT64_MAX;

  std::vector<uint64_t> next_batch;         // by stream
  int64_t sent = 0, acked = 0, failed = 0;  // records
  int64_t acked_in_window = 0, consumed_in_window = 0;
  int64_t backlog_max = 0;  // batches that were due and waited for a place in flight
  Histogram ack;
  Histogram lag;  // from the intended time until the generator looked at it
  std::vector<Group> groups;
  std::map<int, int64_t> errors;
  std::vector<Second> timeline;

  bool is_open_loop() const { return batch_interval_ns > 0; }
  bool spins() const { return is_open_loop() ? options.spin : options.spin_closed; }
  // The batches of one request are due with its first.
  int64_t due_ns(int64_t batch_number) const {
    const int64_t first = batch_number - batch_number % options.request_batches;
    return start_ns + static_cast<int64_t>(static_cast<double>(first) * batch_interval_ns);
  }
  int connection_of(int64_t request) const {
    const int64_t among = options.request_batches == 1 ? request % streams : request;
    return static_cast<int>(among % options.connections);
  }
  // How many streams a connection has.
  int own_streams(int connection) const {
    return (streams - connection + options.connections - 1) / options.connections;
  }
  int64_t request_records() const { return int64_t{batch.records()} * options.request_batches; }
  bool is_measured(int64_t ns) const { return ns >= window_begin_ns && ns < window_end_ns; }
  Second& second(int64_t ns) {
    const int64_t since = ns > start_ns ? ns - start_ns : 0;
    const auto at = static_cast<size_t>(since / 1'000'000'000);
    if (at >= timeline.size()) timeline.resize(at + 1);
    return timeline[at];
  }
};

}  // namespace ottla::load
