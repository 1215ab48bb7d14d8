// Io: everything the native core asks of the world, so that one test double can be the whole world.
// Files, sockets, readiness, clock, randomness. Backends: epoll (the usual one), io_uring, sim
// (virtual time, seeded faults).
//
// Threads: an Io belongs to one thread, its reactor's; only wake() may be called from others.
// Handles are process-wide: a file opened through one Io may be read through another (positional
// reads only). Calls on files complete before they return, but appends: submit() → WriteOp::done,
// inline on the usual backend, later on another (a stalled directory, the simulator). Durability:
// nothing survives a crash but what sync() covered, and a name only after sync_directory() of its
// parent.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../base/status.h"

namespace ottla {

using Handle = int;  // a file or a socket; -1 is none
constexpr Handle kNoHandle = -1;

enum class OpenMode : uint8_t {
  kRead,             // must exist
  kReadWrite,        // must exist
  kReadWriteCreate,  // created when missing
  kCreateExclusive,  // kExists when present
  kTruncate,         // created or emptied
};

struct FileInfo {
  int64_t bytes = 0;
  int64_t modified_ms = 0;
  bool is_directory = false;
};

// One gathered append. The op is the caller's; the memory behind `iov` stays valid, and the file
// open, until done(), which is called within submit() or a later poll() of the same Io.
struct WriteOp {
  Handle file = kNoHandle;
  int64_t position = 0;
  const iovec* iov = nullptr;
  int iov_count = 0;
  // On failure any prefix may have reached the file.
  void (*done)(WriteOp* op, Status status) = nullptr;
  void* context = nullptr;
};

// A read that would have waited for a disk. `file` is a descriptor of its own, which whoever takes
// it closes: what was read from may be gone by then. kNoHandle: nothing was missing.
struct ColdRead {
  Handle file = kNoHandle;
  int64_t position = 0;
  int64_t bytes = 0;
};
// In ColdRead::file: nobody wants to know.
constexpr Handle kOtherHandle = -2;

struct SocketAddress {
  std::string host;  // numeric IPv4 or IPv6; empty: every interface
  uint16_t port = 0;
};

struct Event {
  void* tag = nullptr;  // what watch() was given
  bool readable = false;
  bool writable = false;
  bool hangup = false;  // error or both directions closed
};

class Io {
 public:
  virtual ~Io() = default;

  // Clock and randomness.
  virtual int64_t now_us() = 0;   // monotonic, microseconds
  virtual int64_t wall_ms() = 0;  // milliseconds since 1970
  virtual uint64_t random() = 0;

  // Files.
  virtual Status open(const std::string& path, OpenMode mode, Handle* file) = 0;
  virtual Status close(Handle file) = 0;
  // Reads up to `bytes`; *got is less only at the end of the file.
  virtual Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) = 0;
  // From now until it is called with null, read() of what is not in memory is kWouldBlock, and the
  // first of them is noted in `missing`. A backend that cannot tell waits. See cold.h.
  virtual void refuse_to_wait(ColdRead* missing) = 0;
  // How many of `bytes` from `position` on are in memory, without a gap; perhaps fewer than could
  // be said. All of them where it cannot be told.
  virtual int64_t ready_bytes(Handle file, int64_t position, int64_t bytes) = 0;
  // Brings a range into memory, begins to at least. Only a hint.
  virtual void prefetch(Handle file, int64_t position, int64_t bytes) = 0;
  virtual Status duplicate(Handle file, Handle* copy) = 0;
  // Writes all of it, or fails with any prefix written.
  virtual Status write(Handle file, const void* from, size_t bytes, int64_t position) = 0;
  virtual void submit(WriteOp* op) = 0;
  virtual Status sync(Handle file) = 0;  // data and length
  virtual Status truncate(Handle file, int64_t bytes) = 0;
  // Allocates blocks up to position+bytes without changing the length (KEEP_SIZE).
  virtual Status allocate(Handle file, int64_t position, int64_t bytes) = 0;
  // When stat() says that it was last written, until it is written again.
  virtual Status set_modified(Handle file, int64_t modified_ms) = 0;
  virtual Status file_bytes(Handle file, int64_t* bytes) = 0;
  virtual Status stat(const std::string& path, FileInfo* info) = 0;
  virtual Status list(const std::string& directory, std::vector<std::string>* names) = 0;  // sorted
  virtual Status make_directory(const std::string& path) = 0;  // ok when it exists
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;  // a file, or an empty directory
  virtual Status sync_directory(const std::string& path) = 0;
  // Puts a synced file in another's place, and makes the name last.
  virtual Status replace(const std::string& from, const std::string& to);
  // For hundreds of files at once: until catch_up(), sync(), sync_directory() and replace() only
  // note that they are owed. catch_up() pays, if anything is owed: `sync_disks`, which brings all
  // that was written to the disk, then the replacements, and it again. What was owed is not on the
  // disk before that has answered.
  virtual void defer_syncs() = 0;
  virtual Status catch_up(const std::function<Status()>& sync_disks) = 0;
  // As sync_directory(), and never put off: what is done next relies on it.
  virtual Status sync_order(const std::string& directory) { return sync_directory(directory); }
  // The disk that holds a directory: sync_disk() brings everything to it that anybody wrote, and
  // tells, once, of writes that failed since it was opened. kInvalid where the system cannot
  // promise that. Held until close().
  virtual Status open_disk(const std::string& directory, Handle* disk) = 0;
  virtual Status sync_disk(Handle disk) = 0;
  // Creates `path` when missing and locks it against every other opener, in this process or
  // another, Apache Kafka's `.lock` included; kBusy when held. Held until close().
  virtual Status lock_file(const std::string& path, Handle* file) = 0;

  // Sockets: non-blocking, TCP_NODELAY; kWouldBlock when nothing can be done now.
  // `congestion_control` may be empty (the system's).
  virtual Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                        Handle* listener, uint16_t* port) = 0;
  // kBusy: no descriptor left. An IPv4 peer of a dual-stack listener is shown as IPv4.
  virtual Status accept(Handle listener, Handle* socket, SocketAddress* peer) = 0;
  virtual Status connect(const SocketAddress& to, Handle* socket) = 0;  // writable when established
  virtual Status connect_result(Handle socket) = 0;
  virtual Status receive(Handle socket, void* into, size_t bytes,
                         size_t* got) = 0;  // kClosed at end
  virtual Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) = 0;
  // kOutOfRange: the file ends at or before `position`.
  virtual Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                           size_t* sent) = 0;
  virtual Status set_buffers(Handle socket, int send_bytes, int receive_bytes) = 0;  // -1: system's
  virtual void shutdown_write(Handle socket) = 0;
  virtual void close_socket(Handle socket) = 0;

  // Readiness (level-triggered). watch() again changes the interest; hangup is always of interest.
  // unwatch before close; events that a poll() has already returned are not withdrawn. Only the
  // first watch() of a socket may fail: kBusy, no room for it. While a socket is watched for
  // reading the backend may receive ahead of receive(), which gives those bytes first, unwatched or
  // not.
  virtual Status watch(Handle socket, void* tag, bool readable, bool writable) = 0;
  virtual void unwatch(Handle socket) = 0;
  // Waits until something is ready, wake() was called or timeout_us passed (<0: no limit, 0: look
  // only). Returns how many events were written. A wake() before poll() is not lost.
  virtual int poll(Event* events, int count_max, int64_t timeout_us) = 0;
  virtual void wake() = 0;  // any thread
};

inline Status Io::replace(const std::string& from, const std::string& to) {
  OTTLA_TRY(rename(from, to));
  const size_t slash = to.rfind('/');
  return sync_directory(slash == std::string::npos ? "." : to.substr(0, slash));
}

}  // namespace ottla
