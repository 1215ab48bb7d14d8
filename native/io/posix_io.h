// PosixIo: what every Io on a real kernel shares: the clock, randomness, files and plain sockets. A
// backend adds readiness: watch, unwatch, poll and wake (epoll.cc, uring.cc).
//
// Files are posix_files.cc, sockets posix_sockets.cc. Appends go through writers.h; a backend owns
// its Writers itself, as their threads call its wake() until they have ended.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io.h"
#include "posix_files.h"
#include "posix_sockets.h"
#include "writers.h"

namespace ottla {

struct PosixOptions {
  // A disk on which one append took longer gets a writer thread until it is well again (writers.h);
  // 0: never. Above the 14 ms for which a busy machine may simply not run us.
  int64_t slow_write_us = 0;
  // What is written need not outlive the process: sync() and sync_directory() do nothing.
  bool is_volatile = false;
};

// Closed with whoever has it.
class Descriptor {
 public:
  explicit Descriptor(int given) : number(given) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  const int number;
};

class PosixIo : public Io {
 public:
  int64_t now_us() final;
  int64_t wall_ms() final;
  uint64_t random() final;

  Status open(const std::string& path, OpenMode mode, Handle* file) final {
    return posix::open(path, mode, file);
  }
  Status close(Handle file) final { return posix::close(file); }
  Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) final {
    return missing_ == nullptr ? posix::read(file, into, bytes, position, got)
                               : read_ready(file, into, bytes, position, got);
  }
  void refuse_to_wait(ColdRead* missing) final { missing_ = missing; }
  int64_t ready_bytes(Handle file, int64_t position, int64_t bytes) final {
    return posix::ready_bytes(file, position, bytes);
  }
  void prefetch(Handle file, int64_t position, int64_t bytes) final {
    posix::prefetch(file, position, bytes);
  }
  Status duplicate(Handle file, Handle* copy) final { return posix::duplicate(file, copy); }
  Status write(Handle file, const void* from, size_t bytes, int64_t position) final {
    return posix::write(file, from, bytes, position);
  }
  Status sync(Handle file) final {
    return is_volatile_ || owes_sync() ? Status::good() : posix::sync(file);
  }
  Status truncate(Handle file, int64_t bytes) final { return posix::truncate(file, bytes); }
  Status allocate(Handle file, int64_t position, int64_t bytes) final {
    return posix::allocate(file, position, bytes);
  }
  Status set_modified(Handle file, int64_t modified_ms) final {
    return posix::set_modified(file, modified_ms);
  }
  Status file_bytes(Handle file, int64_t* bytes) final { return posix::file_bytes(file, bytes); }
  Status stat(const std::string& path, FileInfo* info) final { return posix::stat(path, info); }
  Status list(const std::string& directory, std::vector<std::string>* names) final {
    return posix::list(directory, names);
  }
  Status make_directory(const std::string& path) final { return posix::make_directory(path); }
  Status rename(const std::string& from, const std::string& to) final {
    return posix::rename(from, to);
  }
  Status remove(const std::string& path) final { return posix::remove(path); }
  Status sync_directory(const std::string& path) final {
    return is_volatile_ || owes_sync() ? Status::good() : posix::sync_directory(path);
  }
  Status replace(const std::string& from, const std::string& to) final {
    if (!owes_sync()) return Io::replace(from, to);
    replaces_[to] = from;  // once, however often it was written
    return Status::good();
  }
  void defer_syncs() final { is_deferring_ = true; }
  Status catch_up(const std::function<Status()>& sync_disks) final;
  Status sync_order(const std::string& directory) final {
    return is_volatile_ ? Status::good() : posix::sync_directory(directory);
  }
  Status open_disk(const std::string& directory, Handle* disk) final {
    return posix::open_disk(directory, disk);
  }
  Status sync_disk(Handle disk) final {
    return is_volatile_ ? Status::good() : posix::sync_disk(disk);
  }
  Status lock_file(const std::string& path, Handle* file) final {
    return posix::lock_file(path, file);
  }

  Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                Handle* listener, uint16_t* port) override {
    return posix::listen(at, backlog, congestion_control, listener, port);
  }
  Status accept(Handle listener, Handle* socket, SocketAddress* peer) override {
    return posix::accept(listener, socket, peer);
  }
  Status connect(const SocketAddress& to, Handle* socket) final {
    return posix::connect(to, socket);
  }
  Status connect_result(Handle socket) final { return posix::connect_result(socket); }
  Status receive(Handle socket, void* into, size_t bytes, size_t* got) override {
    return posix::receive(socket, into, bytes, got);
  }
  Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) override {
    return posix::send(socket, iov, count, more, sent);
  }
  Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                   size_t* sent) override {
    if (!is_sigpipe_masked_) mask_sigpipe();
    return posix::send_file(socket, file, position, bytes, sent);
  }
  Status set_buffers(Handle socket, int send_bytes, int receive_bytes) final {
    return posix::set_buffers(socket, send_bytes, receive_bytes);
  }
  void shutdown_write(Handle socket) final { posix::shutdown_write(socket); }
  void close_socket(Handle socket) override { (void)posix::close(socket); }

  // Rings the eventfd, whose counter nobody reads: a backend looks for its edges.
  void wake() final;

 protected:
  // `wake`: an eventfd, from now on its own.
  PosixIo(int wake, const PosixOptions& options) : wake_(wake), is_volatile_(options.is_volatile) {}

  static Writers::Options writer_options(const PosixOptions& options);
  int wake_descriptor() const { return wake_.number; }

 private:
  static constexpr size_t kEntropyWords = 32;

  void mask_sigpipe();
  Status read_ready(Handle file, void* into, size_t bytes, int64_t position, size_t* got);
  // True: it is noted.
  bool owes_sync() {
    owes_sync_ = owes_sync_ || is_deferring_;
    return is_deferring_;
  }

  const Descriptor wake_;
  const bool is_volatile_;
  ColdRead* missing_ = nullptr;  // somebody does not want to wait
  bool is_deferring_ = false;
  bool owes_sync_ = false;
  std::map<std::string, std::string> replaces_;  // by the name that is to be
  bool is_sigpipe_masked_ = false;
  size_t entropy_left_ = 0;
  uint64_t entropy_[kEntropyWords];
};

}  // namespace ottla
