// Sends what is due when a slot is free; answers come in order and free their slots.
#include "producer.h"

#include <algorithm>

namespace ottla::load {

Producer::Producer(Run& run, int index) : run_(run), index_(index) {
  const auto acks = static_cast<int16_t>(run.options.acks);
  slots_.resize(static_cast<size_t>(run.options.in_flight));
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].frame = produce_frame(run.cluster.topic, run.cluster.produce_version, acks,
                                    run.batch.bytes(), run.options.request_batches);
    free_.push_back(slots_.size() - 1 - i);
  }
}

bool Producer::open(ProducerId id, std::string* problem) {
  id_ = id;
  return connection_.open(run_.cluster.host, run_.cluster.port, false, problem);
}

bool Producer::pump(bool may_send) {
  const bool sends = !free_.empty() && (may_send || !due_.empty());
  if (!sends) return !connection_.has_unsent() || flush();
  const int64_t now = now_ns();
  while (!free_.empty() && !due_.empty()) {
    const int64_t due_ns = due_.front();
    due_.pop_front();
    send(due_ns, now);
  }
  const int64_t records = run_.batch.records();
  while (may_send && !free_.empty() && run_.sent / records < run_.batches_max) send(now, now);
  return flush();
}

void Producer::send(int64_t due_ns, int64_t now) {
  const size_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number];
  slot.due_ns = due_ns;
  slot.correlation = ++correlation_;
  slot.frame_number = ++frames_;
  store_i32(slot.frame.bytes.data() + kCorrelationAt, slot.correlation);
  for (const ProduceFrame::Part& part : slot.frame.parts) stamp(slot, part, now);
  run_.sent += run_.request_records();
  connection_.queue(slot.frame.bytes);
  in_flight_.push_back(number);
}

void Producer::stamp(Slot& slot, const ProduceFrame::Part& part, int64_t now) {
  const int stream = index_ + next_stream_ * run_.options.connections;
  next_stream_ = (next_stream_ + 1) % run_.own_streams(index_);
  uint8_t* bytes = slot.frame.bytes.data();
  store_i32(bytes + part.partition_at, stream % run_.cluster.partitions);
  Sending sending;
  sending.stream = static_cast<uint32_t>(run_.options.first_stream + stream);
  sending.batch = run_.next_batch[static_cast<size_t>(stream)]++;
  sending.due_ns = slot.due_ns;
  if (run_.options.spread) {
    sending.record_interval_ns =
        static_cast<int64_t>(run_.batch_interval_ns) / run_.batch.records();
  }
  sending.epoch_ms = run_.epoch_ms;
  sending.now_ms = run_.epoch_ms + (now - run_.start_ns) / 1'000'000;
  sending.producer_id = id_.id;
  sending.producer_epoch = id_.epoch;
  run_.batch.stamp(bytes + part.batch_at, sending);
}

bool Producer::flush() {
  if (!connection_.flush()) return false;
  if (run_.options.acks != 0) return true;
  const int64_t now = now_ns();
  while (!in_flight_.empty() &&
         slots_[in_flight_.front()].frame_number <= connection_.sent_frames()) {
    finish(0, now);
  }
  return true;
}

bool Producer::on_readable() {
  const int64_t now = now_ns();
  return connection_.receive([&](Bytes frame) { on_answer(frame, now); });
}

void Producer::on_answer(Bytes frame, int64_t now) {
  if (in_flight_.empty()) return finish(-1, now);
  const int32_t correlation = slots_[in_flight_.front()].correlation;
  finish(produce_error(frame, run_.cluster.produce_version, correlation), now);
}

void Producer::finish(int error, int64_t now) {
  if (error != 0) run_.errors[error] += 1;
  if (in_flight_.empty()) return;
  const Slot& slot = slots_[in_flight_.front()];
  const int64_t records = run_.request_records();
  (error == 0 ? run_.acked : run_.failed) += records;
  Second& second = run_.second(now);
  if (error == 0) second.acked += records;
  if (error == 0 && run_.is_measured(now)) run_.acked_in_window += records;
  if (run_.is_measured(slot.due_ns) && run_.options.acks != 0) {
    const int64_t us = (now - slot.due_ns) / 1000;
    for (int i = 0; i < run_.options.request_batches; ++i) run_.ack.record(us);
    second.ack_max_us = std::max(second.ack_max_us, us);
  }
  free_.push_back(in_flight_.front());
  in_flight_.pop_front();
}

}  // namespace ottla::load
