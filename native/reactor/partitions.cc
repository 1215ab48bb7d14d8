// See partitions.h.
#include "partitions.h"

#include <utility>

#include "../gen/errors.h"
#include "../gen/layout.h"
#include "helpers.h"
#include "reactor.h"

namespace ottla {

namespace {

constexpr int64_t kMaintainUs = 1000 * 1000;
constexpr size_t kMaintainedPerTurn = 200;
constexpr int64_t kMarkerUs = 30 * 1000 * 1000;  // for its replicas

constexpr int32_t code(gen::ErrorCode error) { return static_cast<int32_t>(error); }

int32_t code_of(const Status& status) {
  if (status.ok()) return 0;
  if (status.code == Code::kOutOfRange) return code(gen::ErrorCode::kOffsetOutOfRange);
  return code(gen::ErrorCode::kKafkaStorageError);
}

// An append verb until it is done.
struct AppendVerb {
  ProduceOp op;
  std::vector<uint8_t> batches;
  double ticket;
};

void append_done(ProduceOp* op, PartitionHost& host) {
  std::unique_ptr<AppendVerb> verb(static_cast<AppendVerb*>(op->context));
  const bool is_appended = op->base_offset >= 0;
  static_cast<Reactor&>(host).done(verb->ticket, static_cast<int32_t>(op->refusal.error),
                                   static_cast<double>(op->base_offset),
                                   is_appended ? static_cast<double>(op->last_offset + 1) : -1);
}

// What append_done frees.
ProduceOp* new_append(std::vector<uint8_t> batches, int32_t leader_epoch, double ticket) {
  auto* verb = new AppendVerb{{}, std::move(batches), ticket};
  verb->op.records = verb->batches.data();
  verb->op.records_bytes = static_cast<int32_t>(verb->batches.size());
  verb->op.leader_epoch = leader_epoch;
  verb->op.done = append_done;
  verb->op.context = verb;
  return &verb->op;
}

// A flush verb until it is done.
struct FlushVerb {
  FlushOp op;
  double ticket;
};

void flush_done(FlushOp* op, gen::ErrorCode error, PartitionHost& host) {
  std::unique_ptr<FlushVerb> verb(static_cast<FlushVerb*>(op->context));
  static_cast<Reactor&>(host).done(verb->ticket, code(error),
                                   static_cast<double>(op->recovery_point), -1, -1);
}

// A clean verb until it is done.
struct CleanVerb {
  CleanOp op;
  double ticket;
};

void clean_done(CleanOp* op, gen::ErrorCode error, PartitionHost& host) {
  std::unique_ptr<CleanVerb> verb(static_cast<CleanVerb*>(op->context));
  static_cast<Reactor&>(host).done(
      verb->ticket, code(error), static_cast<double>(op->stats.next_dirty_offset),
      static_cast<double>(op->stats.bytes_before), static_cast<double>(op->stats.bytes_after));
}

}  // namespace

OwnedPartitions::~OwnedPartitions() = default;

void OwnedPartitions::create(PartitionOptions options, double ticket) {
  const int32_t slot = options.slot;
  Shared& shared = reactor_->shared();
  if (is_closing_) return;
  if (shared.has_failed(options.log_directory)) {
    shared.slots.set_used(slot, false);
    return reactor_->done(ticket, code(gen::ErrorCode::kKafkaStorageError), -1, -1, 0);
  }
  opening_[slot];
  struct Opened {
    PartitionOptions options;
    std::unique_ptr<Partition> partition;
    Log::Recovery recovery;
    Status status;
  };
  auto work = std::make_shared<Opened>();
  work->options = std::move(options);
  work->options.tails = &reactor_->tails();
  Helpers& helpers = shared.helpers(work->options.disk);
  helpers.openers().submit(
      reactor_->io(),
      [&helpers, work](Io& io) {
        helpers.disk().know(io);
        work->status =
            Partition::open(io, std::move(work->options), &work->partition, &work->recovery);
      },
      [this, &shared, slot, ticket, work](const Status& synced) {
        shared.submit(reactor_->reactor(), [this, slot, ticket, work, synced](Reactor&) {
          const Status status = work->status.ok() ? synced : work->status;
          opened(slot, status, std::move(work->partition), work->recovery, ticket);
        });
      });
}

void OwnedPartitions::opened(int32_t slot, Status status, std::unique_ptr<Partition> partition,
                             const Log::Recovery& recovery, double ticket) {
  Shared& shared = reactor_->shared();
  auto node = opening_.extract(slot);
  if (is_closing_) {
    if (partition != nullptr) {
      start_retiring(std::move(partition), false, is_clean_ && status.ok(), kNoTicket);
    }
    return;
  }
  if (!status.ok()) {
    if (partition != nullptr) {  // what opening it wrote could not be synced: closed as it is
      start_retiring(std::move(partition), false, false, ticket, status);
    } else {
      shared.slots.set_used(slot, false);
      reactor_->done(ticket, code_of(status), -1, -1, static_cast<double>(status.error));
    }
  } else {
    shared.slots.set(slot, partition.get());
    if (shared.has_failed(partition->options().log_directory)) partition->take_offline(*reactor_);
    open_[slot] = std::move(partition);
    reactor_->done(ticket, 0, static_cast<double>(recovery.log_start_offset),
                   static_cast<double>(recovery.log_end_offset),
                   static_cast<double>(recovery.bytes_truncated));
    if (!is_maintaining_) {
      is_maintaining_ = true;
      reactor_->start_timer(reactor_->now_us() + kMaintainUs, maintain, this);
      const int64_t check_us = shared.options.flush_check_ms * 1000;
      if (check_us > 0) {
        reactor_->start_timer(reactor_->now_us() + check_us, look_at_flushes, this);
      }
    }
  }
  if (node.empty()) return;
  for (Verb& verb : node.mapped().verbs) with(slot, std::move(verb));
}

void OwnedPartitions::with(int32_t slot, Verb verb) {
  auto opening = opening_.find(slot);
  if (opening != opening_.end()) return opening->second.verbs.push_back(std::move(verb));
  auto found = open_.find(slot);
  verb(found == open_.end() ? nullptr : found->second.get());
}

void OwnedPartitions::append(int32_t slot, int32_t leader_epoch, std::vector<uint8_t> batches,
                             double ticket) {
  auto verb = std::make_shared<std::vector<uint8_t>>(std::move(batches));
  with(slot, [this, leader_epoch, verb, ticket](Partition* partition) {
    if (partition == nullptr) {
      return reactor_->done(ticket, code(gen::ErrorCode::kUnknownTopicOrPartition), -1, -1);
    }
    partition->append(new_append(std::move(*verb), leader_epoch, ticket), *reactor_);
  });
}

void OwnedPartitions::mark(int32_t slot, int32_t leader_epoch, std::vector<uint8_t> batch,
                           int32_t transaction_version, double ticket) {
  auto verb = std::make_shared<std::vector<uint8_t>>(std::move(batch));
  with(slot, [this, leader_epoch, verb, transaction_version, ticket](Partition* partition) {
    if (partition == nullptr) {
      return reactor_->done(ticket, code(gen::ErrorCode::kUnknownTopicOrPartition), -1, -1);
    }
    ProduceOp* op = new_append(std::move(*verb), leader_epoch, ticket);
    op->deadline_us = reactor_->now_us() + kMarkerUs;
    partition->mark(op, transaction_version, *reactor_);
  });
}

void OwnedPartitions::flush(int32_t slot, double ticket) {
  with(slot, [this, ticket](Partition* partition) {
    if (partition == nullptr) {
      return reactor_->done(ticket, code(gen::ErrorCode::kUnknownTopicOrPartition), -1, -1, -1);
    }
    auto* verb = new FlushVerb;  // flush_done frees it
    verb->ticket = ticket;
    verb->op.done = flush_done;
    verb->op.context = verb;
    partition->flush(&verb->op, *reactor_);
  });
}

void OwnedPartitions::clean(int32_t slot, const CleanRequest& request, int64_t bytes_per_second,
                            double ticket) {
  with(slot, [this, request, bytes_per_second, ticket](Partition* partition) {
    if (partition == nullptr) {
      return reactor_->done(ticket, code(gen::ErrorCode::kUnknownTopicOrPartition), -1, -1, -1);
    }
    auto* verb = new CleanVerb;  // clean_done frees it
    verb->ticket = ticket;
    verb->op.request = request;
    verb->op.bytes_per_second = bytes_per_second;
    verb->op.done = clean_done;
    verb->op.context = verb;
    partition->clean(&verb->op, *reactor_);
  });
}

void OwnedPartitions::read(int32_t slot, int64_t offset, int64_t bytes_max, double ticket) {
  with(slot, [this, offset, bytes_max, ticket](Partition* partition) {
    Fact fact;
    fact.kind = fact::kData;
    fact.slot = -1;
    fact.ticket = ticket;
    fact.a = fact.b = -1;
    std::vector<uint8_t> bytes;
    if (partition == nullptr) {
      fact.status = code(gen::ErrorCode::kUnknownTopicOrPartition);
      return reactor_->fact(fact);
    }
    const int64_t end = partition->log_end_offset();
    fact.a = static_cast<double>(partition->high_watermark());
    fact.b = static_cast<double>(end);
    ReadSlice slice;
    Status status = partition->log().read(reactor_->io(), offset, end, bytes_max, true, &slice);
    if (status.ok() && slice) {
      Handle file = kNoHandle;
      bytes.resize(static_cast<size_t>(slice.bytes()));
      size_t got = 0;
      status = slice.file(reactor_->io(), &file);
      if (status.ok()) {
        status = reactor_->io().read(file, bytes.data(), bytes.size(), slice.position(), &got);
      }
      if (status.ok() && got < bytes.size()) status = Status::fail(Code::kIo, "slice is shorter");
    }
    fact.status = code_of(status);
    if (status.code == Code::kIo) {
      reactor_->directory_failed(partition->options().log_directory, status.error);
    }
    if (status.ok()) {
      fact.body = bytes.data();
      fact.body_bytes = static_cast<uint32_t>(bytes.size());
    }
    reactor_->fact(fact);
  });
}

void OwnedPartitions::take_offline(const std::string& directory) {
  for (auto& [slot, partition] : open_) {
    if (partition->options().log_directory == directory) partition->take_offline(*reactor_);
  }
}

void OwnedPartitions::retire(int32_t slot, bool is_deleted, double ticket) {
  with(slot, [this, slot, is_deleted, ticket](Partition* partition) {
    if (partition == nullptr) {
      return reactor_->done(ticket, code(gen::ErrorCode::kUnknownTopicOrPartition));
    }
    auto node = open_.extract(slot);
    start_retiring(std::move(node.mapped()), is_deleted, true, ticket);
  });
}

void OwnedPartitions::start_retiring(std::unique_ptr<Partition> partition, bool is_deleted,
                                     bool is_clean, double ticket, const Status& opening) {
  const int32_t slot = partition->slot();
  reactor_->shared().slots.set(slot, nullptr);
  partition->retire(*reactor_, is_deleted, is_clean);
  retiring_.push_back({std::move(partition), slot, ticket, opening});
}

void OwnedPartitions::close_all(bool is_clean) {
  is_closing_ = true;
  is_clean_ = is_clean;
  while (!open_.empty()) {
    auto node = open_.extract(open_.begin());
    start_retiring(std::move(node.mapped()), false, is_clean, kNoTicket);
  }
}

void OwnedPartitions::reclaim() {
  for (size_t i = 0; i < retiring_.size();) {
    Retiring& gone = retiring_[i];
    if (!gone.partition->is_quiet()) {
      i += 1;
      continue;
    }
    Shared& shared = reactor_->shared();
    const Status ended = gone.partition->end_status();
    if (is_closing_ && ended.code == Code::kNoSpace) tell_disorder(*gone.partition);
    reactor_->limbo().retire(std::unique_ptr<const Partition>(std::move(gone.partition)));
    shared.slots.clear_row(gone.slot);
    shared.slots.set_used(gone.slot, false);
    if (!gone.opening.ok()) {
      reactor_->done(gone.ticket, code_of(gone.opening), -1, -1,
                     static_cast<double>(gone.opening.error));
    } else if (gone.ticket != kNoTicket) {
      reactor_->done(gone.ticket, code_of(ended));
    }
    gone = std::move(retiring_.back());
    retiring_.pop_back();
  }
}

// There was no room to leave it in order: its directory works, and is not to be marked as clean.
void OwnedPartitions::tell_disorder(const Partition& partition) {
  const std::string& directory = partition.options().log_directory;
  Fact fact;
  fact.kind = fact::kDirectoryFailed;
  fact.status = partition.end_status().error;
  fact.body = directory.data();
  fact.body_bytes = static_cast<uint32_t>(directory.size());
  reactor_->fact(fact);
}

// All of them at once, as whoever sets log.flush.scheduler.interval.ms asks for; most owe nothing.
void OwnedPartitions::look_at_flushes(void* object, PartitionHost& host) {
  auto* owned = static_cast<OwnedPartitions*>(object);
  for (auto& [slot, partition] : owned->open_) partition->flush_when_due(host);
  const int64_t check_us = owned->reactor_->shared().options.flush_check_ms * 1000;
  host.start_timer(host.now_us() + check_us, look_at_flushes, object);
}

// Each partition about once a second, a share of them a turn: thousands at once would be a stall.
void OwnedPartitions::maintain(void* object, PartitionHost& host) {
  auto* owned = static_cast<OwnedPartitions*>(object);
  auto& open = owned->open_;
  const bool looks_at_flushes = owned->reactor_->shared().options.flush_check_ms == 0;
  const size_t turns = open.size() / kMaintainedPerTurn + 1;
  auto next = open.upper_bound(owned->maintained_);
  for (size_t i = 0; i < open.size() / turns + 1; i += 1) {
    if (next == open.end()) {
      owned->maintained_ = -1;
      break;
    }
    if (looks_at_flushes) next->second->flush_when_due(host);
    next->second->maintain(host);
    owned->maintained_ = next->first;
    ++next;
  }
  owned->reactor_->unlink_due();
  host.start_timer(host.now_us() + kMaintainUs / static_cast<int64_t>(turns), maintain, owned);
}

}  // namespace ottla
