// Log's life: open, truncate, delete from the front, flush, close, remove. Kafka: UnifiedLog,
// LocalLog.
//
// Order is what makes a crash harmless. Names go away newest first when the end is cut and oldest
// first when the front is, so what survives is always one run of offsets; a cut end is synced
// before anything is written behind it, so that old batches cannot come back after new ones.
#include "log.h"

#include <algorithm>
#include <utility>

#include "../base/assert.h"
#include "files.h"
#include "log_state.h"

namespace ottla {

namespace {
constexpr size_t kOwnFilesMax = 64;  // descriptors of a log that brings no cache

// Odd while bytes go: readers that meet something odd then look again.
class Truncation {
 public:
  explicit Truncation(std::atomic<uint64_t>* generation) : generation_(generation) {
    generation_->fetch_add(1, std::memory_order_acq_rel);
  }
  Truncation(const Truncation&) = delete;
  Truncation& operator=(const Truncation&) = delete;
  ~Truncation() { generation_->fetch_add(1, std::memory_order_acq_rel); }

 private:
  std::atomic<uint64_t>* const generation_;
};
}  // namespace

Log::Log() = default;
Log::~Log() = default;

Status Log::open(Io& io, const Options& options, std::unique_ptr<Log>* log, Recovery* recovery) {
  std::unique_ptr<Quiescence> quiescence;
  std::unique_ptr<FileCache> files;
  if (options.quiescence == nullptr) quiescence = std::make_unique<Quiescence>();
  if (options.files == nullptr) files = std::make_unique<FileCache>(kOwnFilesMax);
  std::unique_ptr<Log> fresh(new Log);
  fresh->state_ = std::make_unique<State>(options, files ? files.get() : options.files,
                                          quiescence ? quiescence.get() : options.quiescence);
  fresh->state_->own_quiescence = std::move(quiescence);
  fresh->state_->own_files = std::move(files);
  OTTLA_TRY(fresh->state_->recover(io, recovery));
  *log = std::move(fresh);
  return Status::good();
}

Status Log::State::fail_forever(Status status) {
  if (offline.ok()) offline = status;
  return status;
}

// --- the end

Status Log::truncate_to(Io& io, int64_t offset) {
  OTTLA_ASSERT(state_->write_io == nullptr, "no write is under way");
  OTTLA_TRY(state_->offline);
  return state_->truncate_to(io, offset);
}

// truncate_to(31) on [10,30][31,100] leaves [10,30]; truncate_to(40) does too: a batch goes as a
// whole, and the log ends where it began.
Status Log::State::truncate_to(Io& io, int64_t offset) {
  if (offset < 0) return Status::fail(Code::kInvalid, "negative offset");
  OTTLA_TRY(settle_swap(io));
  const std::vector<Segment*> all = segments();
  if (offset < all.front()->base_offset()) return start_at(io, offset);
  if (offset >= all.back()->end().next_offset &&
      offset >= log_end_offset.load(std::memory_order_relaxed)) {
    return Status::good();
  }
  const Truncation truncation(&generation);
  touched = true;
  int64_t end = std::min(offset, log_end_offset.load(std::memory_order_relaxed));
  log_end_offset.store(end, std::memory_order_release);
  const size_t keep = view.read()->floor(offset) + 1;
  Segment* last = all[keep - 1];
  last->ref();
  for (Segment* segment : all) segment->ref();  // removed after the view lets go
  publish_segments({all.begin(), all.begin() + static_cast<ptrdiff_t>(keep)});
  Status status;
  for (size_t i = all.size(); i > keep && status.ok(); i -= 1) {
    status = all[i - 1]->remove(io, later());
  }
  if (status.ok() && keep < all.size()) status = io.sync_directory(options.directory);
  for (Segment* segment : all) segment->unref();
  if (status.ok()) status = last->truncate_to(io, &limbo, offset, &end);
  if (status.ok()) status = last->sync(io);
  last->unref();
  if (!status.ok()) return fail_forever(status);
  tail_dirty = false;
  log_end_offset.store(end, std::memory_order_release);
  for (std::atomic<int64_t>* point : {&recovery_point, &log_start_offset}) {
    if (point->load(std::memory_order_relaxed) > end) point->store(end, std::memory_order_release);
  }
  return Status::good();
}

Status Log::truncate_fully_and_start_at(Io& io, int64_t offset) {
  OTTLA_ASSERT(state_->write_io == nullptr, "no write is under way");
  OTTLA_TRY(state_->offline);
  return state_->start_at(io, offset);
}

Status Log::State::start_at(Io& io, int64_t offset) {
  OTTLA_TRY(settle_swap(io));
  const Truncation truncation(&generation);
  touched = true;
  std::vector<Segment*> all = segments();
  for (Segment* segment : all) segment->ref();
  Status status;
  // The view may not be empty, so the files go first; readers that come now find them gone and look
  // again.
  for (size_t i = all.size(); i > 0 && status.ok(); i -= 1) {
    status = all[i - 1]->remove(io, later());
  }
  Segment* fresh = new Segment(segment_options(offset));
  if (status.ok()) status = fresh->create(io, config);
  if (status.ok()) {
    publish_segments({fresh});
    log_start_offset.store(offset, std::memory_order_release);
    log_end_offset.store(offset, std::memory_order_release);
    recovery_point.store(std::min(offset, recovery_point.load(std::memory_order_relaxed)),
                         std::memory_order_release);
    tail_dirty = false;
    status = io.sync_directory(options.directory);
  }
  fresh->unref();
  for (Segment* segment : all) segment->unref();
  return status.ok() ? status : fail_forever(status);
}

// --- the front

Status Log::set_log_start_offset(Io& io, int64_t offset) {
  State& state = *state_;
  OTTLA_TRY(state.offline);
  if (offset <= log_start_offset()) return Status::good();
  if (offset > log_end_offset()) return Status::fail(Code::kOutOfRange, "log start beyond log end");
  OTTLA_TRY(state.settle_swap(io));
  state.log_start_offset.store(offset, std::memory_order_release);
  const std::vector<Segment*>& all = state.segments();
  size_t doomed = 0;
  while (doomed + 1 < all.size() && all[doomed + 1]->base_offset() <= offset) doomed += 1;
  return state.delete_front(io, doomed);
}

// Oldest first, so that what a crash leaves is one run of offsets.
Status Log::State::delete_front(Io& io, size_t doomed) {
  if (doomed == 0) return Status::good();
  const std::vector<Segment*> all = segments();
  for (size_t i = 0; i < doomed; i += 1) all[i]->ref();
  publish_segments({all.begin() + static_cast<ptrdiff_t>(doomed), all.end()});
  directory_dirty = true;
  Status status;
  for (size_t i = 0; i < doomed; i += 1) {
    if (status.ok()) status = all[i]->remove(io, later());
    all[i]->unref();
  }
  return status;
}

// --- durability

Status Log::flush(Io& io, int64_t up_to_offset) {
  std::unique_ptr<FlushJob> job;
  OTTLA_TRY(flush_begin(io, up_to_offset, &job));
  if (job == nullptr) return Status::good();
  const Status status = flush_run(io, job.get());
  return flush_end(std::move(job), status);
}

Status Log::flush_begin(Io& io, int64_t up_to_offset, std::unique_ptr<FlushJob>* job) {
  State& state = *state_;
  OTTLA_TRY(state.offline);
  const int64_t up_to = std::min(up_to_offset, log_end_offset());
  const int64_t from = recovery_point();
  if (up_to <= from) return Status::good();
  auto fresh = std::make_unique<FlushJob>();
  fresh->up_to = up_to;
  fresh->generation = generation();
  fresh->directory = state.options.directory;
  fresh->sync_directory = state.directory_dirty;
  fresh->sync_parent = state.parent_dirty;
  const LogView& view = *state.view.read();
  // Also the one that ended where the last flush did: it was not rolled then, and its indexes not
  // synced.
  for (size_t i = view.floor(std::max<int64_t>(from - 1, 0)); i < view.segments.size(); i += 1) {
    Segment* segment = view.segments[i];
    if (segment->base_offset() >= up_to) break;
    segment->ref();
    fresh->parts.push_back({segment, false});
    if (i + 1 == view.segments.size()) continue;
    const Status sealed = segment->seal(io, &state.limbo);  // again, should the first have failed
    // A full disk leaves them shorter than they should be, which is only slower.
    if (sealed.code != Code::kNoSpace) OTTLA_TRY(sealed);
    fresh->parts.back().is_sealed = sealed.ok();
  }
  state.directory_dirty = state.parent_dirty = false;
  *job = std::move(fresh);
  return Status::good();
}

Status Log::flush_run(Io& io, FlushJob* job) {
  for (const FlushJob::Part& part : job->parts) {
    const Status status = part.is_sealed ? part.segment->sync_all(io) : part.segment->sync_kept(io);
    if (!status.ok() && !part.segment->is_gone()) return status;
  }
  if (job->sync_directory) OTTLA_TRY(io.sync_directory(job->directory));
  return job->sync_parent ? io.sync_directory(parent_directory(job->directory)) : Status::good();
}

Status Log::sync_rebuilt(Io& io, int64_t offset) {
  for (Segment* segment : state_->segments()) {
    const int64_t base = segment->base_offset();
    if (base >= offset && base < recovery_point()) OTTLA_TRY(segment->sync_all(io));
  }
  return io.sync_directory(state_->options.directory);
}

FlushJob::~FlushJob() {
  for (const Part& part : parts) part.segment->unref();
}

// A sync that failed may have dropped the pages it could not write: another that succeeds proves
// nothing.
Status Log::flush_end(std::unique_ptr<FlushJob> job, Status result) {
  State& state = *state_;
  if (!result.ok()) return state.fail_forever(result);
  if (job->generation == generation() && job->up_to > recovery_point()) {
    state.recovery_point.store(job->up_to, std::memory_order_release);
  }
  return Status::good();
}

Status Log::close(Io& io, bool clean) {
  State& state = *state_;
  OTTLA_ASSERT(state.write_io == nullptr, "no write is under way");
  if (state.closed) return state.offline;
  state.closed = true;
  Status status = state.offline;
  if (status.ok()) status = state.settle_swap(io);
  state.swap.reset();
  if (status.ok() && state.tail_dirty) status = state.active()->cut_tail(io);
  for (Segment* segment : state.segments()) {
    if (status.ok() && state.touched) status = segment->seal(io, &state.limbo);
  }
  if (status.ok() && clean && state.touched) {
    status = flush(io, log_end_offset());
    const std::vector<Segment*>& all = state.segments();
    if (status.ok() && all.size() > 1) status = all[all.size() - 2]->sync_all(io);
    if (status.ok()) status = state.active()->sync_all(io);
    // The names too, of its indexes and of the producers' snapshot: where one is missing, the next
    // start believes that there was nothing to say.
    if (status.ok()) status = io.sync_directory(state.options.directory);
    if (!status.ok()) (void)state.fail_forever(status);
  }
  for (Segment* segment : state.segments()) {
    const Status closed = segment->close_files(io);
    if (status.ok()) status = closed;
  }
  reclaim(io);
  return status;
}

Status Log::remove(Io& io) {
  State& state = *state_;
  OTTLA_ASSERT(state.write_io == nullptr, "no write is under way");
  state.closed = true;
  state.swap.reset();
  const Truncation truncation(&state.generation);
  const std::string& directory = state.options.directory;
  const std::string parent = parent_directory(directory);
  const auto name =
      parse_partition_directory(std::string_view(directory).substr(parent.size() + 1));
  std::string doomed = directory;
  if (name.has_value() &&
      (name->kind == DirectoryKind::kLive || name->kind == DirectoryKind::kFuture)) {
    doomed = parent + "/" + deleted_directory_name(name->topic, name->partition, io);
    for (Segment* segment : state.segments()) segment->mark_gone();
    OTTLA_TRY(io.rename(directory, doomed));
    OTTLA_TRY(io.sync_directory(parent));
  }
  for (Segment* segment : state.segments()) (void)segment->close_files(io);
  reclaim(io);
  if (!state.options.unlinks_later) return remove_directory(io, doomed);
  state.doomed = {doomed};  // and all that is in it
  return Status::good();
}

std::vector<std::string> Log::take_doomed() { return std::exchange(state_->doomed, {}); }

// What is left after a failure goes when the log, or its directory, is opened next.
void Log::unlink(Io& io, const std::vector<std::string>& doomed) {
  for (const std::string& path : doomed) {
    FileInfo info;
    if (!io.stat(path, &info).ok()) continue;
    (void)(info.is_directory ? remove_directory(io, path) : io.remove(path));
  }
}

void Log::reclaim(Io& io) {
  state_->limbo.reclaim();
  state_->files->drain(io);
}

void Log::configure(const LogConfig& config) { state_->config = config; }

void Log::on_roll(void (*rolled)(void* context, int64_t base_offset), void* context) {
  state_->rolled = rolled;
  state_->rolled_context = context;
}

Status Log::append_aborted(Io& io, const AbortedTransaction& transaction) {
  const LogView& view = *state_->view.read();
  TransactionIndex& index = view.segments[view.floor(transaction.last_offset)]->aborted();
  if (transaction.last_offset <= index.last_offset()) return Status::good();  // a replay
  state_->directory_dirty = state_->directory_dirty || !index.exists();
  return index.append(io, transaction);
}

Status Log::health() const { return state_->offline; }

}  // namespace ottla
