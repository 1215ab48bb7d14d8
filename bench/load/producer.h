// One producing connection: as many Produce requests in flight as its slots, each a frame encoded
// once and stamped when it is sent. Answers come in the order of the requests (Kafka: one request
// of a connection at a time).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "connection.h"
#include "run.h"

namespace ottla::load {

class Producer {
 public:
  Producer(Run& run, int index);

  bool open(ProducerId id, std::string* problem);
  int fd() const { return connection_.fd(); }
  bool has_unsent() const { return connection_.has_unsent(); }
  size_t waiting() const { return due_.size(); }
  bool is_idle() const { return due_.empty() && in_flight_.empty(); }

  // A request is due: it goes out when a slot is free.
  void add_due(int64_t due_ns) { due_.push_back(due_ns); }
  // Fills free slots with what is due or, in a closed loop, while `may_send`.
  bool pump(bool may_send);
  bool on_readable();

 private:
  struct Slot {
    ProduceFrame frame;
    int64_t due_ns = 0;
    int32_t correlation = 0;
    int64_t frame_number = 0;
  };

  void send(int64_t due_ns, int64_t now);
  void stamp(Slot& slot, const ProduceFrame::Part& part, int64_t now);
  void on_answer(Bytes frame, int64_t now);
  void finish(int error, int64_t now);
  bool flush();

  Run& run_;
  int index_;
  ProducerId id_;
  Connection connection_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
  std::deque<size_t> in_flight_;
  std::deque<int64_t> due_;
  int next_stream_ = 0;  // of its own
  int32_t correlation_ = 0;
  int64_t frames_ = 0;
};

}  // namespace ottla::load
