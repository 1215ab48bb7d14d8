// Partition: batches whose codec is not the topic's (compression.type), written anew by a helper.
// See partition.h, admission.h. Kafka: LogValidator, under the lock of the log.
//
//   produce() ─ admission ─► unrecoded_ ─ some at a time ─► help ─► back in order ─► sequences, log
//
// A reactor has no time to compress: a helper does, and the other partitions of the reactor never
// wait. This one does, as it does in Kafka: whatever comes behind a batch under way queues, its
// codec the right one or not, so that a producer's batches, and a connection's, keep their order.
//
// Non-obvious: a helper sees its ops' records, which nobody else touches meanwhile, and a copy of
// the rules. An op that it has cannot end before it is back; then it is looked at anew who leads,
// and whether a marker has ended the transaction that it was admitted to.
#include <utility>

#include "partition.h"

namespace ottla {

namespace {

// What a helper takes along at once: enough to spare turns, little enough not to hold the others.
constexpr size_t kTogetherMax = 8;
constexpr int64_t kTogetherBytesMax = 256 << 10;
constexpr int64_t kLookAgainUs = 1000;

}  // namespace

bool Partition::needs_recoding(const ProduceOp& op) const {
  const Recompression& to = options_.config.recompression;
  if (!to.is_wanted || op.records_bytes < kBatchHeaderBytes) return false;
  const int codec = RecordBatch(op.records, static_cast<size_t>(op.records_bytes)).compression();
  return codec < kCompressionKinds && codec != static_cast<int>(to.codec);
}

void Partition::recode_in_turn(ProduceOp* op, PartitionHost& host) {
  unrecoded_.push_back(op);
  if (!is_recoding_ && recode_timer_ == 0) start_recoding(host);
}

// Those that need no helper go on; the first that does, and its neighbours, are lent.
void Partition::start_recoding(PartitionHost& host) {
  is_recoding_ = true;  // who is answered may produce again, and queues
  while (ProduceOp* op = unrecoded_.front()) {
    if (needs_recoding(*op)) break;
    unrecoded_.remove(op);
    resume(op, host);
  }
  is_recoding_ = !unrecoded_.empty();
  if (!is_recoding_) return;
  if (recoding_ == nullptr) {
    recoding_ = std::make_unique<Recoding>();
    recoding_->run = &Partition::recode_done;
    recoding_->help = &Partition::help_recode;
    recoding_->slot = options_.slot;
    recoding_->home = options_.owner;
    recoding_->queue = DiskQueue::kRecode;
    recoding_->partition = this;
  }
  Recoding& work = *recoding_;
  work.rules = rules(host);
  work.to = options_.config.recompression;
  work.ops.clear();
  int64_t bytes = 0;
  while (ProduceOp* op = unrecoded_.front()) {
    bytes += op->records_bytes;
    const bool is_enough = work.ops.size() == kTogetherMax || bytes > kTogetherBytesMax;
    if (!work.ops.empty() && (is_enough || !needs_recoding(*op))) break;
    unrecoded_.remove(op);
    work.ops.push_back(op);
  }
  host.lend(recoding_.get());
}

void Partition::help_recode(DiskWork* work, Io&) {
  Recoding* recoding = static_cast<Recoding*>(work);
  const Partition* self = recoding->partition;
  const int64_t most = recoding->rules.batch.bytes_max;
  thread_local Codecs codecs;  // the libraries' contexts are dear, and there are few helpers
  recoding->rules.codecs = &codecs;
  for (ProduceOp* op : recoding->ops) {
    if (!self->take_recoding_memory(most)) return;
    op->judgement = Refusal();
    (void)recode_client_batch(op->records, op->records_bytes, recoding->rules, recoding->to,
                              &op->recoded, &op->judgement);
    self->give_recoding_memory(most - static_cast<int64_t>(op->recoded.capacity()));
    op->is_judged = true;
  }
}

void Partition::recode_done(PartitionWork* work, PartitionHost& host) {
  Recoding& recoding = *static_cast<Recoding*>(work);
  Partition* self = recoding.partition;
  const std::vector<ProduceOp*> ops = std::move(recoding.ops);
  recoding.ops.clear();
  // There was no memory for the last ones: they wait until others have been written.
  size_t judged = ops.size();
  for (; judged > 0 && !ops[judged - 1]->is_judged; judged -= 1) {
    self->unrecoded_.push_front(ops[judged - 1]);
  }
  for (size_t i = 0; i < judged; i += 1) {
    ProduceOp* op = ops[i];
    if (op->judgement.error == ErrorCode::kNone) {
      op->records = op->recoded.data();
      op->records_bytes = static_cast<int32_t>(op->recoded.size());
    }
    self->resume(op, host);
  }
  const ErrorCode error = self->is_offline()   ? ErrorCode::kKafkaStorageError
                          : !self->is_leader() ? ErrorCode::kNotLeaderOrFollower
                                               : ErrorCode::kNone;
  if (error != ErrorCode::kNone) self->fail_all(&self->unrecoded_, error, host);
  self->is_recoding_ = false;
  if (judged == ops.size() || self->unrecoded_.empty()) return self->start_recoding(host);
  self->recode_timer_ =
      host.start_timer(host.now_us() + kLookAgainUs, &Partition::recode_later, self);
}

void Partition::recode_later(void* partition, PartitionHost& host) {
  Partition* self = static_cast<Partition*>(partition);
  self->recode_timer_ = 0;
  self->start_recoding(host);
}

// It was admitted before; much may have happened since.
void Partition::resume(ProduceOp* op, PartitionHost& host) {
  if (is_offline()) return fail(op, ErrorCode::kKafkaStorageError, host);
  if (!is_leader()) return fail(op, ErrorCode::kNotLeaderOrFollower, host);
  if (std::exchange(op->is_doubted, false) && needs_admission(*op)) return park(op, host);
  if (op->acks == -1 && is_under_min_isr()) {
    op->log_start_offset = log_start_offset();
    return fail(op, ErrorCode::kNotEnoughReplicas, host);
  }
  produce_recoded(op, host);
}

// A marker of the producer is in the log: what was admitted before it may be of what it has ended.
void Partition::doubt_unrecoded(int64_t producer_id) {
  const auto doubt = [&](ProduceOp* op) {
    if (op->records_bytes < kBatchHeaderBytes) return;
    const RecordBatch batch(op->records, static_cast<size_t>(op->records_bytes));
    if (batch.producer_id() == producer_id && batch.is_transactional()) op->is_doubted = true;
  };
  for (ProduceOp* op = unrecoded_.front(); op != nullptr; op = unrecoded_.next(op)) doubt(op);
  if (!is_recoding_ || recoding_ == nullptr) return;
  for (ProduceOp* op : recoding_->ops) doubt(op);
}

// --- memory. A batch that is being made counts as one of the largest size, one that was made as
// it is, until it is written. A budget that is whole pays for anything: something can go on.

bool Partition::take_recoding_memory(int64_t bytes) const {
  std::atomic<int64_t>* budget = options_.recoding_budget;
  if (budget == nullptr) return true;
  const int64_t before = budget->fetch_sub(bytes, std::memory_order_relaxed);
  if (before >= bytes || before >= kRecodingBudget) return true;
  budget->fetch_add(bytes, std::memory_order_relaxed);
  return false;
}

void Partition::give_recoding_memory(int64_t bytes) const {
  std::atomic<int64_t>* budget = options_.recoding_budget;
  if (budget != nullptr) budget->fetch_add(bytes, std::memory_order_relaxed);
}

void Partition::drop_recoded(ProduceOp* op) {
  if (op->recoded.capacity() == 0) return;
  give_recoding_memory(static_cast<int64_t>(op->recoded.capacity()));
  std::vector<uint8_t>().swap(op->recoded);
  op->records = nullptr;
}

}  // namespace ottla
