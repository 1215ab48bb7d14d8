// Log::append and roll: ops in, gathered writes out, one per segment touched. Kafka:
// UnifiedLog.append, LocalLog.append and roll.
//
// Ops queue in order; the head is written run by run (a run: the batches that fit the active
// segment). Log end and indexes move when the whole op is in the file, so readers never see part of
// one, and a failure leaves nothing behind but bytes past the end, which are cut before the next
// write.
#include <sys/uio.h>

#include "../base/assert.h"
#include "log_state.h"

namespace ottla {

namespace {
constexpr int kIovMax = 1024;  // IOV_MAX: more batches than this are written in several runs
constexpr int kFailuresUntilOffline = 2;

void extend(std::vector<iovec>* iov, const AppendBatch& batch) {
  uint8_t* bytes = const_cast<uint8_t*>(batch.bytes);
  const size_t size = static_cast<size_t>(batch.size);
  if (!iov->empty()) {
    iovec& last = iov->back();
    if (static_cast<uint8_t*>(last.iov_base) + last.iov_len == bytes) {
      last.iov_len += size;  // neighbours in a request's frame
      return;
    }
  }
  iov->push_back({bytes, size});
}

Status check_op(const AppendOp* op, int64_t log_end_offset) {
  int64_t next_offset = log_end_offset;
  for (int i = 0; i < op->count; i += 1) {
    const AppendBatch& batch = op->batches[i];
    if (batch.base_offset < next_offset || batch.last_offset < batch.base_offset) {
      return Status::fail(Code::kInvalid, "offsets do not ascend from the log's end");
    }
    next_offset = batch.last_offset + 1;
  }
  return Status::good();
}

}  // namespace

void Log::append(Io& io, AppendOp* op) {
  OTTLA_ASSERT(op->count > 0 && op->done != nullptr, "an op brings batches");
  State& state = *state_;
  op->next = nullptr;
  if (state.queue_tail != nullptr) {
    state.queue_tail->next = op;
  } else {
    state.queue_head = op;
    state.next_batch = 0;
    state.op_start_offset = state.log_end_offset.load(std::memory_order_relaxed);
  }
  state.queue_tail = op;
  state.pump(io);
}

// Runs until the queue is empty or a write is under way. A completion inside submit() only marks
// the run as finished, so that a long queue does not become a deep stack.
void Log::State::pump(Io& io) {
  if (pumping || write_io != nullptr) return;
  pumping = true;
  while (queue_head != nullptr && write_io == nullptr) {
    if (!start_run(io)) continue;  // failed: the op is finished already
    this->write_io = &io;
    io.submit(&write);
  }
  pumping = false;
}

// Prepares `write` for the next batches of the head op, rolling first where they do not fit.
bool Log::State::start_run(Io& io) {
  const AppendOp* op = queue_head;
  const AppendBatch& first = op->batches[next_batch];
  Status status = offline;
  if (status.ok() && closed) status = Status::fail(Code::kClosed, "log is closed");
  if (status.ok() && next_batch == 0) status = check_op(op, op_start_offset);
  if (status.ok() && tail_dirty) {
    status = cut_tail(io);
    if (!status.ok() && status.code != Code::kNoSpace) status = fail_forever(status);
  }
  Segment::Plan plan = active()->plan(config, io.wall_ms());
  if (status.ok() && !plan.fits(first)) {
    status = roll(io, next_base(first));
    plan = active()->plan(config, io.wall_ms());
  }
  int64_t bytes = 0;
  iov.clear();
  run_batches = 0;
  for (int i = next_batch; status.ok() && i < op->count; i += 1) {
    const AppendBatch& batch = op->batches[i];
    if ((run_batches > 0 && !plan.fits(batch)) || iov.size() == kIovMax) break;
    plan.add(batch);
    extend(&iov, batch);
    bytes += batch.size;
    run_batches += 1;
  }
  if (status.ok()) active()->reserve(io, config, bytes);
  Handle file = kNoHandle;
  if (status.ok()) status = active()->pin(io, &file);
  if (!status.ok()) {
    undo_op(io);
    finish_op(status);
    return false;
  }
  write_segment = active();
  write_segment->ref();
  write = WriteOp{};
  write.file = file;
  write.position = write_segment->bytes();
  write.iov = iov.data();
  write.iov_count = static_cast<int>(iov.size());
  write.context = this;
  write.done = [](WriteOp* done, Status result) {
    State* state = static_cast<State*>(done->context);
    Io& writer = *state->write_io;
    state->write_io = nullptr;
    result = state->finish_run(writer, result);
    if (!result.ok() || state->next_batch == state->queue_head->count) state->finish_op(result);
    state->pump(writer);
  };
  return true;
}

// Segments follow each other without a gap, so that recovery can tell a lost end from a jump in
// offsets; but for jumps too wide for a relative offset.
int64_t Log::State::next_base(const AppendBatch& batch) const {
  const int64_t end = active()->end().next_offset;
  return batch.last_offset - end <= INT32_MAX ? end : batch.base_offset;
}

// The bytes of a run are in the file, or not.
Status Log::State::finish_run(Io& io, Status status) {
  Segment* segment = write_segment;
  write_segment = nullptr;
  segment->unpin();
  if (status.ok()) {
    failures_in_a_row = 0;
    if (tail != nullptr && segment == active()) note_tail();
    const AppendOp* op = queue_head;
    for (int i = 0; i < run_batches; i += 1) {
      segment->commit(io, &limbo, op->batches[next_batch + i], config.index_interval_bytes);
    }
    next_batch += run_batches;
    touched = true;
    segment->publish();
  } else {
    tail_dirty = true;
    // A disk that is full is no broken disk.
    failures_in_a_row += status.code == Code::kNoSpace ? 0 : 1;
    if (failures_in_a_row >= kFailuresUntilOffline) status = fail_forever(status);
    undo_op(io);
    if (tail_dirty) (void)cut_tail(io);
  }
  segment->unref();
  return status;
}

// What a failed write left behind the end. Where that must not come back, it may not be there
// before the end is synced, either.
Status Log::State::cut_tail(Io& io) {
  Status status = active()->cut_tail(io);
  if (status.ok() && options.syncs_ends) status = active()->sync(io);
  if (!status.ok()) return options.syncs_ends ? fail_forever(status) : status;
  tail_dirty = false;
  return status;
}

// What was just written to the active segment.
void Log::State::note_tail() {
  int64_t bytes = 0;
  for (const iovec& run : iov) bytes += static_cast<int64_t>(run.iov_len);
  if (!tail->goes_on(active(), write.position, bytes)) return;
  for (const iovec& run : iov) {
    tail->append(static_cast<const uint8_t*>(run.iov_base), static_cast<int64_t>(run.iov_len));
  }
}

// Earlier runs of an op that failed leave the log again.
void Log::State::undo_op(Io& io) {
  const int64_t start = op_start_offset;
  if (next_batch == 0) return;
  next_batch = 0;
  const Status status = truncate_to(io, start);
  if (!status.ok()) (void)fail_forever(status);
  log_end_offset.store(start, std::memory_order_release);
}

// Answers the head op; after a failure everything queued behind it too, whose offsets follow from
// it.
void Log::State::finish_op(Status status) {
  AppendOp* op = queue_head;
  if (status.ok()) {
    const int64_t end = op->batches[op->count - 1].last_offset + 1;
    log_end_offset.store(end, std::memory_order_release);
  }
  AppendOp* rest = op->next;
  queue_head = status.ok() ? rest : nullptr;
  if (queue_head == nullptr) queue_tail = nullptr;
  next_batch = 0;
  op_start_offset = log_end_offset.load(std::memory_order_relaxed);
  op->next = nullptr;
  op->done(op, status);
  while (!status.ok() && rest != nullptr) {
    AppendOp* next = rest->next;
    rest->next = nullptr;
    rest->done(rest, status);
    rest = next;
  }
}

Status Log::roll(Io& io, int64_t base_offset) {
  OTTLA_ASSERT(state_->write_io == nullptr, "no write is under way");
  return state_->roll(io, base_offset);
}

Status Log::State::roll(Io& io, int64_t base_offset) {
  OTTLA_TRY(offline);
  Segment* last = active();
  if (base_offset < last->end().next_offset) {
    return Status::fail(Code::kInvalid, "a new segment begins at the log's end or above");
  }
  if (base_offset == last->base_offset())
    return Status::good();  // empty, so already what is asked for
  if (rolled != nullptr) rolled(rolled_context, base_offset);
  (void)last->seal(io, &limbo);  // indexes may lag; close() tries again and says so
  Segment* fresh = new Segment(segment_options(base_offset));
  const Status status = fresh->create(io, config);
  if (!status.ok()) {
    (void)io.remove(fresh->path());  // the next start would take it for the log's end
    directory_dirty = true;
  } else {
    std::vector<Segment*> all = segments();
    all.push_back(fresh);
    publish_segments(std::move(all));
    directory_dirty = true;
  }
  fresh->unref();
  return status;
}

}  // namespace ottla
