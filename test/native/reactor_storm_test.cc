// A fuzzer of connections over real sockets: clients that come, send frames whole, in pieces and
// broken, read late or never, half close, reset. Every frame that is told is one that was sent, in
// order; every answer that is awaited comes whole; in the end nothing is left open.
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "../../native/io/sim_random.h"
#include "plane_client.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int16_t kMetadata = 3;
constexpr size_t kHeaderBytes = 10;  // of the frame of request(), without its length
constexpr size_t kUnansweredMax = 4;

uint8_t byte_at(int32_t id, size_t position) {
  return static_cast<uint8_t>(static_cast<size_t>(id) * 7 + position * 13 + position / 255);
}

// Frames mostly small, sometimes around the sizes at which a backend changes its ways.
size_t some_bytes(SimRandom* random) {
  switch (random->below(8)) {
    case 0:
      return 4000 + random->below(400);
    case 1:
      return random->below(20000);
    case 2:
      return 60000 + random->below(10000);
    case 3:
      return random->below(3) == 0 ? random->below(400000) : 0;
    default:
      return random->below(300);
  }
}

std::vector<uint8_t> question(int32_t id, size_t filler) {
  auto frame = request(kMetadata, 9, id, filler);
  for (size_t i = 0; i < filler; i += 1) frame[4 + kHeaderBytes + i] = byte_at(id, i);
  return frame;
}

std::vector<uint8_t> answer(int32_t id) {
  std::vector<uint8_t> frame(4 + static_cast<size_t>(id) * 37 % 9000 + (id % 16 == 0 ? 150000 : 0));
  store_i32(frame.data(), id);
  for (size_t i = 4; i < frame.size(); i += 1) frame[i] = byte_at(id, i);
  return frame;
}

struct Peer {
  std::unique_ptr<Client> client;
  std::deque<int32_t> awaited;
  std::vector<uint8_t> rest;  // of a frame that has begun
  int32_t rest_id = 0;
};

class Storm {
 public:
  Storm(uint64_t seed, int reactors)
      : random_(seed), fixture_(with_reactors(reactors), false), peers_(24) {}

  void run(int steps) {
    REQUIRE(fixture_.is_open);
    for (int step = 0; step < steps && failures().load() == 0; step += 1) {
      this->step(&peers_[random_.below(peers_.size())]);
      pump(0);
    }
    for (Peer& peer : peers_) {
      if (peer.client == nullptr) continue;
      finish(&peer);
      hear_all(&peer);
      peer.client.reset();
    }
    for (int i = 0; i < 10000 && counter_sum(*fixture_.plane, counter::kConnectionsOpen) > 0;
         i += 1) {
      pump(1);
    }
    CHECK_EQ(counter_sum(*fixture_.plane, counter::kConnectionsOpen), 0.0);
    CHECK(told_ > static_cast<size_t>(steps / 8));
  }

 private:
  void step(Peer* peer) {
    if (peer->client == nullptr) return come(peer);
    switch (random_.below(16)) {
      case 0:
        return leave(peer, false);
      case 1:
        return leave(peer, true);
      case 2:
        return malformed(peer);
      case 3:
        return half_close(peer);
      case 4:
      case 5:
      case 6:
        return begin(peer);
      case 7:
      case 8:
      case 9:
        return finish(peer);
      case 10:
        return hear(peer);
      default:
        if (!peer->rest.empty()) return finish(peer);
        make_room(peer);
        begin(peer);
        return finish(peer);
    }
  }

  void come(Peer* peer) {
    *peer = Peer();
    peer->client = std::make_unique<Client>(fixture_.port);
    CHECK(peer->client->is_connected());
  }

  void leave(Peer* peer, bool resets) {
    if (resets) peer->client->reset();
    peer->client.reset();
  }

  void malformed(Peer* peer) {
    finish(peer);
    hear_all(peer);
    const uint8_t bad[] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3};
    CHECK(peer->client->send(bad, sizeof bad));
    CHECK(peer->client->is_closed_by_peer());
    peer->client.reset();
  }

  void half_close(Peer* peer) {
    finish(peer);
    peer->client->shutdown_write();
    hear_all(peer);
    CHECK(peer->client->is_closed_by_peer());
    peer->client.reset();
  }

  // The first bytes of a frame.
  void begin(Peer* peer) {
    if (!peer->rest.empty()) return;
    make_room(peer);
    next_id_ += 1;
    const size_t filler = some_bytes(&random_);
    filler_of_[next_id_] = filler;
    peer->rest = question(next_id_, filler);
    peer->rest_id = next_id_;
    send_part(peer, random_.below(peer->rest.size()));
  }

  void finish(Peer* peer) {
    while (!peer->rest.empty()) send_part(peer, 1 + random_.below(peer->rest.size()));
  }

  void send_part(Peer* peer, size_t bytes) {
    CHECK(peer->client->send(peer->rest.data(), bytes));
    peer->rest.erase(peer->rest.begin(), peer->rest.begin() + static_cast<ptrdiff_t>(bytes));
    if (peer->rest.empty()) peer->awaited.push_back(peer->rest_id);
  }

  void make_room(Peer* peer) {
    while (peer->awaited.size() >= kUnansweredMax) hear(peer);
  }

  void hear_all(Peer* peer) {
    while (!peer->awaited.empty()) hear(peer);
  }

  void hear(Peer* peer) {
    if (peer->awaited.empty()) return;
    for (int i = 0; i < 10000 && !peer->client->has_bytes(0); i += 1) pump(1);
    const std::vector<uint8_t> frame = peer->client->frame();
    CHECK(frame == answer(peer->awaited.front()));
    peer->awaited.pop_front();
  }

  // What has been told meanwhile is looked at and answered.
  void pump(int ms) {
    Told told;
    while (fixture_.inbox.next(&told, ms)) {
      ms = 0;
      if (told.kind != fact::kRequest) continue;
      told_ += 1;
      const int32_t id = correlation_of(told);
      const size_t filler = filler_of_[id];
      bool is_whole = told.body.size() == kHeaderBytes + filler;
      for (size_t i = 0; i < filler && is_whole; i += 1) {
        is_whole = told.body[kHeaderBytes + i] == byte_at(id, i);
      }
      CHECK(is_whole);
      fixture_.reply(told, answer(id));
    }
  }

  SimRandom random_;
  Fixture fixture_;
  std::vector<Peer> peers_;
  std::unordered_map<int32_t, size_t> filler_of_;
  int32_t next_id_ = 0;
  size_t told_ = 0;
};

}  // namespace

TEST("reactor: storm: clients do what they like, and each is served as if alone") {
  for (uint64_t seed = 1; seed <= 4; seed += 1) {
    Storm(seed, seed % 2 == 0 ? 3 : 1).run(1500);
    if (failures().load() == 0) continue;
    std::printf("    seed %d\n", static_cast<int>(seed));
    return;
  }
}

RUN_TESTS_ON_EACH_IO()
