// Fetches: how they wait for what is not there yet, and rest where nothing changes. See fetch.h.
#include <utility>

#include "../gen/layout.h"
#include "fetch.h"

namespace ottla {

using gen::ErrorCode;

namespace {

void count_waiting(PartitionHost& host, double amount) {
  CounterRow(host.counters(), kCounterColumns).add(counter::kFetchWaiting, amount);
}

}  // namespace

void Fetches::wait(Context& context, Pending* pending) {
  pending->stage = Stage::kWaiting;
  pending->has_waited = true;
  count_waiting(context, 1);
  pending->timer = context.start_timer(pending->deadline_us, &Fetches::timed_out, pending);
  for (Read& read : pending->reads) read.result.slice = ReadSlice();  // waiting holds no segment
  if (pending->session != nullptr) pending->session->request = pending;
  if (reads_due(*pending)) {
    for (size_t i = 0; i < pending->cells.size(); i += 1) attend(context, pending, i);
    return;
  }
  pending->request = pending;
  pending->waiting = pending->targets.size();
  if (pending->waits.size() < pending->waiting) {
    pending->waits = std::vector<FetchWait>(pending->waiting);
  }
  for (size_t i = 0; i < pending->targets.size(); i += 1) {
    const Read& read = pending->reads[i];
    Partition* partition = read.slot < 0 ? nullptr : context.partition(read.slot);
    if (partition == nullptr) continue;
    context.purgatory().add(&pending->waits[i], pending, read.slot);
    partition->want_wake(context.reactor(), pending->replica_id >= 0);
    if (has_moved(context, *pending, i)) context.purgatory().wake(&pending->waits[i]);
  }
}

// Between the read and the wish to be woken something may have moved what the read saw.
bool Fetches::has_moved(Context& context, const Pending& pending, size_t target) const {
  const Read& read = pending.reads[target];
  const Partition* partition = context.partition(read.slot);
  if (partition != read.partition || partition->version() != read.result.version) return true;
  return pending.replica_id >= 0 && partition->log_end_offset() != read.result.log_end_offset;
}

void Fetches::stop_waiting(Context& context, Pending* pending) {
  for (size_t i = 0; i < pending->waiting; i += 1) context.purgatory().remove(&pending->waits[i]);
  pending->waiting = 0;
  while (FetchWait* wait = pending->woken.pop_front()) wait->is_woken = false;
  if (pending->woken_link.linked()) pending->woken_link.unlink();
  pending->request = nullptr;
  FetchSession* session = pending->session;
  if (session != nullptr && session->request == pending) {
    if (session->woken_link.linked()) session->woken_link.unlink();
    session->request = nullptr;
  }
  if (pending->timer != 0) context.cancel_timer(std::exchange(pending->timer, 0));
  if (pending->stage == Stage::kWaiting) {
    count_waiting(context, -1);
    pending->stage = Stage::kReading;
  }
}

// Re-reads what was woken, each as if it were alone: enough of them together and all are read once
// more, unless there is but one.
void Fetches::look_again(Context& context, Pending* pending) {
  bool is_alone = false;
  if (reads_due(*pending)) {
    read_woken_cells(context, pending);
    is_alone = pending->session->has_one_due();
  } else {
    read_woken(context, pending);
    is_alone = pending->targets.size() == 1;
  }
  if (!pending->cold.empty()) return lend_reads(context, pending);
  if (!is_ready(*pending)) {
    for (Read& read : pending->reads) read.result.slice = ReadSlice();
    return;
  }
  if (!is_alone) read_all(context, pending, false);
  if (!pending->cold.empty()) return lend_reads(context, pending);
  answer(context, pending);
}

void Fetches::read_woken(Context& context, Pending* pending) {
  while (FetchWait* wait = pending->woken.pop_front()) {
    wait->is_woken = false;
    Partition* partition = wait->slot < 0 ? nullptr : context.partition(wait->slot);
    if (partition != nullptr) partition->want_wake(context.reactor(), pending->replica_id >= 0);
    const auto target = static_cast<size_t>(wait - pending->waits.data());
    read(context, pending, target, bytes_max(*pending), true, false);
  }
}

// --- a session's partitions

size_t Fetches::entry_of(Pending* pending, FetchSession::Cell* cell) {
  if (cell->entry >= pending->cells.size() || pending->cells[cell->entry] != cell) {
    cell->entry = pending->cells.size();
    pending->cells.push_back(cell);
    pending->targets.push_back(cell->target);
    pending->reads.emplace_back();
  }
  return cell->entry;
}

void Fetches::read_woken_cells(Context& context, Pending* pending) {
  while (FetchSession::Cell* cell = pending->session->take_woken()) {
    const size_t target = entry_of(pending, cell);
    read(context, pending, target, bytes_max(*pending), true, false);
    attend(context, pending, target);
  }
}

// Whatever changes it from now on wakes its cell; it rests where nothing has to be said of it.
void Fetches::attend(Context& context, Pending* pending, size_t target) {
  const Read& read = pending->reads[target];
  FetchSession::Cell* cell = pending->cells[target];
  if (read.partition == nullptr || read.result.error != ErrorCode::kNone) return;
  if (cell->is_resting) return;
  pending->session->watch(&context.purgatory(), cell, read.slot);
  Partition* partition = context.partition(read.slot);
  if (partition != nullptr) partition->want_wake(context.reactor(), false);
  if (has_moved(context, *pending, target)) return context.purgatory().wake(cell);
  if (!read.result.has_data && !FetchSession::must_say(*cell, outcome_of(read))) {
    pending->session->rest(cell);
  }
}

// Like attend, but of what stays due nobody need be woken yet: the next request reads it anyway.
void Fetches::attend_idle(Context& context, Pending* pending, size_t target) {
  if (!pending->reads[target].result.has_data) attend(context, pending, target);
}

}  // namespace ottla
