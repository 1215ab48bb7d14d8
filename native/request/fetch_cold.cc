// Fetches: what would have to wait for a disk. See fetch.h.
//
// Finding the records of an old offset reads index entries and batch headers, a page here and
// there. Reads on the reactor take only what the page cache has; what was missing is noted, the
// helpers of its disk read it, and the whole request is read again. Records themselves are not
// looked at here: the connection that sends them does the same with their bytes
// (reactor/conn_send.cc).
//
// A disk that does not answer holds up nobody else's records: after a while the request goes on
// without what is not in memory, and while that disk is known to be stuck nothing is asked of it.
#include <utility>

#include "fetch.h"

namespace ottla {

namespace {

// Each brings a search one page further. Beyond it the reactor waits, so that memory that is too
// small cannot keep a request from its answer.
constexpr size_t kRoundsMax = 12;
// Of one round: each has a descriptor. A request that asks for more has as many rounds more.
constexpr size_t kReadsMax = 64;
// Pages around what was asked: the next step of the search is there, or the next request.
constexpr int64_t kAheadBytes = 128 << 10;
constexpr int64_t kPatienceUs = 1000 * 1000;

}  // namespace

Fetches::Cold* Fetches::take_cold(Pending* pending, int32_t disk) {
  for (Cold* cold : pending->cold) {
    if (cold->disk == disk) return cold;
  }
  if (idle_cold_.empty()) {
    all_cold_.push_back(std::make_unique<Cold>());
    idle_cold_.push_back(all_cold_.back().get());
  }
  Cold* cold = idle_cold_.back();
  idle_cold_.pop_back();
  cold->fetches = this;
  cold->pending = pending;
  cold->queue = DiskQueue::kRead;
  cold->disk = disk;
  cold->help = &Fetches::help_reads;
  cold->run = &Fetches::reads_returned;
  cold->is_lent = false;
  pending->cold.push_back(cold);
  return cold;
}

void Fetches::put_back(Context& context, Cold* cold) {
  for (const Missing& missing : cold->reads) {
    if (missing.range.file != kNoHandle) (void)context.io().close(missing.range.file);
  }
  cold->reads.clear();
  cold->pending = nullptr;
  idle_cold_.push_back(cold);
}

// What is lent comes back to nobody.
void Fetches::drop_cold(Context& context, Pending* pending) {
  for (Cold* cold : std::exchange(pending->cold, {})) {
    cold->pending = nullptr;
    if (!cold->is_lent) put_back(context, cold);
  }
  pending->cold_reads = pending->cold_lent = 0;
}

void Fetches::read_ready(Context& context, Pending* pending, const Partition& partition,
                         const FetchQuery& query, FetchResult* result) {
  const size_t rounds_max = kRoundsMax * (1 + pending->targets.size() / kReadsMax);
  if (pending->cold_rounds >= rounds_max) return partition.fetch(context.io(), query, result);
  const bool is_noted = !pending->skips_cold && pending->cold_reads < kReadsMax;
  ColdRead missing;
  if (!is_noted) missing.file = kOtherHandle;
  {
    const Impatient now(context.io(), &missing);
    partition.fetch(context.io(), query, result);
  }
  if (!is_noted || missing.file == kNoHandle) return;
  const int32_t disk = partition.options().disk;
  if (context.is_stuck(disk)) return (void)context.io().close(missing.file);
  take_cold(pending, disk)
      ->reads.push_back({missing, partition.slot(), partition.incarnation(), Status()});
  pending->cold_reads += 1;
}

void Fetches::lend_reads(Context& context, Pending* pending) {
  stop_waiting(context, pending);
  for (Read& read : pending->reads) read.result.slice = ReadSlice();
  pending->stage = Stage::kCold;
  pending->cold_rounds += 1;
  const size_t count = pending->cold_lent = pending->cold.size();
  pending->timer =
      context.start_timer(context.now_us() + kPatienceUs, &Fetches::waited_enough, pending);
  for (size_t i = 0; i < count; i += 1) {
    pending->cold[i]->is_lent = true;
    context.lend(pending->cold[i]);
  }
}

void Fetches::help_reads(DiskWork* work, Io& io) {
  for (Missing& missing : static_cast<Cold*>(work)->reads) {
    missing.status = read_cold(io, missing.range, kAheadBytes);
    missing.range.file = kNoHandle;  // closed
  }
}

void Fetches::reads_returned(PartitionWork* work, PartitionHost& host) {
  Cold* cold = static_cast<Cold*>(work);
  Context& context = context_of(host);
  cold->is_lent = false;
  for (const Missing& missing : cold->reads) {
    if (missing.status.code != Code::kIo) continue;
    const Partition* partition = context.partition(missing.slot);
    if (partition == nullptr || partition->incarnation() != missing.incarnation) continue;
    context.directory_failed(partition->options().log_directory, missing.status.error);
  }
  Fetches* self = cold->fetches;
  Pending* pending = cold->pending;
  if (pending == nullptr) return self->put_back(context, cold);
  pending->cold_lent -= 1;
  if (pending->cold_lent == 0) self->read_again(context, pending);
}

void Fetches::waited_enough(void* object, PartitionHost& host) {
  Pending* pending = static_cast<Pending*>(object);
  pending->timer = 0;
  pending->skips_cold = true;
  pending->fetches->read_again(context_of(host), pending);
}

void Fetches::read_again(Context& context, Pending* pending) {
  drop_cold(context, pending);
  if (pending->timer != 0) context.cancel_timer(std::exchange(pending->timer, 0));
  pending->stage = Stage::kReading;
  if (is_superseded(*pending)) return answer(context, pending);
  read_all(context, pending, false);
  proceed(context, pending);
}

}  // namespace ottla
