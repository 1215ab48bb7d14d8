// OwnedPartitions: copying a log into another slot's, batches as they are: a replica that moves to
// another log directory is copied so, while it goes on serving. Kafka: ReplicaAlterLogDirsThread.
//
//   verb ─► begin_copy ─► copy_help ─► copy_read ─► append ─► copy_done
//           owner of the  a helper     owner        owner
//           copy          reads
//
// One step a verb: who asks keeps the pace. The source is looked at as any reader does; its slice
// keeps the file, so it may be retired meanwhile. What was read before it was cut is not written.
#include <memory>
#include <utility>
#include <vector>

#include "../log/record_batch.h"
#include "partitions.h"
#include "reactor.h"

namespace ottla {

namespace {

using gen::ErrorCode;

struct CopyVerb : DiskWork {
  OwnedPartitions* owned = nullptr;
  int32_t source = -1;
  int64_t source_incarnation = 0;
  uint64_t generation = 0;  // of the source's log, before it was read
  ReadSlice slice;
  std::vector<uint8_t> bytes;
  ProduceOp op;
  double ticket = 0;
};

void copy_help(DiskWork* work, Io& io) {
  auto* verb = static_cast<CopyVerb*>(work);
  verb->bytes.resize(static_cast<size_t>(verb->slice.bytes()));
  size_t got = 0;
  verb->status = io.read(verb->slice.file(), verb->bytes.data(), verb->bytes.size(),
                         verb->slice.position(), &got);
  if (verb->status.ok() && got < verb->bytes.size()) {
    verb->status = Status::fail(Code::kBusy, "the source was cut");
  }
}

// a: the end of the copy, b: of its source, c: the bytes that were copied.
void answer(Reactor& reactor, double ticket, ErrorCode error, const Partition* copy,
            const Partition* source, size_t bytes) {
  const auto end = [](const Partition* of) {
    return of == nullptr ? -1.0 : static_cast<double>(of->log_end_offset());
  };
  reactor.done(ticket, static_cast<int32_t>(error), end(copy), end(source),
               static_cast<double>(bytes));
}

void copy_done(ProduceOp* op, PartitionHost& host) {
  std::unique_ptr<CopyVerb> verb(static_cast<CopyVerb*>(op->context));
  Reactor& reactor = static_cast<Reactor&>(host);
  const Partition* copy = reactor.shared().slots.find(verb->slot);
  const Partition* source = reactor.shared().slots.find(verb->source);
  answer(reactor, verb->ticket, op->refusal.error, copy, source,
         op->refusal.error == ErrorCode::kNone ? verb->bytes.size() : 0);
}

}  // namespace

void OwnedPartitions::copy(int32_t slot, int32_t source, int64_t bytes_max, double ticket) {
  with(slot, [this, source, bytes_max, ticket](Partition* partition) {
    begin_copy(partition, source, bytes_max, ticket);
  });
}

void OwnedPartitions::begin_copy(Partition* partition, int32_t source, int64_t bytes_max,
                                 double ticket) {
  Partition* from = reactor_->shared().slots.find(source);
  const auto refuse = [&](ErrorCode error) {
    answer(*reactor_, ticket, error, partition, from, 0);
  };
  if (partition == nullptr || from == nullptr) return refuse(ErrorCode::kUnknownTopicOrPartition);
  if (partition->is_offline() || from->is_offline()) {
    return refuse(ErrorCode::kKafkaStorageError);
  }
  if (partition->is_leader()) return refuse(ErrorCode::kNotLeaderOrFollower);
  const int64_t start = from->log_start_offset();
  // It is behind what the source still has, or a power loss took its first segments.
  if (partition->log_end_offset() < start || partition->log_start_offset() > start) {
    const ErrorCode error = partition->begin_at(*reactor_, start);
    if (error != ErrorCode::kNone) return refuse(error);
  }
  const int64_t offset = partition->log_end_offset();
  const int64_t end = from->log_end_offset();
  if (offset > end) return refuse(ErrorCode::kOffsetOutOfRange);
  if (offset == end) return refuse(ErrorCode::kNone);
  auto verb = std::make_unique<CopyVerb>();
  verb->generation = from->log().generation();
  const Status status =
      from->log().read(reactor_->io(), offset, end, bytes_max, true, &verb->slice);
  if (status.code == Code::kIo) {
    reactor_->directory_failed(from->options().log_directory, status.error);
    return refuse(ErrorCode::kKafkaStorageError);
  }
  if (!status.ok() || !verb->slice) return refuse(ErrorCode::kOperationNotAttempted);
  verb->owned = this;
  verb->slot = partition->slot();
  verb->home = reactor_->reactor();
  verb->source = source;
  verb->source_incarnation = from->incarnation();
  verb->ticket = ticket;
  verb->help = copy_help;
  verb->run = copy_read;
  verb->disk = from->options().disk;
  verb->queue = DiskQueue::kClean;  // as long as that may take, and as little awaited
  copies_ += 1;
  reactor_->lend(verb.release());  // copy_read has it next
}

void OwnedPartitions::copy_read(PartitionWork* work, PartitionHost&) {
  std::unique_ptr<CopyVerb> verb(static_cast<CopyVerb*>(work));
  OwnedPartitions* owned = verb->owned;
  Reactor& reactor = *owned->reactor_;
  owned->copies_ -= 1;
  verb->slice = ReadSlice();
  auto found = owned->open_.find(verb->slot);
  Partition* partition = found == owned->open_.end() ? nullptr : found->second.get();
  Partition* from = reactor.shared().slots.find(verb->source);
  const auto refuse = [&](ErrorCode error) {
    answer(reactor, verb->ticket, error, partition, from, 0);
  };
  if (partition == nullptr || from == nullptr) return refuse(ErrorCode::kUnknownTopicOrPartition);
  if (verb->status.code == Code::kIo) {
    reactor.directory_failed(from->options().log_directory, verb->status.error);
    return refuse(ErrorCode::kKafkaStorageError);
  }
  if (!verb->status.ok() || from->incarnation() != verb->source_incarnation ||
      from->log().generation() != verb->generation) {
    return refuse(ErrorCode::kOperationNotAttempted);
  }
  // The batch that holds the source's log start may begin below it.
  const int64_t base = load_i64(verb->bytes.data());
  if (base < partition->log_end_offset() &&
      partition->log_end_offset() == partition->log_start_offset()) {
    const ErrorCode error = partition->begin_at(reactor, base);
    if (error != ErrorCode::kNone) return refuse(error);
  }
  CopyVerb* it = verb.release();  // copy_done frees it
  it->op.records = it->bytes.data();
  it->op.records_bytes = static_cast<int32_t>(it->bytes.size());
  it->op.leader_epoch = partition->leader_epoch();
  it->op.done = copy_done;
  it->op.context = it;
  partition->append(&it->op, reactor);
}

}  // namespace ottla
