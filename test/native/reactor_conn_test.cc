// Connections over real loopback sockets: framing, order, barriers, backpressure, limits, ends.
#include <algorithm>
#include <map>
#include <set>

#include "plane_client.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int16_t kMetadata = 3;

std::vector<uint8_t> answer(int32_t correlation_id, size_t filler = 0) {
  std::vector<uint8_t> frame(4 + filler, 0xcd);
  store_i32(frame.data(), correlation_id);
  return frame;
}

}  // namespace

TEST("reactor: conn: a frame is told and its reply comes back") {
  for (const int reactors : {1, 2, 4}) {
    Fixture fixture(with_reactors(reactors));
    REQUIRE(fixture.is_open);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; i += 1) clients.push_back(std::make_unique<Client>(fixture.port));
    std::set<uint64_t> conns;
    for (int i = 0; i < 8; i += 1) {
      CHECK(clients[static_cast<size_t>(i)]->send(request(kMetadata, 9, 100 + i, 20)));
    }
    for (int i = 0; i < 8; i += 1) {
      Told told;
      REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
      conns.insert(told.conn());
      CHECK_EQ(told.b, 7.0);
      CHECK_EQ(told.body.size(), 30u);
      fixture.reply(told, answer(correlation_of(told)));
    }
    CHECK_EQ(conns.size(), 8u);
    for (int i = 0; i < 8; i += 1) {
      CHECK(clients[static_cast<size_t>(i)]->frame() == answer(100 + i));
    }
  }
}

TEST("reactor: conn: connected comes first and disconnected last") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  {
    Client client(fixture.port);
    CHECK(client.send(request(kMetadata, 9, 1)));
    Told told;
    REQUIRE(fixture.inbox.next(&told));
    CHECK_EQ(told.kind, fact::kConnected);
    CHECK_EQ(std::string(told.body.begin(), told.body.end()), "127.0.0.1");
    REQUIRE(fixture.inbox.next(&told));
    CHECK_EQ(told.kind, fact::kRequest);
    fixture.reply(told, answer(1));
    CHECK(client.frame() == answer(1));
  }
  Told told;
  REQUIRE(fixture.inbox.next(&told));
  CHECK_EQ(told.kind, fact::kDisconnected);
  CHECK_EQ(told.status, static_cast<int32_t>(DisconnectReason::kPeer));
}

TEST("reactor: conn: a forwarded frame is a barrier, replies leave in order") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  std::vector<uint8_t> pipeline;
  for (int i = 0; i < 50; i += 1) {
    const auto frame = request(kMetadata, 9, i, static_cast<size_t>(i) * 7);
    pipeline.insert(pipeline.end(), frame.begin(), frame.end());
  }
  CHECK(client.send(pipeline));
  for (int i = 0; i < 50; i += 1) {
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
    CHECK_EQ(correlation_of(told), i);
    if (i % 10 == 0) CHECK(!fixture.inbox.next(&told, 5));  // nothing behind it starts
    if (i % 3 == 0) {
      fixture.plane->reply(told.conn(), static_cast<uint32_t>(told.ticket), nullptr);
    } else {
      fixture.reply(told, answer(i));
    }
  }
  for (int i = 0; i < 50; i += 1) {
    if (i % 3 != 0) CHECK(client.frame() == answer(i));
  }
}

TEST("reactor: conn: frames that dribble in byte by byte are frames") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  for (int i = 0; i < 20; i += 1) {
    for (const uint8_t byte : request(kMetadata, 9, i, 3)) CHECK(client.send(&byte, 1));
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
    CHECK_EQ(correlation_of(told), i);
    fixture.reply(told, answer(i));
    CHECK(client.frame() == answer(i));
  }
}

TEST("reactor: conn: frames of every size around a block arrive whole") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  int32_t id = 0;
  for (const size_t filler : {0u, 65520u, 65521u, 65522u, 65523u, 65524u, 65530u, 65536u, 131072u,
                              1u << 20, 3u << 20, 10u, 300000u, 12u << 20, 5u}) {
    auto frame = request(kMetadata, 9, id, filler);
    for (size_t i = 14; i < frame.size(); i += 1) frame[i] = static_cast<uint8_t>(i * 31 + filler);
    CHECK(client.send(frame));
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
    CHECK_EQ(correlation_of(told), id);
    CHECK(std::equal(told.body.begin(), told.body.end(), frame.begin() + 4, frame.end()));
    fixture.reply(told, answer(id, filler));
    CHECK_EQ(client.frame().size(), filler + 4);
    id += 1;
  }
}

TEST("reactor: conn: absurd lengths close, at once and without their bytes") {
  struct Case {
    int32_t length;
    DisconnectReason reason;
  };
  const Case cases[] = {
      {-1, DisconnectReason::kMalformed},  {INT32_MIN, DisconnectReason::kMalformed},
      {0, DisconnectReason::kMalformed},   {7, DisconnectReason::kMalformed},
      {1001, DisconnectReason::kTooLarge}, {INT32_MAX, DisconnectReason::kTooLarge}};
  ReactorOptions options;
  options.request_bytes_max = 1000;
  Fixture fixture(options);
  REQUIRE(fixture.is_open);
  for (const Case& one : cases) {
    Client client(fixture.port);
    uint8_t length[4];
    store_i32(length, one.length);
    CHECK(client.send(length, 4));
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
    CHECK_EQ(told.status, static_cast<int32_t>(one.reason));
    CHECK(client.is_closed_by_peer());
  }
  Client client(fixture.port);
  CHECK(client.send(request(kMetadata, 9, 1, 1000 - 10)));  // exactly the limit
  Told told;
  CHECK(fixture.inbox.next_of(fact::kRequest, &told));
}

TEST("reactor: conn: versions of Produce and Fetch that are not served close") {
  const std::pair<int16_t, int16_t> cases[] = {{0, 2}, {0, 0}, {0, 14}, {0, -1}, {1, 3}, {1, 19}};
  Fixture fixture;
  REQUIRE(fixture.is_open);
  for (const auto& [key, version] : cases) {
    Client client(fixture.port);
    CHECK(client.send(request(key, version, 1, 40)));
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
    CHECK_EQ(told.status, static_cast<int32_t>(DisconnectReason::kUnsupported));
    CHECK(client.is_closed_by_peer());
  }
  Fixture controller({}, false);
  REQUIRE(controller.is_open);
  Client client(controller.port);
  CHECK(client.send(request(1, 17, 5, 40)));
  Told told;
  REQUIRE(controller.inbox.next_of(fact::kRequest, &told));  // not a data listener: all comes up
  CHECK_EQ(correlation_of(told), 5);
}

TEST("reactor: conn: a client that only sends is not read without end") {
  ReactorOptions options;
  options.request_bytes_max = 1 << 20;
  Fixture fixture(options);
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  // Nobody replies: the first frame is a barrier, and what follows stays in one block and the
  // kernel.
  std::thread sender([&client] {
    const auto frame = request(kMetadata, 9, 1, 1000);
    for (int i = 0; i < 64 * 1024; i += 1) {
      if (!client.send(frame)) return;
    }
  });
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  CHECK(!fixture.inbox.next(&told, 200));
  CHECK(counter_sum(*fixture.plane, counter::kBytesReceived) < 4 << 20);
  fixture.plane->close(0, false);
  sender.join();
}

TEST("reactor: conn: a reader that does not read holds a bounded queue, then gets everything") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port, 8 * 1024);
  constexpr int kRequests = 200;
  constexpr size_t kAnswer = 256 * 1024;
  std::vector<uint8_t> pipeline;
  for (int i = 0; i < kRequests; i += 1) {
    const auto frame = request(kMetadata, 9, i);
    pipeline.insert(pipeline.end(), frame.begin(), frame.end());
  }
  CHECK(client.send(pipeline));
  int started = 0;
  Told told;
  while (fixture.inbox.next(&told, 300)) {
    if (told.kind != fact::kRequest) continue;
    started += 1;
    fixture.reply(told, answer(correlation_of(told), kAnswer));
  }
  // 1 MiB queued, and what the kernel's buffers take (a few MiB on loopback).
  CHECK(started < 80);
  CHECK(started > 3);
  std::thread server([&fixture, started] {
    Told next;
    for (int i = started; i < kRequests; i += 1) {
      REQUIRE(fixture.inbox.next_of(fact::kRequest, &next));
      fixture.reply(next, answer(correlation_of(next), kAnswer));
    }
  });
  for (int i = 0; i < kRequests; i += 1) {
    const auto frame = client.frame();
    REQUIRE(frame.size() == kAnswer + 4);
    CHECK_EQ(load_i32(frame.data()), i);
  }
  server.join();
}

TEST("reactor: conn: half closed, what is owed is still delivered") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  auto two = request(kMetadata, 9, 1);
  const auto second = request(kMetadata, 9, 2);
  two.insert(two.end(), second.begin(), second.end());
  CHECK(client.send(two));
  client.shutdown_write();
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  CHECK(!fixture.inbox.next(&told, 20));  // still connected
  fixture.plane->reply(told.conn(), static_cast<uint32_t>(told.ticket), nullptr);
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  fixture.reply(told, answer(2, 100));
  CHECK(client.frame() == answer(2, 100));
  CHECK(client.is_closed_by_peer());
  REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
  CHECK_EQ(told.status, static_cast<int32_t>(DisconnectReason::kPeer));
}

TEST("reactor: conn: a reset ends it, a reply to it is dropped") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Told told;
  {
    Client client(fixture.port);
    CHECK(client.send(request(kMetadata, 9, 1)));
    REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
    client.reset();
  }
  Told gone;
  REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &gone));
  CHECK_EQ(gone.conn(), told.conn());
  fixture.reply(told, answer(1));
  fixture.plane->hangup(told.conn());
  Client other(fixture.port);
  CHECK(other.send(request(kMetadata, 9, 2)));
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  CHECK(told.conn() != gone.conn());
}

TEST("reactor: conn: hangup lets what is queued leave") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  CHECK(client.send(request(kMetadata, 9, 1)));
  CHECK(client.send(request(kMetadata, 9, 2)));
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  fixture.reply(told, answer(1, 3 << 20));
  fixture.plane->hangup(told.conn());
  CHECK_EQ(client.frame().size(), (3u << 20) + 4);
  CHECK(client.is_closed_by_peer());
  REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
  CHECK_EQ(told.status, static_cast<int32_t>(DisconnectReason::kAsked));
}

TEST("reactor: conn: a muted one starts nothing until its time") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  CHECK(client.send(request(kMetadata, 9, 1)));
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  const auto began = std::chrono::steady_clock::now();
  fixture.plane->mute(told.conn(), 150);
  fixture.plane->mute(told.conn(), 10);  // moves the end only later
  fixture.reply(told, answer(1));
  CHECK(client.frame() == answer(1));  // the answer is not held
  CHECK(client.send(request(kMetadata, 9, 2)));
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(140));
}

TEST("reactor: conn: idle ones are closed, ones that are owed something are not") {
  ReactorOptions options;
  options.connections_max_idle_us = 60 * 1000;
  Fixture fixture(options);
  REQUIRE(fixture.is_open);
  Client idle(fixture.port), waiting(fixture.port);
  CHECK(waiting.send(request(kMetadata, 9, 1)));
  Told asked, told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &asked));
  REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
  CHECK_EQ(told.status, static_cast<int32_t>(DisconnectReason::kIdle));
  CHECK(told.conn() != asked.conn());
  CHECK(idle.is_closed_by_peer());
  CHECK(!waiting.has_bytes(100));
  fixture.reply(asked, answer(1));
  CHECK(waiting.frame() == answer(1));
  CHECK(waiting.is_closed_by_peer());
  CHECK_EQ(counter_sum(*fixture.plane, counter::kConnectionsIdleClosed), 2.0);
}

TEST("reactor: accept: no more than connections_max, none told, a place comes back") {
  for (const bool per_ip : {false, true}) {
    ReactorOptions options = with_reactors(2);
    (per_ip ? options.connections_per_ip_max : options.connections_max) = 3;
    Fixture fixture(options);
    REQUIRE(fixture.is_open);
    auto first = std::make_unique<Client>(fixture.port);
    Client second(fixture.port), third(fixture.port);
    Told told;
    for (int i = 0; i < 3; i += 1) REQUIRE(fixture.inbox.next_of(fact::kConnected, &told));
    Client fourth(fixture.port);
    CHECK(fourth.is_closed_by_peer());
    CHECK(!fixture.inbox.next(&told, 20));
    CHECK_EQ(counter_sum(*fixture.plane, counter::kConnectionsRefused), 1.0);
    first.reset();
    REQUIRE(fixture.inbox.next_of(fact::kDisconnected, &told));
    Client fifth(fixture.port);
    CHECK(fixture.inbox.next_of(fact::kConnected, &told));
  }
}

TEST("reactor: accept: unlisten refuses new ones, open ones go on") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  Client client(fixture.port);
  CHECK(client.send(request(kMetadata, 9, 1)));
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  fixture.plane->unlisten(7);
  uint16_t port = 0;
  CHECK_OK(fixture.plane->listen(8, {"127.0.0.1", 0}, true, &port));  // after the unlisten
  Client late(fixture.port);
  CHECK(!late.is_connected());
  fixture.reply(told, answer(1));
  CHECK(client.frame() == answer(1));
  CHECK(!fixture.plane->listen(9, {"127.0.0.1", port}, true, &port).ok());
}

TEST("reactor: dial: sends and hears, refusal is told") {
  for (const int reactors : {1, 3}) {
    Fixture server, caller(with_reactors(reactors));
    REQUIRE(server.is_open && caller.is_open);
    const uint64_t conn = caller.plane->dial({"127.0.0.1", server.port});
    const auto hello = request(kMetadata, 9, 77);
    caller.plane->send(conn, Bytes(hello.data() + 4, hello.size() - 4));
    Told told;
    REQUIRE(server.inbox.next_of(fact::kRequest, &told));
    CHECK_EQ(correlation_of(told), 77);
    server.reply(told, answer(77, 100000));
    REQUIRE(caller.inbox.next_of(fact::kDialled, &told));
    CHECK_EQ(told.status, 0);
    CHECK_EQ(told.conn(), conn);
    REQUIRE(caller.inbox.next_of(fact::kResponse, &told));
    CHECK(told.body == answer(77, 100000));
    caller.plane->hangup(conn);
    REQUIRE(caller.inbox.next_of(fact::kDisconnected, &told));
    CHECK_EQ(told.conn(), conn);
    REQUIRE(server.inbox.next_of(fact::kDisconnected, &told));

    server.plane->unlisten(7);
    uint16_t port = 0;
    CHECK_OK(server.plane->listen(8, {"127.0.0.1", 0}, true, &port));
    const uint64_t refused = caller.plane->dial({"127.0.0.1", server.port});
    REQUIRE(caller.inbox.next_of(fact::kDialled, &told));
    CHECK_EQ(told.conn(), refused);
    CHECK_EQ(told.status, ECONNREFUSED);
  }
}

TEST("reactor: dial: a peer that answers before it reads on is heard, however much we owe it") {
  Fixture caller;
  REQUIRE(caller.is_open);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof at;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), bytes) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &bytes) == 0);
  const uint64_t conn = caller.plane->dial({"127.0.0.1", ntohs(at.sin_port)});
  const int peer = ::accept(listener, nullptr, nullptr);
  Told told;
  REQUIRE(caller.inbox.next_of(fact::kDialled, &told));
  // Far more than two sockets hold.
  const auto large = request(kMetadata, 9, 1, 4 << 20);
  for (int i = 0; i < 8; i += 1) {
    caller.plane->send(conn, Bytes(large.data() + 4, large.size() - 4));
  }
  auto response = answer(1);
  response.insert(response.begin(), {0, 0, 0, 4});
  REQUIRE(::send(peer, response.data(), response.size(), 0) ==
          static_cast<ssize_t>(response.size()));
  REQUIRE(caller.inbox.next_of(fact::kResponse, &told));
  CHECK(told.body == answer(1));
  ::close(peer);
  ::close(listener);
}

TEST("reactor: facts: a full ring holds sockets back and loses nothing") {
  ReactorOptions options = with_reactors(2);
  options.ring.facts = 8;
  options.ring.slab_bytes = 4096;
  Fixture fixture(options);
  REQUIRE(fixture.is_open);
  constexpr int kClients = 60;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; i += 1) {
    clients.push_back(std::make_unique<Client>(fixture.port));
    CHECK(clients.back()->send(request(kMetadata, 9, i, static_cast<size_t>(i) * 40)));
  }
  int requests = 0, connected = 0;
  Told told;
  while (requests < kClients && fixture.inbox.next(&told)) {
    if (told.kind == fact::kConnected) connected += 1;
    if (told.kind != fact::kRequest) continue;
    requests += 1;
    CHECK_EQ(told.body.size(), static_cast<size_t>(correlation_of(told)) * 40 + 10);
    fixture.reply(told, answer(correlation_of(told)));
  }
  CHECK_EQ(requests, kClients);
  CHECK_EQ(connected, kClients);
  for (int i = 0; i < kClients; i += 1) {
    CHECK(clients[static_cast<size_t>(i)]->frame() == answer(i));
  }
}

TEST("reactor: facts: the bell rings once per idle edge") {
  Fixture fixture;
  REQUIRE(fixture.is_open);
  fixture.inbox.drain();
  const int before = fixture.inbox.rings();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; i += 1) {
    clients.push_back(std::make_unique<Client>(fixture.port));
    CHECK(clients.back()->send(request(kMetadata, 9, i)));
  }
  Told told;
  while (counter_sum(*fixture.plane, counter::kRequestsForwarded) < 20) {
  }
  CHECK_EQ(fixture.inbox.rings(), before + 1);
  for (int i = 0; i < 20; i += 1) CHECK(fixture.inbox.next_of(fact::kRequest, &told));
}

TEST("reactor: shutdown: what is owed leaves, new requests do not start, then all is closed") {
  for (const int reactors : {1, 2, 4}) {
    Fixture fixture(with_reactors(reactors));
    REQUIRE(fixture.is_open);
    Client owed(fixture.port), idle(fixture.port);
    CHECK(owed.send(request(kMetadata, 9, 1)));
    Told told;
    REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
    fixture.plane->close(10000, true);
    CHECK(idle.is_closed_by_peer());
    CHECK(!fixture.plane->is_closed());
    CHECK(owed.send(request(kMetadata, 9, 2)));
    fixture.reply(told, answer(1, 1 << 20));
    CHECK_EQ(owed.frame().size(), (1u << 20) + 4);
    CHECK(owed.is_closed_by_peer());
    while (!fixture.plane->is_closed()) fixture.inbox.next(&told, 10);
    fixture.plane->stop();
  }
}

TEST("reactor: shutdown: the grace ends what does not end by itself") {
  Fixture fixture(with_reactors(2));
  REQUIRE(fixture.is_open);
  Client owed(fixture.port);
  CHECK(owed.send(request(kMetadata, 9, 1)));
  Told told;
  REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
  fixture.plane->close(50, true);
  CHECK(owed.is_closed_by_peer());
  while (!fixture.plane->is_closed()) fixture.inbox.next(&told, 10);
}

TEST("reactor: shutdown: a plane under load can simply be destroyed") {
  for (const int reactors : {1, 2, 4}) {
    auto fixture = std::make_unique<Fixture>(with_reactors(reactors));
    REQUIRE(fixture->is_open);
    const uint16_t port = fixture->port;
    std::atomic<bool> is_over{false};
    std::thread load([port, &is_over] {
      while (!is_over) {
        Client client(port);
        if (!client.is_connected()) continue;
        client.send(request(kMetadata, 9, 1, 5000));
      }
    });
    Told told;
    for (int i = 0; i < 50; i += 1) fixture->inbox.next_of(fact::kRequest, &told);
    fixture.reset();
    is_over = true;
    load.join();
  }
}

// Turns that a reactor takes for so many requests and replies, one after the other.
double turns_of(Fixture& fixture, Client& client, int requests) {
  const double before = counter_sum(*fixture.plane, counter::kTurns);
  for (int i = 0; i < requests; i += 1) {
    client.send(request(kMetadata, 9, i, 10));
    Told told;
    CHECK(fixture.inbox.next_of(fact::kRequest, &told));
    fixture.reply(told, answer(i));
    CHECK(client.frame() == answer(i));
  }
  return counter_sum(*fixture.plane, counter::kTurns) - before;
}

TEST("reactor: spin: between short waits it does not sleep, and after a long one it does") {
  constexpr int kRequests = 200;
  constexpr double kTurnsPerRequest = 10;  // asleep it takes two
  ReactorOptions options;
  Fixture sleeping(options);
  Client patient(sleeping.port);
  CHECK(turns_of(sleeping, patient, kRequests) < kTurnsPerRequest * kRequests);

  options.spin_us = 1000;
  Fixture fixture(options);
  Client client(fixture.port);
  double turns = 0;
  for (int i = 0; i < 100 && turns < kTurnsPerRequest * kRequests; i += 1) {
    turns = turns_of(fixture, client, kRequests);
  }
  CHECK(turns >= kTurnsPerRequest * kRequests);
  bool is_asleep = false;
  for (int i = 0; i < 1000 && !is_asleep; i += 1) {
    const double before = counter_sum(*fixture.plane, counter::kTurns);
    CHECK(client.frame(10).empty());  // nothing is owed
    is_asleep = counter_sum(*fixture.plane, counter::kTurns) - before < 5;
  }
  CHECK(is_asleep);
}

TEST("reactor: load: many connections on many reactors, all answers right") {
  for (const int reactors : {1, 2, 4}) {
    Fixture fixture(with_reactors(reactors));
    REQUIRE(fixture.is_open);
    constexpr int kThreads = 4, kConns = 8, kRounds = 25;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t += 1) {
      threads.emplace_back([&fixture, &wrong, t] {
        std::vector<std::unique_ptr<Client>> clients;
        for (int c = 0; c < kConns; c += 1) {
          clients.push_back(std::make_unique<Client>(fixture.port));
        }
        for (int round = 0; round < kRounds; round += 1) {
          for (int c = 0; c < kConns; c += 1) {
            const int32_t id = (t * kConns + c) * 1000 + round;
            clients[static_cast<size_t>(c)]->send(
                request(kMetadata, 9, id, static_cast<size_t>(id) * 37 % 3000));
          }
          for (int c = 0; c < kConns; c += 1) {
            const int32_t id = (t * kConns + c) * 1000 + round;
            if (clients[static_cast<size_t>(c)]->frame() != answer(id)) wrong += 1;
          }
        }
      });
    }
    Told told;
    for (int i = 0; i < kThreads * kConns * kRounds; i += 1) {
      REQUIRE(fixture.inbox.next_of(fact::kRequest, &told));
      fixture.reply(told, answer(correlation_of(told)));
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(wrong.load(), 0);
  }
}

RUN_TESTS_ON_EACH_IO()
