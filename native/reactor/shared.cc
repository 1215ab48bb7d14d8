// See shared.h.
#include "shared.h"

#include <cstdlib>
#include <cstring>

#include "../base/assert.h"
#include "../partition/host.h"
#include "../partition/partition.h"
#include "conn_id.h"
#include "helpers.h"
#include "partitions.h"
#include "reactor.h"
#include "worker_pool.h"

namespace ottla {

namespace {

std::shared_ptr<double> zeroed_doubles(size_t count) {
  const size_t bytes = (count * sizeof(double) + 63) & ~size_t{63};
  auto* cells = static_cast<double*>(std::aligned_alloc(64, bytes));
  OTTLA_ASSERT(cells != nullptr, "memory for a table");
  std::memset(cells, 0, bytes);
  return std::shared_ptr<double>(cells, [](double* gone) { std::free(gone); });
}

// As many as there are directories, as far as there are numbers for them.
int storage_reactors_of(const ReactorOptions& options) {
  const int most = std::min(options.directories, kReactorsMax - options.reactors);
  return most > 1 ? most : 0;
}

}  // namespace

Shared::Shared(const ReactorOptions& with)
    : options(with),
      storage_reactors(storage_reactors_of(with)),
      counters(zeroed_doubles(kCounterColumns * static_cast<size_t>(reactor_count()))),
      files(with.files_open_max, with.descriptors_scarce_from),
      recoding_budget(kRecodingBudget) {
  shutdown.connected = with.reactors;
  shutdown.reactors = reactor_count();
  limits.set({with.connections_max, with.connections_per_ip_max, {}});
}

Shared::~Shared() = default;

void Shared::submit_command(int reactor, Command* command) {
  reactors[static_cast<size_t>(reactor)]->submit(command);
}

int32_t Shared::disk_of(const std::string& directory) {
  std::lock_guard<std::mutex> lock(lock_);
  const auto [known, is_new] = disks_.try_emplace(directory, static_cast<int32_t>(helpers_.size()));
  if (is_new) {
    helpers_.push_back(std::make_unique<Helpers>(directory, options.recovery_threads, make_io));
  }
  return known->second;
}

Helpers& Shared::helpers(int32_t disk) {
  std::lock_guard<std::mutex> lock(lock_);
  return *helpers_[static_cast<size_t>(disk)];
}

void Shared::stop_helpers(Io& io) {
  recoders->stop();
  std::lock_guard<std::mutex> lock(lock_);
  for (auto& helpers : helpers_) {
    helpers->stop();
    helpers->disk().close(io);
  }
}

void Shared::lend(int reactor, Io& io, DiskWork* work) {
  WorkerPool& pool =
      work->queue == DiskQueue::kRecode ? *recoders : helpers(work->disk).of(work->queue);
  pool.submit(
      io, [work](Io& helping) { work->help(work, helping); },
      [this, reactor, work](const Status& synced) {
        if (!synced.ok()) work->status = synced;
        // Never refused, as a mailbox may: a partition lends one work at a time.
        submit(reactor, [work](Reactor& at) { at.returned(work); });
      });
}

bool Shared::fail_directory(const std::string& directory) {
  {
    std::lock_guard<std::mutex> lock(lock_);
    if (!failed_directories_.insert(directory).second) return false;
  }
  for (int reactor = 0; reactor < reactor_count(); reactor += 1) {
    submit(reactor, [directory](Reactor& at) { at.partitions().take_offline(directory); });
  }
  return true;
}

bool Shared::has_failed(const std::string& directory) {
  std::lock_guard<std::mutex> lock(lock_);
  return failed_directories_.count(directory) > 0;
}

std::atomic<int64_t>* Shared::preallocation_budget(const std::string& directory) {
  std::lock_guard<std::mutex> lock(lock_);
  auto& budget = budgets_[directory];
  if (budget == nullptr) {
    budget = std::make_unique<std::atomic<int64_t>>(options.preallocation_bytes_max);
  }
  return budget.get();
}

DirectoryRoom* Shared::room(const std::string& directory) {
  std::lock_guard<std::mutex> lock(lock_);
  auto& room = rooms_[directory];
  if (room == nullptr) room = std::make_unique<DirectoryRoom>();
  return room.get();
}

void Shared::limit_directory(const std::string& directory, int64_t client_bytes, bool is_short) {
  DirectoryRoom* const limited = room(directory);
  limited->client_bytes.store(client_bytes < 0 ? INT64_MAX : client_bytes,
                              std::memory_order_relaxed);
  const bool was_short = limited->is_short.exchange(is_short, std::memory_order_relaxed);
  if (!is_short || was_short) return;
  for (int reactor = 0; reactor < options.reactors; reactor += 1) {
    submit(reactor, [directory](Reactor& at) { at.unlink_now(directory); });
  }
}

SlotTable::~SlotTable() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

void SlotTable::reach(int32_t slot) {
  OTTLA_ASSERT(slot >= 0 && slot < kSlotsMax, "a slot of the tables");
  if (chunk_of(slot) != nullptr) return;
  auto* chunk = new Chunk;
  chunk->rows = zeroed_doubles(kPartitionColumns * size_t{kPartitionRowsPerChunk});
  chunks_[slot / kPartitionRowsPerChunk].store(chunk, std::memory_order_release);
}

Partition* SlotTable::find(int32_t slot) const {
  const Chunk* chunk = chunk_of(slot);
  if (chunk == nullptr) return nullptr;
  return chunk->partitions[slot % kPartitionRowsPerChunk].load(std::memory_order_acquire);
}

void SlotTable::set(int32_t slot, Partition* partition) {
  Chunk* chunk = chunk_of(slot);
  OTTLA_ASSERT(chunk != nullptr, "reached before it is used");
  chunk->partitions[slot % kPartitionRowsPerChunk].store(partition, std::memory_order_release);
}

double* SlotTable::row(int32_t slot) const {
  const Chunk* chunk = chunk_of(slot);
  if (chunk == nullptr) return nullptr;
  return chunk->rows.get() + size_t(slot % kPartitionRowsPerChunk) * kPartitionColumns;
}

void SlotTable::clear_row(int32_t slot) {
  SequencedRow published(row(slot), kPartitionColumns);
  published.begin();
  for (size_t i = 1; i < kPartitionColumns; i += 1) published.set(i, 0);
  published.end();
}

bool SlotTable::is_used(int32_t slot) const {
  const Chunk* chunk = chunk_of(slot);
  return chunk != nullptr &&
         chunk->is_used[slot % kPartitionRowsPerChunk].load(std::memory_order_acquire);
}

void SlotTable::set_used(int32_t slot, bool is_used) {
  chunk_of(slot)->is_used[slot % kPartitionRowsPerChunk].store(is_used, std::memory_order_release);
}

int SlotTable::owner(int32_t slot) const {
  const Chunk* chunk = chunk_of(slot);
  if (chunk == nullptr) return -1;
  return chunk->owners[slot % kPartitionRowsPerChunk].load(std::memory_order_acquire) - 1;
}

void SlotTable::set_owner(int32_t slot, int reactor) {
  chunk_of(slot)->owners[slot % kPartitionRowsPerChunk].store(static_cast<int8_t>(reactor + 1),
                                                              std::memory_order_release);
}

std::shared_ptr<double> SlotTable::rows(int32_t chunk) const {
  if (chunk < 0 || chunk >= kChunksMax) return nullptr;
  const Chunk* found = chunks_[chunk].load(std::memory_order_acquire);
  return found == nullptr ? nullptr : found->rows;
}

void ConnectionLimits::set(Maxima maxima) {
  std::lock_guard<std::mutex> lock(lock_);
  maxima_ = std::move(maxima);
}

bool ConnectionLimits::admit(const std::string& host) {
  std::lock_guard<std::mutex> lock(lock_);
  if (total_ >= maxima_.total) return false;
  const auto own = maxima_.by_address.find(host);
  int64_t& count = by_host_[host];
  if (count >= (own == maxima_.by_address.end() ? maxima_.per_address : own->second)) {
    if (count == 0) by_host_.erase(host);
    return false;
  }
  count += 1;
  total_ += 1;
  return true;
}

void ConnectionLimits::leave(const std::string& host) {
  std::lock_guard<std::mutex> lock(lock_);
  auto found = by_host_.find(host);
  OTTLA_ASSERT(found != by_host_.end() && total_ > 0, "who leaves was admitted");
  total_ -= 1;
  found->second -= 1;
  if (found->second == 0) by_host_.erase(found);
}

}  // namespace ottla
