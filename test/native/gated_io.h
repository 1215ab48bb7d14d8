// A real Io whose disk can be made to hang: while a Gate is shut, whatever touches a file below its
// directory waits for as long as the test likes, as a process does in a system call. What must not
// wait (a read that refuses to) is told so, as page cache and kernel would.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../../native/io/epoll.h"

namespace ottla::test {

class Gate {
 public:
  explicit Gate(std::string directory) : directory_(std::move(directory)) {}
  void shut() { set(true); }
  void open() { set(false); }
  // Waits until so many threads hang.
  void wait_for(size_t count) {
    std::unique_lock<std::mutex> lock(lock_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

  bool holds(Handle file) {
    std::lock_guard<std::mutex> lock(lock_);
    return is_shut_ && files_.count(file) > 0;
  }
  void pass(Handle file) {
    std::unique_lock<std::mutex> lock(lock_);
    if (files_.count(file) > 0) wait(lock);
  }
  void pass(const std::string& path) {
    std::unique_lock<std::mutex> lock(lock_);
    if (path.starts_with(directory_)) wait(lock);
  }
  void opened(const std::string& path, Handle file) {
    std::lock_guard<std::mutex> lock(lock_);
    if (path.starts_with(directory_)) files_.insert(file);
  }
  void duplicated(Handle file, Handle copy) {
    std::lock_guard<std::mutex> lock(lock_);
    if (files_.count(file) > 0) files_.insert(copy);
  }
  void closing(Handle file) {
    std::lock_guard<std::mutex> lock(lock_);
    files_.erase(file);
  }

 private:
  void set(bool is_shut) {
    std::lock_guard<std::mutex> lock(lock_);
    is_shut_ = is_shut;
    changed_.notify_all();
  }
  void wait(std::unique_lock<std::mutex>& lock) {
    waiting_ += 1;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_shut_; });
    waiting_ -= 1;
  }

  const std::string directory_;
  std::mutex lock_;
  std::condition_variable changed_;
  bool is_shut_ = false;
  size_t waiting_ = 0;
  std::set<Handle> files_;  // open ones below the directory
};

class GatedIo final : public Io {
 public:
  explicit GatedIo(Gate* gate) : gate_(gate), io_(make_epoll_io()) {}

  int64_t now_us() override { return io_->now_us(); }
  int64_t wall_ms() override { return io_->wall_ms(); }
  uint64_t random() override { return io_->random(); }

  // What is opened has been opened before: that asks no disk.
  Status open(const std::string& path, OpenMode mode, Handle* file) override {
    if (mode != OpenMode::kRead && mode != OpenMode::kReadWrite) gate_->pass(path);
    const Status status = io_->open(path, mode, file);
    if (status.ok()) gate_->opened(path, *file);
    return status;
  }
  Status close(Handle file) override {
    gate_->closing(file);
    return io_->close(file);
  }
  Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) override {
    if (missing_ != nullptr && gate_->holds(file)) {
      if (missing_->file == kNoHandle) {
        OTTLA_TRY(duplicate(file, &missing_->file));
        missing_->position = position;
        missing_->bytes = static_cast<int64_t>(bytes);
      }
      *got = 0;
      return Status::fail(Code::kWouldBlock, "gate");
    }
    gate_->pass(file);
    return io_->read(file, into, bytes, position, got);
  }
  void refuse_to_wait(ColdRead* missing) override { missing_ = missing; }
  int64_t ready_bytes(Handle file, int64_t position, int64_t bytes) override {
    return gate_->holds(file) ? 0 : io_->ready_bytes(file, position, bytes);
  }
  void prefetch(Handle, int64_t, int64_t) override {}
  Status duplicate(Handle file, Handle* copy) override {
    const Status status = io_->duplicate(file, copy);
    if (status.ok()) gate_->duplicated(file, *copy);
    return status;
  }
  Status write(Handle file, const void* from, size_t bytes, int64_t position) override {
    gate_->pass(file);
    return io_->write(file, from, bytes, position);
  }
  void submit(WriteOp* op) override {
    gate_->pass(op->file);
    io_->submit(op);
  }
  Status sync(Handle file) override {
    gate_->pass(file);
    return io_->sync(file);
  }
  Status truncate(Handle file, int64_t bytes) override {
    gate_->pass(file);
    return io_->truncate(file, bytes);
  }
  Status allocate(Handle file, int64_t position, int64_t bytes) override {
    gate_->pass(file);
    return io_->allocate(file, position, bytes);
  }
  Status set_modified(Handle file, int64_t modified_ms) override {
    gate_->pass(file);
    return io_->set_modified(file, modified_ms);
  }
  Status file_bytes(Handle file, int64_t* bytes) override { return io_->file_bytes(file, bytes); }
  Status stat(const std::string& path, FileInfo* info) override {
    gate_->pass(path);
    return io_->stat(path, info);
  }
  Status list(const std::string& directory, std::vector<std::string>* names) override {
    gate_->pass(directory);
    return io_->list(directory, names);
  }
  Status make_directory(const std::string& path) override {
    gate_->pass(path);
    return io_->make_directory(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    gate_->pass(from);
    return io_->rename(from, to);
  }
  Status remove(const std::string& path) override {
    gate_->pass(path);
    return io_->remove(path);
  }
  Status sync_directory(const std::string& path) override {
    gate_->pass(path);
    return io_->sync_directory(path);
  }
  void defer_syncs() override { io_->defer_syncs(); }
  Status catch_up(const std::function<Status()>& sync_disks) override {
    return io_->catch_up(sync_disks);
  }
  Status open_disk(const std::string& directory, Handle* disk) override {
    gate_->pass(directory);
    const Status status = io_->open_disk(directory, disk);
    if (status.ok()) gate_->opened(directory, *disk);
    return status;
  }
  Status sync_disk(Handle disk) override {
    gate_->pass(disk);
    return io_->sync_disk(disk);
  }
  Status lock_file(const std::string& path, Handle* file) override {
    return io_->lock_file(path, file);
  }

  Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                Handle* listener, uint16_t* port) override {
    return io_->listen(at, backlog, congestion_control, listener, port);
  }
  Status accept(Handle listener, Handle* socket, SocketAddress* peer) override {
    return io_->accept(listener, socket, peer);
  }
  Status connect(const SocketAddress& to, Handle* socket) override {
    return io_->connect(to, socket);
  }
  Status connect_result(Handle socket) override { return io_->connect_result(socket); }
  Status receive(Handle socket, void* into, size_t bytes, size_t* got) override {
    return io_->receive(socket, into, bytes, got);
  }
  Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) override {
    return io_->send(socket, iov, count, more, sent);
  }
  Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                   size_t* sent) override {
    return io_->send_file(socket, file, position, bytes, sent);
  }
  Status set_buffers(Handle socket, int send_bytes, int receive_bytes) override {
    return io_->set_buffers(socket, send_bytes, receive_bytes);
  }
  void shutdown_write(Handle socket) override { io_->shutdown_write(socket); }
  void close_socket(Handle socket) override { io_->close_socket(socket); }
  Status watch(Handle socket, void* tag, bool readable, bool writable) override {
    return io_->watch(socket, tag, readable, writable);
  }
  void unwatch(Handle socket) override { io_->unwatch(socket); }
  int poll(Event* events, int count_max, int64_t timeout_us) override {
    return io_->poll(events, count_max, timeout_us);
  }
  void wake() override { io_->wake(); }

 private:
  Gate* const gate_;
  const std::unique_ptr<Io> io_;
  ColdRead* missing_ = nullptr;
};

}  // namespace ottla::test
