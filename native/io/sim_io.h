// One reactor's Io in a SimWorld. Made by SimWorld::make_io() only.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "sim.h"

namespace ottla {

class SimIo final : public Io {
 public:
  explicit SimIo(SimWorld* world) : world_(world), life_(world->life_) {}
  ~SimIo() override;

  int64_t now_us() override { return world_->now_us_; }
  int64_t wall_ms() override { return world_->wall_ms(); }
  uint64_t random() override { return world_->random_.next(); }

  Status open(const std::string& path, OpenMode mode, Handle* file) override;
  Status close(Handle file) override;
  Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) override;
  void refuse_to_wait(ColdRead* missing) override { missing_ = missing; }
  int64_t ready_bytes(Handle file, int64_t position, int64_t bytes) override;
  void prefetch(Handle, int64_t, int64_t) override {}
  Status duplicate(Handle file, Handle* copy) override;
  Status write(Handle file, const void* from, size_t bytes, int64_t position) override;
  void submit(WriteOp* op) override;
  Status sync(Handle file) override;
  Status truncate(Handle file, int64_t bytes) override;
  Status allocate(Handle file, int64_t position, int64_t bytes) override;
  Status set_modified(Handle file, int64_t modified_ms) override;
  Status file_bytes(Handle file, int64_t* bytes) override;
  Status stat(const std::string& path, FileInfo* info) override;
  Status list(const std::string& directory, std::vector<std::string>* names) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  // Its disk syncs in no time: nothing is put off, so that every operation has its own death.
  void defer_syncs() override {}
  Status catch_up(const std::function<Status()>&) override { return Status::good(); }
  Status open_disk(const std::string&, Handle*) override {
    return Status::fail(Code::kInvalid, "sim");
  }
  Status sync_disk(Handle) override { return Status::fail(Code::kInvalid, "sim"); }
  Status lock_file(const std::string& path, Handle* file) override;

  Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                Handle* listener, uint16_t* port) override;
  Status accept(Handle listener, Handle* socket, SocketAddress* peer) override;
  Status connect(const SocketAddress& to, Handle* socket) override;
  Status connect_result(Handle socket) override;
  Status receive(Handle socket, void* into, size_t bytes, size_t* got) override;
  Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) override;
  Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                   size_t* sent) override;
  Status set_buffers(Handle socket, int send_bytes, int receive_bytes) override;
  void shutdown_write(Handle socket) override;
  void close_socket(Handle socket) override;

  Status watch(Handle socket, void* tag, bool readable, bool writable) override;
  void unwatch(Handle socket) override { watches_.erase(socket); }
  int poll(Event* events, int count_max, int64_t timeout_us) override;
  void wake() override { is_woken_ = true; }

  // When this Io next has something to do by itself.
  int64_t next_us() const;

 private:
  struct Watch {
    void* tag;
    bool readable;
    bool writable;
  };
  struct Waiting {
    WriteOp* op;
    int64_t due_us;
    SimWorld::Fate fate;
  };

  bool is_alive() const { return life_ == world_->life_ && !world_->is_dead_; }
  Status write_bytes(SimWorld::OpenFile* file, Bytes bytes, int64_t position,
                     const SimWorld::Fate& fate);
  Status write_gathered(const WriteOp& op, const SimWorld::Fate& fate);
  bool is_waiting(Handle file) const;
  void complete_due();
  // Every call is decided, done and finished the same way; `body` is what happens if it does.
  template <typename Body>
  Status on_path(SimOp op, const std::string& path, Body body);
  template <typename Body>
  Status on_file(SimOp op, Handle handle, uint64_t detail, Body body);
  template <typename Body>
  Status on_socket(SimOp op, Handle socket, size_t bytes, Body body);

  SimWorld* const world_;
  const uint64_t life_;
  std::map<Handle, Watch> watches_;
  Handle polled_last_ = kNoHandle;  // where the next poll() goes on, so that nobody starves
  std::deque<Waiting> waiting_;     // submits, in order of submission
  std::vector<uint8_t> gathered_;
  ColdRead* missing_ = nullptr;
  bool is_woken_ = false;
  int64_t deadline_us_ = INT64_MAX;  // of the last poll
};

}  // namespace ottla
