// Two helpers for tests of the plane: Inbox is TypeScript's side of the rings, Client is a peer on
// a real loopback socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../native/base/bytes.h"
#include "../../native/plane.h"
#include "real_io.h"
#include "test.h"

namespace ottla::test {

struct Told {
  uint16_t kind = 0;
  int32_t status = 0;
  int32_t slot = 0;
  int32_t epoch = 0;
  double ticket = 0, a = 0, b = 0, c = 0;
  std::vector<uint8_t> body;
  uint64_t conn() const { return static_cast<uint64_t>(a); }
};

// Drains rings as native.ts does: idle is set, then the ring is looked at again.
class Inbox {
 public:
  Bell bell() {
    return {[](void* context) {
              auto* inbox = static_cast<Inbox*>(context);
              std::lock_guard<std::mutex> lock(inbox->lock_);
              inbox->rings_ += 1;
              inbox->wake_.notify_all();
            },
            this};
  }
  void watch(Plane* plane) { plane_ = plane; }

  // The next fact, in order per reactor; false after `ms` without one.
  bool next(Told* told, int ms = 10000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (facts_.empty()) {
      int seen;
      {
        std::lock_guard<std::mutex> lock(lock_);
        seen = rings_;
      }
      if (drain() > 0) break;
      std::unique_lock<std::mutex> lock(lock_);
      if (!wake_.wait_until(lock, deadline, [&] { return rings_ != seen; })) return false;
    }
    *told = std::move(facts_.front());
    facts_.pop_front();
    return true;
  }
  // The next fact of that kind; others of other kinds before it are dropped.
  bool next_of(uint16_t kind, Told* told, int ms = 10000) {
    while (next(told, ms)) {
      if (told->kind == kind) return true;
    }
    return false;
  }

  size_t drain() {
    size_t count = 0;
    for (int reactor = 0; reactor < plane_->reactors(); reactor += 1) count += drain(reactor);
    return count;
  }
  int rings() {
    std::lock_guard<std::mutex> lock(lock_);
    return rings_;
  }

 private:
  template <typename T>
  static T get(const uint8_t* record, size_t offset) {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
  }
  size_t drain(int reactor) {
    FactRing& ring = plane_->ring(reactor);
    uint8_t* memory = ring.memory().get();
    auto cursor = [memory](size_t at) {
      return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(memory + at));
    };
    const uint8_t* records = memory + kRingHeaderBytes;
    const uint8_t* slab = records + size_t{ring.options().facts} * kFactBytes;
    size_t count = 0;
    for (;;) {
      uint32_t tail = cursor(ring_offset::kTail).load();
      const uint32_t head = cursor(ring_offset::kHead).load();
      if (tail == head) {
        cursor(ring_offset::kIdle).store(1);
        if (cursor(ring_offset::kHead).load() == tail) return count;
        if (cursor(ring_offset::kIdle).exchange(0) == 0) return count;  // the bell comes
        continue;
      }
      for (; tail != head; tail += 1) {
        const uint8_t* record = records + size_t{tail & (ring.options().facts - 1)} * kFactBytes;
        Told told;
        told.kind = get<uint16_t>(record, fact_offset::kKind);
        told.status = get<int32_t>(record, fact_offset::kStatus);
        told.slot = get<int32_t>(record, fact_offset::kSlot);
        told.epoch = get<int32_t>(record, fact_offset::kEpoch);
        told.ticket = get<double>(record, fact_offset::kTicket);
        told.a = get<double>(record, fact_offset::kA);
        told.b = get<double>(record, fact_offset::kB);
        told.c = get<double>(record, fact_offset::kC);
        const auto position = get<uint32_t>(record, fact_offset::kBodyOffset);
        const auto bytes = get<uint32_t>(record, fact_offset::kBodyBytes);
        const auto flags = get<uint16_t>(record, fact_offset::kFlags);
        if ((flags & fact_flag::kLargeBody) != 0) {
          CHECK(ring.take_body(position, &told.body));
        } else {
          const uint8_t* body = slab + (position & (ring.options().slab_bytes - 1));
          told.body.assign(body, body + bytes);
          cursor(ring_offset::kSlabTail).store(position + ((bytes + 7) & ~7u));
        }
        facts_.push_back(std::move(told));
        count += 1;
      }
      cursor(ring_offset::kTail).store(tail);
    }
  }

  Plane* plane_ = nullptr;
  std::deque<Told> facts_;
  std::mutex lock_;
  std::condition_variable wake_;
  int rings_ = 0;
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_bytes = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    if (receive_bytes > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(); }

  bool is_connected() const { return is_connected_; }
  bool send(const std::vector<uint8_t>& bytes) { return send(bytes.data(), bytes.size()); }
  bool send(const uint8_t* bytes, size_t count) {
    while (count > 0) {
      const ssize_t sent = ::send(socket_, bytes, count, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes += sent;
      count -= static_cast<size_t>(sent);
    }
    return true;
  }
  bool receive(void* into, size_t count, int ms = 10000) {
    auto* at = static_cast<uint8_t*>(into);
    while (count > 0) {
      pollfd wait = {socket_, POLLIN, 0};
      if (::poll(&wait, 1, ms) <= 0) return false;
      const ssize_t got = ::recv(socket_, at, count, 0);
      if (got <= 0) return false;
      at += got;
      count -= static_cast<size_t>(got);
    }
    return true;
  }
  // One frame without its length; empty when there is none.
  std::vector<uint8_t> frame(int ms = 10000) {
    uint8_t length[4];
    if (!receive(length, 4, ms)) return {};
    std::vector<uint8_t> bytes(load_u32(length));
    if (!receive(bytes.data(), bytes.size(), ms)) return {};
    return bytes;
  }
  bool is_closed_by_peer(int ms = 10000) {
    uint8_t byte;
    pollfd wait = {socket_, POLLIN, 0};
    if (::poll(&wait, 1, ms) <= 0) return false;
    return ::recv(socket_, &byte, 1, 0) <= 0;
  }
  bool has_bytes(int ms) {
    pollfd wait = {socket_, POLLIN, 0};
    return ::poll(&wait, 1, ms) > 0;
  }
  void shutdown_write() { ::shutdown(socket_, SHUT_WR); }
  void reset() {
    const linger now = {1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_ = -1;
  bool is_connected_ = false;
};

// A request frame with its length: key, version, correlation id, null client id, then `bytes` of
// filler.
inline std::vector<uint8_t> request(int16_t key, int16_t version, int32_t correlation_id,
                                    size_t filler = 0) {
  std::vector<uint8_t> frame(4 + 10 + filler, 0xab);
  store_i32(frame.data(), static_cast<int32_t>(frame.size() - 4));
  store_i16(frame.data() + 4, key);
  store_i16(frame.data() + 6, version);
  store_i32(frame.data() + 8, correlation_id);
  store_i16(frame.data() + 12, -1);
  return frame;
}
inline int32_t correlation_of(const Told& told) { return load_i32(told.body.data() + 4); }

// A plane with one listener of number 7 and somebody who reads its facts.
struct Fixture {
  explicit Fixture(ReactorOptions options = {}, bool serves_data = true) {
    options.node_id = 1;
    options.uses_io_uring = is_on_uring();
    if (!Plane::open(options, inbox.bell(), &plane).ok()) return;
    inbox.watch(plane.get());
    is_open = plane->listen(7, {"127.0.0.1", 0}, serves_data, &port).ok();
  }
  void reply(const Told& request, const std::vector<uint8_t>& frame) {
    const Bytes bytes(frame.data(), frame.size());
    plane->reply(request.conn(), static_cast<uint32_t>(request.ticket), &bytes);
  }

  Inbox inbox;  // outlives the plane, whose threads ring it
  std::unique_ptr<Plane> plane;
  uint16_t port = 0;
  bool is_open = false;
};

inline ReactorOptions with_reactors(int count) {
  ReactorOptions options;
  options.reactors = count;
  return options;
}

// What a counter says, summed; racing with its writers, as TypeScript does.
#if defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize("thread")))
#endif
inline double
counter_sum(Plane& plane, size_t column) {
  double sum = 0;
  for (int reactor = 0; reactor < plane.reactors(); reactor += 1) {
    const volatile double* cell =
        plane.counters().get() + static_cast<size_t>(reactor) * kCounterColumns + column;
    sum += *cell;
  }
  return sum;
}

}  // namespace ottla::test
