// Fuzzes a whole plane's connections in a simulated world: bytes, cuts, ends, resets, replies,
// mutes and faults in any order. Held to: no crash, no leak, bounded memory, every request fact is
// answerable, every connection that was told ends once, and the plane closes.
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "../../../native/base/assert.h"
#include "../../../native/base/bytes.h"
#include "../../../native/plane_sim.h"

using namespace ottla;

namespace {

constexpr int kClientsMax = 6;
constexpr uint16_t kListener = 1;

// Input as a row of small decisions; zeros once it is used up.
class Choices {
 public:
  Choices(const uint8_t* data, size_t bytes) : at_(data), end_(data + bytes) {}
  bool is_over() const { return at_ == end_; }
  uint8_t byte() { return at_ < end_ ? *at_++ : 0; }
  uint32_t below(uint32_t limit) { return limit == 0 ? 0 : (byte() << 8 | byte()) % limit; }
  const uint8_t* take(size_t bytes, size_t* got) {
    *got = std::min<size_t>(bytes, static_cast<size_t>(end_ - at_));
    const uint8_t* taken = at_;
    at_ += *got;
    return taken;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

struct Asked {
  uint64_t conn;
  uint32_t request;
};

class World {
 public:
  explicit World(Choices* choices) : choices_(choices) {
    ReactorOptions options;
    options.node_id = 1;
    options.reactors = 1 + choices->byte() % 3;
    options.request_bytes_max = 20000;
    options.connections_max = 5;
    options.connections_max_idle_us = 50 * 1000;
    options.ring.facts = 8;
    options.ring.slab_bytes = 4096;
    options.copies_files = choices->byte() % 2 == 0;
    OTTLA_ASSERT(SimPlane::open(options, {}, choices->byte(), &sim_).ok(), "a plane opens");
    sim_->world().set_socket_buffer_bytes(size_t{64} << choices->byte() % 10);
    for (const bool serves_data : {true, false}) {
      uint16_t port = 0;
      const SocketAddress any{"127.0.0.1", 0};
      OTTLA_ASSERT(sim_->plane().listen(kListener, any, serves_data, &port).ok(), "it listens");
      ports_.push_back(port);
    }
  }

  void act() {
    switch (choices_->byte() % 12) {
      case 0:
        return connect();
      case 1:
      case 2:
        return send_frame();
      case 3:
        return send_raw();
      case 4:
        return receive();
      case 5:
        return sim_->step(choices_->below(20000));
      case 6:
        return drain();
      case 7:
      case 8:
        return reply();
      case 9:
        return end();
      case 10:
        return command();
      default:
        return disturb();
    }
  }

  void finish() {
    for (const Handle client : clients_) sim_->world().client_close(client);
    sim_->world().chances = {};
    sim_->plane().close(1000, true);
    for (int round = 0; round < 100 && !sim_->plane().is_closed(); round += 1) {
      sim_->step(50 * 1000);
      drain();
      while (!asked_.empty()) reply();
    }
    OTTLA_ASSERT(sim_->plane().is_closed(), "a plane closes");
    drain();
    for (const auto& [conn, is_connected] : connections_) {
      OTTLA_ASSERT(!is_connected, "every connection that was told ends");
    }
  }

 private:
  void connect() {
    if (clients_.size() >= kClientsMax) return;
    clients_.push_back(sim_->world().connect_client(ports_[choices_->byte() % 2]));
  }
  Handle client() { return clients_[choices_->byte() % clients_.size()]; }
  void put(const std::vector<uint8_t>& bytes) {
    size_t sent = 0;
    (void)sim_->world().client_send(client(), Bytes(bytes), &sent);
  }
  void send_frame() {
    if (clients_.empty()) return;
    const size_t filler = choices_->below(choices_->byte() % 4 == 0 ? 30000 : 64);
    std::vector<uint8_t> frame(4 + 10 + filler, choices_->byte());
    store_i32(frame.data(), static_cast<int32_t>(frame.size() - 4));
    store_i16(frame.data() + 4, static_cast<int16_t>(choices_->byte() % 4));
    store_i16(frame.data() + 6, static_cast<int16_t>(choices_->byte() % 20));
    size_t got = 0;
    const uint8_t* more = choices_->take(std::min<size_t>(filler, 40), &got);
    if (got > 0) std::memcpy(frame.data() + 14, more, got);
    frame.resize(frame.size() - choices_->below(static_cast<uint32_t>(frame.size())) % 7);
    put(frame);
  }
  void send_raw() {
    if (clients_.empty()) return;
    size_t got = 0;
    const uint8_t* bytes = choices_->take(choices_->byte(), &got);
    put({bytes, bytes + got});
  }
  void receive() {
    if (clients_.empty()) return;
    uint8_t into[4096];
    size_t got = 0;
    (void)sim_->world().client_receive(client(), into, 1 + choices_->below(sizeof into), &got);
  }
  void reply() {
    if (asked_.empty()) return;
    const Asked asked = asked_.back();
    asked_.pop_back();
    const std::vector<uint8_t> answer(choices_->below(9000), 1);
    const Bytes bytes(answer);
    sim_->plane().reply(asked.conn, asked.request, choices_->byte() % 5 == 0 ? nullptr : &bytes);
  }
  void end() {
    if (clients_.empty()) return;
    const size_t at = choices_->byte() % clients_.size();
    const Handle gone = clients_[at];
    const unsigned how = choices_->byte() % 3;
    if (how == 0) return sim_->world().client_shutdown(gone);
    how == 1 ? sim_->world().client_close(gone) : sim_->world().client_abort(gone);
    clients_.erase(clients_.begin() + static_cast<ptrdiff_t>(at));
  }
  void command() {
    if (connections_.empty()) return;
    auto found = connections_.begin();
    std::advance(found, choices_->byte() % connections_.size());
    switch (choices_->byte() % 4) {
      case 0:
        return sim_->plane().hangup(found->first);
      case 1:
        return sim_->plane().mute(found->first, choices_->byte());
      case 2:
        return sim_->plane().identify(found->first, choices_->byte());
      default:
        return sim_->plane().reply(found->first, choices_->byte(), nullptr);
    }
  }
  void disturb() {
    sim_->world().chances.short_transfer = choices_->byte() * 2000u;
    sim_->world().chances.reset = choices_->byte() % 8 == 0 ? 10000 : 0;
  }

  template <typename T>
  static T get(const uint8_t* record, size_t offset) {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
  }
  void drain() {
    for (int reactor = 0; reactor < sim_->plane().reactors(); reactor += 1) {
      FactRing& ring = sim_->plane().ring(reactor);
      const std::shared_ptr<uint8_t> memory = ring.memory();
      auto cursor = [&memory](size_t at) {
        return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(memory.get() + at));
      };
      uint32_t tail = cursor(ring_offset::kTail).load();
      for (; tail != cursor(ring_offset::kHead).load(); tail += 1) {
        const uint8_t* record =
            memory.get() + kRingHeaderBytes + (tail & (ring.options().facts - 1)) * kFactBytes;
        hear(ring, record);
        if ((get<uint16_t>(record, fact_offset::kFlags) & fact_flag::kLargeBody) == 0) {
          const auto bytes = get<uint32_t>(record, fact_offset::kBodyBytes);
          cursor(ring_offset::kSlabTail)
              .store(get<uint32_t>(record, fact_offset::kBodyOffset) + ((bytes + 7) & ~7u));
        }
      }
      cursor(ring_offset::kTail).store(tail);
      cursor(ring_offset::kIdle).store(1);
    }
  }
  void hear(FactRing& ring, const uint8_t* record) {
    const auto kind = get<uint16_t>(record, fact_offset::kKind);
    const auto conn = static_cast<uint64_t>(get<double>(record, fact_offset::kA));
    if ((get<uint16_t>(record, fact_offset::kFlags) & fact_flag::kLargeBody) != 0) {
      std::vector<uint8_t> body;
      OTTLA_ASSERT(ring.take_body(get<uint32_t>(record, fact_offset::kBodyOffset), &body),
                   "a large body is there");
    }
    if (kind == fact::kConnected) {
      OTTLA_ASSERT(!connections_.contains(conn), "an id is never used again");
      connections_[conn] = true;
    } else if (kind == fact::kDisconnected) {
      OTTLA_ASSERT(connections_.contains(conn) && connections_[conn], "ends once, after its start");
      connections_[conn] = false;
    } else if (kind == fact::kRequest) {
      OTTLA_ASSERT(connections_.contains(conn) && connections_[conn], "requests come in between");
      asked_.push_back({conn, static_cast<uint32_t>(get<double>(record, fact_offset::kTicket))});
    }
  }

  Choices* const choices_;
  std::unique_ptr<SimPlane> sim_;
  std::vector<uint16_t> ports_;
  std::vector<Handle> clients_;
  std::map<uint64_t, bool> connections_;
  std::vector<Asked> asked_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  Choices choices(data, bytes);
  World world(&choices);
  for (int action = 0; action < 400 && !choices.is_over(); action += 1) world.act();
  world.finish();
  return 0;
}
