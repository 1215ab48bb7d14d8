// The world as a seed: virtual time, a disk that forgets, a network in memory, faults by chance and
// by rule.
//
// One SimWorld is one machine; each of its reactors gets an Io from make_io(). Nothing here is safe
// across threads: one OS thread steps the reactors in turn, and no call ever waits. poll() looks
// and returns; virtual time moves by advance_us(), or by a stalled disk call, and next_event_us()
// says how far it may jump. Same seed and same calls: same answers, bytes and trace(). The world
// outlives its Ios.
//
// Death comes at any operation: die_at(n, …) lets n operations pass and dies in the next, for every
// n a test cares to try. kPower loses unsynced writes (sim_disk.h); kKill loses none, but may tear
// the write at hand. From then on every call of the old Ios fails with kIo; after restart() new Ios
// see what is left.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io.h"
#include "sim_disk.h"
#include "sim_net.h"
#include "sim_random.h"

namespace ottla {

enum class SimOp : uint8_t {
  kAny,  // in rules
  // Of files; those up to kSyncDirectory change the disk.
  kOpen,
  kWrite,
  kSubmit,
  kSync,
  kTruncate,
  kAllocate,
  kMakeDirectory,
  kRename,
  kRemove,
  kSyncDirectory,
  kClose,
  kRead,
  kFileBytes,
  kStat,
  kList,
  kLock,
  // Of sockets.
  kListen,
  kAccept,
  kConnect,
  kReceive,
  kSend,
  kSendFile,
};

enum class SimFault : uint8_t {
  kFail,      // nothing happens; the rule's code and error are the answer
  kShort,     // write, submit: a prefix is written, then the answer is the rule's
  kSyncLost,  // sync: fails, and what was dirty is marked clean
  kStall,     // takes stall_us: a submit completes later, any other call holds its caller
  kFlipBit,   // read, send_file: one bit of the range is other from now on, on the disk
};

// The next operations that match, after `skip` of them, up to `count`.
struct SimRule {
  SimOp op = SimOp::kAny;
  std::string path_contains;  // of the file; empty: any, sockets included
  uint64_t skip = 0;
  uint64_t count = 1;  // UINT64_MAX: for good
  SimFault fault = SimFault::kFail;
  Code code = Code::kIo;
  int error = 5;  // EIO
  int64_t stall_us = 0;
};

// By seed, in a million operations of that sort; all never, at first.
struct SimChances {
  uint32_t read_error = 0;
  uint32_t write_error = 0;     // half of them short
  uint32_t sync_error = 0;      // with kSyncLost
  uint32_t write_stall = 0;     // up to stall_us_max
  uint32_t short_transfer = 0;  // a receive or send moves only a part
  uint32_t reset = 0;           // a receive or send finds the connection reset
  uint32_t cold_read = 0;       // a read that must not wait would have to
  int64_t stall_us_max = 100'000;
};

enum class SimDeath : uint8_t { kPower, kKill };

class SimIo;

class SimWorld {
 public:
  explicit SimWorld(uint64_t seed);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::unique_ptr<Io> make_io();

  // Time. next_event_us: the earliest moment at which something is due (a completion, bytes, the
  // deadline of an Io's last poll), INT64_MAX when nothing is.
  int64_t now_us() const { return now_us_; }
  int64_t wall_ms() const { return wall_start_ms_ + now_us_ / 1000; }
  void advance_us(int64_t by) { now_us_ += by; }
  void set_wall_ms(int64_t wall_ms) { wall_start_ms_ = wall_ms - now_us_ / 1000; }
  int64_t next_event_us() const;

  // Faults.
  void add_rule(const SimRule& rule) { rules_.push_back({rule, 0}); }
  void clear_rules() { rules_.clear(); }
  SimChances chances;
  void set_capacity(int64_t bytes) { disk_.capacity_bytes = bytes; }
  int64_t used_bytes() const { return disk_.used_bytes(); }
  // Bit `bit` of a file, on the disk and in memory. kNotFound, kOutOfRange.
  Status flip_bit(const std::string& path, int64_t bit);
  int64_t submit_latency_us = 0;  // 0: submits complete inline
  int watches_refused = 0;        // the next sockets to be watched are, as many as this
  void set_network_latency_us(int64_t us) { net_.latency_us = us; }
  void set_socket_buffer_bytes(size_t bytes) { net_.buffer_bytes = bytes; }

  // Death. operations() counts those that change the disk or touch a socket.
  uint64_t operations() const { return operations_; }
  void die_at(uint64_t operation, SimDeath death) {
    die_at_ = operation;
    death_ = death;
  }
  void die(SimDeath death);
  bool is_dead() const { return is_dead_; }
  SimDeath last_death() const { return death_; }
  void restart();

  // What the disk has done so far: calls that failed because it was full, calls that failed
  // otherwise (a sync that found no room among them), syncs that lost what they were for.
  uint64_t full_faults() const { return full_faults_; }
  uint64_t hard_faults() const { return hard_faults_; }
  uint64_t lost_syncs() const { return lost_syncs_; }

  // Clients outside: a test's side of a connection. They survive a death and see it as kClosed.
  Handle connect_client(uint16_t port, const std::string& host = "127.0.0.1");
  Status client_connected(Handle client) const { return net_.connect_result(client, now_us_); }
  Status client_send(Handle client, Bytes bytes, size_t* sent);
  Status client_receive(Handle client, void* into, size_t bytes, size_t* got);
  void client_shutdown(Handle client) { net_.shutdown_write(client, now_us_); }
  void client_close(Handle client) { net_.close(client, now_us_); }
  void client_abort(Handle client) { net_.abort(client); }
  // The client's receive buffer: small ones make a slow reader.
  void client_set_buffer(Handle client, size_t bytes) { net_.set_buffer(client, bytes); }

  // A digest of every operation so far, its size and its answer: equal for equal runs.
  uint64_t trace() const { return trace_; }

 private:
  friend class SimIo;

  struct OpenFile {
    SimNodeRef node;
    std::string path;
    bool is_writable = false;
    bool holds_lock = false;
  };
  struct ActiveRule {
    SimRule rule;
    uint64_t seen;
  };
  // What is to become of one operation.
  struct Fate {
    bool happens = true;
    bool dies = false;
    bool is_short = false;
    bool loses_sync = false;
    bool flips_bit = false;
    int64_t stall_us = 0;
    Status status;  // the answer when it does not happen, or after the prefix
  };

  Fate decide(SimOp op, const std::string& path);
  void decide_by_chance(SimOp op, Fate* fate);
  void apply_rules(SimOp op, const std::string& path, Fate* fate);
  // The end of every operation: dies when told to, notes the trace, gives the answer.
  Status finish(SimOp op, const Fate& fate, Status status, uint64_t detail);
  OpenFile* file(Handle handle);
  Handle open_file(SimNodeRef node, const std::string& path, bool is_writable, bool holds_lock);
  static void release(OpenFile* file);

  SimRandom random_;  // what Io::random() gives
  SimRandom faults_;  // decides what goes wrong
  SimDisk disk_;
  SimNet net_;
  std::vector<SimIo*> ios_;
  std::vector<ActiveRule> rules_;
  std::map<Handle, OpenFile> files_;
  Handle next_handle_ = 3;
  int64_t now_us_ = 1'000'000;
  int64_t wall_start_ms_ = 1'700'000'000'000;
  uint64_t operations_ = 0;
  uint64_t die_at_ = UINT64_MAX;
  SimDeath death_ = SimDeath::kPower;
  bool is_dead_ = false;
  uint64_t life_ = 0;  // Ios of an earlier life are dead
  uint64_t trace_ = 0;
  uint64_t full_faults_ = 0;
  uint64_t hard_faults_ = 0;
  uint64_t lost_syncs_ = 0;
};

}  // namespace ottla
