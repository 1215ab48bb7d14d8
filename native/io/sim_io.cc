// See sim_io.h: Io's calls, each asking the world for its fate first.
#include "sim_io.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {

Status dead() { return Status::fail(Code::kIo, "sim death", EIO); }
Status bad_handle() { return Status::fail(Code::kInvalid, "sim", EBADF); }

uint64_t digest(Bytes bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace

SimIo::~SimIo() { std::erase(world_->ios_, this); }

template <typename Body>
Status SimIo::on_path(SimOp op, const std::string& path, Body body) {
  if (!is_alive()) return dead();
  const SimWorld::Fate fate = world_->decide(op, path);
  const Status status = fate.happens ? body() : fate.status;
  return world_->finish(op, fate, status, digest(as_bytes(path)));
}

template <typename Body>
Status SimIo::on_file(SimOp op, Handle handle, uint64_t detail, Body body) {
  if (!is_alive()) return dead();
  SimWorld::OpenFile* file = world_->file(handle);
  if (file == nullptr) return bad_handle();
  const SimWorld::Fate fate = world_->decide(op, file->path);
  const Status status = body(file, fate);
  return world_->finish(op, fate, status, detail);
}

// ---- files ----

Status SimIo::open(const std::string& path, OpenMode mode, Handle* file) {
  return on_path(SimOp::kOpen, path, [&] {
    SimNodeRef node;
    OTTLA_TRY(world_->disk_.open(path, mode, wall_ms(), &node));
    *file = world_->open_file(std::move(node), path, mode != OpenMode::kRead, false);
    return Status::good();
  });
}

Status SimIo::close(Handle file) {
  return on_file(SimOp::kClose, file, 0, [&](SimWorld::OpenFile* open, const auto&) {
    SimWorld::release(open);
    world_->files_.erase(file);
    return Status::good();
  });
}

Status SimIo::lock_file(const std::string& path, Handle* file) {
  return on_path(SimOp::kLock, path, [&] {
    SimNodeRef node;
    OTTLA_TRY(world_->disk_.open(path, OpenMode::kReadWriteCreate, wall_ms(), &node));
    if (node->is_locked) return Status::fail(Code::kBusy, "lock", EAGAIN);
    *file = world_->open_file(std::move(node), path, true, true);
    return Status::good();
  });
}

Status SimIo::read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) {
  *got = 0;
  if (missing_ != nullptr && world_->faults_.chance(world_->chances.cold_read)) {
    const bool is_first = missing_->file == kNoHandle;
    if (is_first) OTTLA_TRY(duplicate(file, &missing_->file));
    if (is_first) *missing_ = {missing_->file, position, static_cast<int64_t>(bytes)};
    return Status::fail(Code::kWouldBlock, "cold");
  }
  return on_file(SimOp::kRead, file, bytes, [&](SimWorld::OpenFile* open, const auto& fate) {
    if (!fate.happens) return fate.status;
    SimNode& node = *open->node;
    if (position < 0) return Status::fail(Code::kInvalid, "pread", EINVAL);
    if (position >= node.bytes()) return Status::good();
    *got = std::min(bytes, static_cast<size_t>(node.bytes() - position));
    if (*got == 0) return Status::good();
    if (fate.flips_bit) {
      const uint64_t bit = world_->faults_.below(*got * 8);
      SimDisk::flip_bit(&node, position * 8 + static_cast<int64_t>(bit));
    }
    std::copy_n(node.now.data() + position, *got, static_cast<uint8_t*>(into));
    return Status::good();
  });
}

int64_t SimIo::ready_bytes(Handle, int64_t, int64_t bytes) {
  if (!world_->faults_.chance(world_->chances.cold_read)) return bytes;
  return static_cast<int64_t>(world_->faults_.below(static_cast<uint64_t>(bytes)));
}

Status SimIo::duplicate(Handle file, Handle* copy) {
  if (!is_alive()) return dead();
  SimWorld::OpenFile* open = world_->file(file);
  if (open == nullptr) return bad_handle();
  *copy = world_->open_file(open->node, open->path, open->is_writable, false);
  return Status::good();
}

Status SimIo::write_bytes(SimWorld::OpenFile* file, Bytes bytes, int64_t position,
                          const SimWorld::Fate& fate) {
  if (!file->is_writable) return bad_handle();
  if (position < 0) return Status::fail(Code::kInvalid, "pwrite", EINVAL);
  if (!fate.happens && !fate.is_short) return fate.status;
  const bool is_cut = fate.is_short && !bytes.empty();
  const size_t part = is_cut ? world_->faults_.below(bytes.size()) : bytes.size();
  const Status status = world_->disk_.write(file->node.get(), bytes.data(),
                                            static_cast<int64_t>(part), position, wall_ms());
  return fate.is_short ? fate.status : status;
}

Status SimIo::write(Handle file, const void* from, size_t bytes, int64_t position) {
  const Bytes data = as_bytes(from, bytes);
  return on_file(SimOp::kWrite, file, digest(data), [&](auto* open, const auto& fate) {
    return write_bytes(open, data, position, fate);
  });
}

Status SimIo::write_gathered(const WriteOp& op, const SimWorld::Fate& fate) {
  SimWorld::OpenFile* file = world_->file(op.file);
  if (file == nullptr) return world_->finish(SimOp::kSubmit, fate, bad_handle(), 0);
  gathered_.clear();
  for (int i = 0; i < op.iov_count; i += 1) {
    const uint8_t* from = static_cast<const uint8_t*>(op.iov[i].iov_base);
    gathered_.insert(gathered_.end(), from, from + op.iov[i].iov_len);
  }
  const Status status = write_bytes(file, Bytes(gathered_), op.position, fate);
  return world_->finish(SimOp::kSubmit, fate, status, digest(Bytes(gathered_)));
}

bool SimIo::is_waiting(Handle file) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Waiting& waiting) { return waiting.op->file == file; });
}

// A stalled write holds back the later ones of its file, and of no other.
void SimIo::submit(WriteOp* op) {
  if (!is_alive()) return op->done(op, dead());
  const SimWorld::OpenFile* file = world_->file(op->file);
  const SimWorld::Fate fate = world_->decide(SimOp::kSubmit, file == nullptr ? "" : file->path);
  const int64_t delay_us = world_->submit_latency_us + fate.stall_us;
  if (fate.dies || (delay_us == 0 && !is_waiting(op->file))) {
    return op->done(op, write_gathered(*op, fate));
  }
  int64_t due_us = now_us() + delay_us;
  for (const Waiting& earlier : waiting_) {
    if (earlier.op->file == op->file) due_us = std::max(due_us, earlier.due_us);
  }
  waiting_.push_back({op, due_us, fate});
}

// done() may submit again, close files or bring death: look afresh after each.
void SimIo::complete_due() {
  for (;;) {
    const auto due = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
      return waiting.due_us <= now_us();
    });
    if (due == waiting_.end() || !is_alive()) return;
    const Waiting waiting = *due;
    waiting_.erase(due);
    waiting.op->done(waiting.op, write_gathered(*waiting.op, waiting.fate));
  }
}

Status SimIo::sync(Handle file) {
  return on_file(SimOp::kSync, file, 0, [&](auto* open, const auto& fate) {
    if (fate.happens) SimDisk::sync(open->node.get());
    if (fate.loses_sync) world_->disk_.sync_and_lose(open->node.get());
    return fate.status;
  });
}

Status SimIo::truncate(Handle file, int64_t bytes) {
  return on_file(SimOp::kTruncate, file, static_cast<uint64_t>(bytes),
                 [&](auto* open, const auto& fate) {
                   if (!fate.happens) return fate.status;
                   if (!open->is_writable || bytes < 0) return bad_handle();
                   world_->disk_.truncate(open->node.get(), bytes, wall_ms());
                   return Status::good();
                 });
}

Status SimIo::allocate(Handle file, int64_t position, int64_t bytes) {
  return on_file(SimOp::kAllocate, file, static_cast<uint64_t>(bytes),
                 [&](auto* open, const auto& fate) {
                   if (!fate.happens) return fate.status;
                   if (!open->is_writable || position < 0 || bytes <= 0) return bad_handle();
                   return world_->disk_.allocate(open->node.get(), position + bytes);
                 });
}

Status SimIo::set_modified(Handle file, int64_t modified_ms) {
  return on_file(SimOp::kStat, file, 0, [&](auto* open, const auto& fate) {
    if (fate.happens) open->node->modified_ms = modified_ms;
    return fate.status;
  });
}

Status SimIo::file_bytes(Handle file, int64_t* bytes) {
  return on_file(SimOp::kFileBytes, file, 0, [&](auto* open, const auto& fate) {
    if (fate.happens) *bytes = open->node->bytes();
    return fate.status;
  });
}

Status SimIo::stat(const std::string& path, FileInfo* info) {
  return on_path(SimOp::kStat, path, [&] {
    SimNodeRef node;
    OTTLA_TRY(world_->disk_.find(path, &node));
    *info = {node->bytes(), node->modified_ms, node->is_directory};
    return Status::good();
  });
}

Status SimIo::list(const std::string& directory, std::vector<std::string>* names) {
  names->clear();
  return on_path(SimOp::kList, directory, [&] {
    SimNodeRef node;
    OTTLA_TRY(world_->disk_.find(directory, &node));
    if (!node->is_directory) return Status::fail(Code::kNotFound, "list", ENOTDIR);
    for (const auto& [name, entry] : node->entries) names->push_back(name);
    return Status::good();
  });
}

Status SimIo::make_directory(const std::string& path) {
  return on_path(SimOp::kMakeDirectory, path, [&] { return world_->disk_.make_directory(path); });
}

Status SimIo::rename(const std::string& from, const std::string& to) {
  // A rule may name either.
  return on_path(SimOp::kRename, from + " " + to, [&] { return world_->disk_.rename(from, to); });
}

Status SimIo::remove(const std::string& path) {
  return on_path(SimOp::kRemove, path, [&] { return world_->disk_.remove(path); });
}

Status SimIo::sync_directory(const std::string& path) {
  return on_path(SimOp::kSyncDirectory, path, [&] { return world_->disk_.sync_directory(path); });
}

// ---- sockets ----

template <typename Body>
Status SimIo::on_socket(SimOp op, Handle socket, size_t bytes, Body body) {
  if (!is_alive()) return dead();
  const SimWorld::Fate fate = world_->decide(op, "");
  Status status = fate.status;
  if (fate.happens) {
    const SimChances& chances = world_->chances;
    const bool moves = op == SimOp::kReceive || op == SimOp::kSend || op == SimOp::kSendFile;
    if (moves && world_->faults_.chance(chances.reset)) world_->net_.reset(socket);
    if (moves && bytes > 1 && world_->faults_.chance(chances.short_transfer)) {
      bytes = 1 + world_->faults_.below(bytes);
    }
    status = body(bytes);
  }
  return world_->finish(op, fate, status, bytes);
}

Status SimIo::listen(const SocketAddress& at, int backlog, const char*, Handle* listener,
                     uint16_t* port) {
  return on_socket(SimOp::kListen, kNoHandle, 0, [&](size_t) {
    const Handle made = world_->next_handle_++;
    OTTLA_TRY(world_->net_.listen(made, at, backlog, port));
    *listener = made;
    return Status::good();
  });
}

Status SimIo::accept(Handle listener, Handle* socket, SocketAddress* peer) {
  return on_socket(SimOp::kAccept, listener, 0, [&](size_t) {
    OTTLA_TRY(world_->net_.accept(listener, world_->next_handle_, now_us(), peer));
    *socket = world_->next_handle_++;
    return Status::good();
  });
}

Status SimIo::connect(const SocketAddress& to, Handle* socket) {
  return on_socket(SimOp::kConnect, kNoHandle, 0, [&](size_t) {
    *socket = world_->next_handle_++;
    world_->net_.connect(*socket, to, false, now_us());
    return Status::good();
  });
}

Status SimIo::connect_result(Handle socket) {
  return is_alive() ? world_->net_.connect_result(socket, now_us()) : dead();
}

Status SimIo::receive(Handle socket, void* into, size_t bytes, size_t* got) {
  *got = 0;
  return on_socket(SimOp::kReceive, socket, bytes, [&](size_t part) {
    return world_->net_.receive(socket, into, part, now_us(), got);
  });
}

Status SimIo::send(Handle socket, const iovec* iov, int count, bool, size_t* sent) {
  *sent = 0;
  gathered_.clear();
  for (int i = 0; i < count; i += 1) {
    const uint8_t* from = static_cast<const uint8_t*>(iov[i].iov_base);
    gathered_.insert(gathered_.end(), from, from + iov[i].iov_len);
  }
  return on_socket(SimOp::kSend, socket, gathered_.size(), [&](size_t part) {
    return world_->net_.send(socket, Bytes(gathered_).first(part), now_us(), sent);
  });
}

Status SimIo::send_file(Handle socket, Handle file, int64_t position, size_t bytes, size_t* sent) {
  *sent = 0;
  if (!is_alive()) return dead();
  SimWorld::OpenFile* open = world_->file(file);
  if (open == nullptr) return bad_handle();
  const SimWorld::Fate fate = world_->decide(SimOp::kSendFile, open->path);
  Status status = fate.status;
  SimNode& node = *open->node;
  if (fate.happens && bytes > 0 && position >= node.bytes()) {
    status = Status::fail(Code::kOutOfRange, "sendfile");
  } else if (fate.happens) {
    size_t part = std::min(bytes, static_cast<size_t>(node.bytes() - position));
    if (part > 1 && world_->faults_.chance(world_->chances.short_transfer)) {
      part = 1 + world_->faults_.below(part);
    }
    if (fate.flips_bit) {
      const uint64_t bit = world_->faults_.below(part * 8);
      SimDisk::flip_bit(&node, position * 8 + static_cast<int64_t>(bit));
    }
    if (world_->faults_.chance(world_->chances.reset)) world_->net_.reset(socket);
    status = world_->net_.send(socket, as_bytes(node.now.data() + position, part), now_us(), sent);
  }
  return world_->finish(SimOp::kSendFile, fate, status, *sent);
}

Status SimIo::set_buffers(Handle socket, int, int receive_bytes) {
  if (!is_alive()) return dead();
  if (receive_bytes >= 0) world_->net_.set_buffer(socket, static_cast<size_t>(receive_bytes));
  return Status::good();
}

void SimIo::shutdown_write(Handle socket) {
  if (is_alive()) world_->net_.shutdown_write(socket, now_us());
}

void SimIo::close_socket(Handle socket) {
  watches_.erase(socket);
  if (is_alive()) world_->net_.close(socket, now_us());
}

// ---- readiness ----

Status SimIo::watch(Handle socket, void* tag, bool readable, bool writable) {
  if (!is_alive()) return Status::good();
  OTTLA_ASSERT(world_->net_.exists(socket), "a socket that can be watched");
  if (world_->watches_refused > 0 && watches_.count(socket) == 0) {
    world_->watches_refused -= 1;
    return Status::fail(Code::kBusy, "simulated", 28);
  }
  watches_[socket] = {tag, readable, writable};
  return Status::good();
}

int64_t SimIo::next_us() const {
  if (!is_alive()) return INT64_MAX;
  int64_t next = is_woken_ ? world_->now_us_ : deadline_us_;
  for (const Waiting& waiting : waiting_) next = std::min(next, waiting.due_us);
  return next;
}

int SimIo::poll(Event* events, int count_max, int64_t timeout_us) {
  if (!is_alive()) {
    while (!waiting_.empty()) {  // who waits for a dead disk is told
      WriteOp* op = waiting_.front().op;
      waiting_.pop_front();
      op->done(op, dead());
    }
    return 0;
  }
  deadline_us_ = timeout_us > 0 ? now_us() + timeout_us : INT64_MAX;
  is_woken_ = false;
  complete_due();
  if (!is_alive()) return 0;
  int count = 0;
  auto next = watches_.upper_bound(polled_last_);
  for (size_t looked = 0; looked < watches_.size() && count < count_max; looked += 1, ++next) {
    if (next == watches_.end()) next = watches_.begin();
    const auto& [socket, watch] = *next;
    SimNet::Ready ready = world_->net_.ready(socket, now_us());
    ready.readable = ready.readable && watch.readable;
    ready.writable = ready.writable && watch.writable;
    if (!ready.readable && !ready.writable && !ready.hangup) continue;
    events[count] = {watch.tag, ready.readable, ready.writable, ready.hangup};
    count += 1;
    polled_last_ = socket;
  }
  return count;
}

}  // namespace ottla
