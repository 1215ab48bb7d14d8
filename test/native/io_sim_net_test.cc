// io/sim.h, the network, the clock and the promise that one seed is one run.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../../native/io/sim.h"
#include "test.h"

using namespace ottla;

namespace {

std::string receive(SimWorld* world, Handle client) {
  std::string text(1 << 20, 0);
  size_t got = 0;
  const Status status = world->client_receive(client, text.data(), text.size(), &got);
  if (status.code == Code::kClosed) return "(closed)";
  text.resize(got);
  return text;
}

std::string receive(Io* io, Handle socket, size_t bytes = 1 << 20) {
  std::string text(bytes, 0);
  size_t got = 0;
  const Status status = io->receive(socket, text.data(), bytes, &got);
  if (status.code == Code::kClosed) return "(closed)";
  text.resize(got);
  return text;
}

size_t send(Io* io, Handle socket, const std::string& text) {
  const iovec iov = {const_cast<char*>(text.data()), text.size()};
  size_t sent = 0;
  (void)io->send(socket, &iov, 1, false, &sent);
  return sent;
}

struct Server {
  std::unique_ptr<Io> io;
  Handle listener = kNoHandle;
  uint16_t port = 0;
};

Server serve(SimWorld* world) {
  Server server{world->make_io(), kNoHandle, 0};
  CHECK_OK(server.io->listen({"", 0}, 16, "", &server.listener, &server.port));
  return server;
}

Handle accept(const Server& server) {
  Handle socket = kNoHandle;
  SocketAddress peer;
  CHECK_OK(server.io->accept(server.listener, &socket, &peer));
  CHECK_EQ(peer.host, "127.0.0.1");
  return socket;
}

}  // namespace

TEST("io: sim: net: a client outside speaks with the server, both see the end") {
  SimWorld world(1);
  const Server server = serve(&world);
  Handle none = kNoHandle;
  SocketAddress peer;
  CHECK_EQ(server.io->accept(server.listener, &none, &peer).code, Code::kWouldBlock);
  const Handle client = world.connect_client(server.port);
  size_t sent = 0;
  CHECK_OK(world.client_connected(client));
  CHECK_OK(world.client_send(client, as_bytes("early"), &sent));
  Event events[4];
  int tag = 0, other = 0;
  CHECK_OK(server.io->watch(server.listener, &tag, true, false));
  CHECK_EQ(server.io->poll(events, 4, 0), 1);
  CHECK(events[0].tag == &tag && events[0].readable);
  const Handle socket = accept(server);
  CHECK_EQ(server.io->poll(events, 4, 0), 0);
  CHECK_OK(server.io->watch(socket, &other, true, true));
  CHECK_EQ(server.io->poll(events, 4, 0), 1);
  CHECK(events[0].readable && events[0].writable && !events[0].hangup);
  CHECK_EQ(receive(server.io.get(), socket, 3), "ear");
  CHECK_EQ(receive(server.io.get(), socket), "ly");
  char byte;
  size_t got = 0;
  CHECK_EQ(server.io->receive(socket, &byte, 1, &got).code, Code::kWouldBlock);
  CHECK_EQ(send(server.io.get(), socket, "answer"), 6u);
  CHECK_EQ(receive(&world, client), "answer");
  world.client_shutdown(client);
  CHECK_EQ(receive(server.io.get(), socket), "(closed)");
  CHECK_EQ(send(server.io.get(), socket, "last"), 4u);
  server.io->close_socket(socket);
  CHECK_EQ(receive(&world, client), "last");
  CHECK_EQ(receive(&world, client), "(closed)");
  CHECK_EQ(world.client_send(client, as_bytes("x"), &sent).code, Code::kClosed);
  world.client_close(client);
}

TEST("io: sim: net: buffers are bounded, and room makes writable") {
  SimWorld world(1);
  world.set_socket_buffer_bytes(1000);
  const Server server = serve(&world);
  const Handle client = world.connect_client(server.port);
  const Handle socket = accept(server);
  CHECK_EQ(send(server.io.get(), socket, std::string(1500, 'x')), 1000u);
  CHECK_EQ(send(server.io.get(), socket, "y"), 0u);
  Event events[1];
  CHECK_OK(server.io->watch(socket, nullptr, false, true));
  CHECK_EQ(server.io->poll(events, 1, 0), 0);
  char part[100];
  size_t got = 0;
  CHECK_OK(world.client_receive(client, part, sizeof part, &got));
  CHECK_EQ(server.io->poll(events, 1, 0), 1);
  CHECK_EQ(send(server.io.get(), socket, std::string(1500, 'x')), 100u);
}

TEST("io: sim: net: refused, reset, and a listener that goes away") {
  SimWorld world(1);
  const Server server = serve(&world);
  const Handle nobody = world.connect_client(1);
  CHECK_EQ(world.client_connected(nobody).code, Code::kClosed);
  Handle socket = kNoHandle;
  CHECK_OK(server.io->connect({"127.0.0.1", 1}, &socket));
  CHECK_EQ(server.io->connect_result(socket).code, Code::kClosed);
  server.io->close_socket(socket);
  const Handle client = world.connect_client(server.port), late = world.connect_client(server.port);
  socket = accept(server);
  size_t sent = 0;
  CHECK_OK(world.client_send(client, as_bytes("unread"), &sent));
  server.io->close_socket(socket);  // unread bytes: a reset
  CHECK_EQ(receive(&world, client), "(closed)");
  server.io->close_socket(server.listener);
  CHECK_EQ(receive(&world, late), "(closed)");
  uint16_t port = 0;
  CHECK_OK(server.io->listen({"", server.port}, 16, "", &socket, &port));
  CHECK_EQ(port, server.port);
  CHECK_EQ(server.io->listen({"", port}, 16, "", &socket, &port).code, Code::kBusy);
}

TEST("io: sim: net: latency delays connections, bytes and ends, in order") {
  SimWorld world(1);
  const Server server = serve(&world);
  world.set_network_latency_us(100);
  const Handle client = world.connect_client(server.port);
  size_t sent = 0;
  CHECK_EQ(world.client_connected(client).code, Code::kWouldBlock);
  CHECK_EQ(world.next_event_us(), world.now_us() + 100);
  world.advance_us(100);
  CHECK_OK(world.client_connected(client));
  const Handle socket = accept(server);
  CHECK_OK(world.client_send(client, as_bytes("a"), &sent));
  world.set_network_latency_us(10);
  CHECK_OK(world.client_send(client, as_bytes("b"), &sent));
  world.client_close(client);
  world.advance_us(99);
  CHECK_EQ(receive(server.io.get(), socket), "");
  world.advance_us(1);
  CHECK_EQ(receive(server.io.get(), socket), "ab");
  CHECK_EQ(receive(server.io.get(), socket), "(closed)");
}

TEST("io: sim: net: send_file reads the disk, between two reactors of one machine") {
  SimWorld world(1);
  const Server server = serve(&world);
  const auto other = world.make_io();
  Handle file = kNoHandle, client = kNoHandle;
  CHECK_OK(server.io->open("/log", OpenMode::kReadWriteCreate, &file));
  CHECK_OK(server.io->write(file, "0123456789", 10, 0));
  CHECK_OK(other->connect({"127.0.0.1", server.port}, &client));
  CHECK_OK(other->connect_result(client));
  const Handle socket = accept(server);
  size_t sent = 0;
  CHECK_OK(server.io->send_file(socket, file, 3, 100, &sent));
  CHECK_EQ(sent, 7u);
  CHECK_EQ(server.io->send_file(socket, file, 10, 1, &sent).code, Code::kOutOfRange);
  CHECK_EQ(receive(other.get(), client), "3456789");
}

TEST("io: sim: net: death resets the clients outside, a restart listens again") {
  SimWorld world(1);
  Server server = serve(&world);
  const Handle client = world.connect_client(server.port);
  accept(server);
  world.die(SimDeath::kPower);
  CHECK_EQ(receive(&world, client), "(closed)");
  CHECK_EQ(world.client_connected(world.connect_client(server.port)).code, Code::kClosed);
  world.restart();
  server = serve(&world);
  CHECK_OK(world.client_connected(world.connect_client(server.port)));
  accept(server);
}

TEST("io: sim: net: transfers may be short, and connections reset, by chance") {
  SimWorld world(7);
  world.chances.short_transfer = 500'000;
  const Server server = serve(&world);
  const Handle client = world.connect_client(server.port);
  const Handle socket = accept(server);
  const std::string text(5000, 't');
  int calls = 0;
  for (size_t at = 0; at < text.size(); calls += 1) {
    at += send(server.io.get(), socket, text.substr(at));
  }
  CHECK(calls > 1);
  CHECK_EQ(receive(&world, client), text);
  world.chances.reset = 1'000'000;
  CHECK_EQ(send(server.io.get(), socket, "x"), 0u);
  CHECK_EQ(receive(&world, client), "(closed)");
}

TEST("io: sim: time: polls do not wait, their deadlines are events, wake is one too") {
  SimWorld world(1);
  const auto a = world.make_io(), b = world.make_io();
  Event events[1];
  CHECK_EQ(world.next_event_us(), INT64_MAX);
  CHECK_EQ(a->poll(events, 1, 3000), 0);
  CHECK_EQ(b->poll(events, 1, -1), 0);
  CHECK_EQ(world.next_event_us(), world.now_us() + 3000);
  b->wake();
  CHECK_EQ(world.next_event_us(), world.now_us());
  CHECK_EQ(b->poll(events, 1, -1), 0);
  CHECK_EQ(world.next_event_us(), world.now_us() + 3000);
  const int64_t wall = a->wall_ms(), now = a->now_us();
  world.advance_us(2'000'000);
  CHECK_EQ(a->wall_ms(), wall + 2000);
  CHECK_EQ(b->now_us(), now + 2'000'000);
  world.set_wall_ms(5);
  CHECK_EQ(a->wall_ms(), 5);
}

TEST("io: sim: readiness: nobody starves when events are taken one at a time") {
  SimWorld world(1);
  const Server server = serve(&world);
  Handle sockets[3];
  for (Handle& socket : sockets) {
    const Handle client = world.connect_client(server.port);
    socket = accept(server);
    size_t sent = 0;
    CHECK_OK(world.client_send(client, as_bytes("x"), &sent));
    CHECK_OK(server.io->watch(socket, &socket, true, false));
  }
  std::vector<void*> seen;
  for (int i = 0; i < 3; i += 1) {
    Event event;
    CHECK_EQ(server.io->poll(&event, 1, 0), 1);
    seen.push_back(event.tag);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

namespace {

// A small machine under every fault at once; returns what a trace should distinguish.
uint64_t run(uint64_t seed) {
  SimWorld world(seed);
  world.chances = {20'000, 20'000, 20'000, 50'000, 100'000, 10'000, 500};
  world.set_network_latency_us(30);
  SimRandom random(seed);
  for (int life = 0; life < 3; life += 1) {
    const Server server = serve(&world);
    world.die_at(world.operations() + 100 + random.below(100), SimDeath::kPower);
    Handle file = kNoHandle;
    (void)server.io->open("/log", OpenMode::kReadWriteCreate, &file);
    std::vector<Handle> sockets, clients;
    for (int64_t at = 0; !world.is_dead(); at += 100) {
      if (random.below(8) == 0) clients.push_back(world.connect_client(server.port));
      Handle socket = kNoHandle;
      SocketAddress peer;
      if (server.io->accept(server.listener, &socket, &peer).ok()) sockets.push_back(socket);
      const std::string text = std::to_string(server.io->random());
      (void)server.io->write(file, text.data(), text.size(), at);
      if (random.below(4) == 0) (void)server.io->sync(file);
      for (const Handle open : sockets) send(server.io.get(), open, text);
      world.advance_us(20);
    }
    for (const Handle client : clients) world.client_close(client);
    world.restart();
  }
  const auto io = world.make_io();
  Handle file = kNoHandle;
  uint8_t content[4096] = {};
  size_t got = 0;
  if (io->open("/log", OpenMode::kRead, &file).ok()) {
    (void)io->read(file, content, sizeof content, 0, &got);
  }
  uint64_t digest = world.trace();
  for (const uint8_t byte : content) digest = digest * 31 + byte;
  return digest;
}

}  // namespace

TEST("io: sim: one seed is one run, another seed another") {
  std::vector<uint64_t> digests;
  for (uint64_t seed = 0; seed < 20; seed += 1) {
    digests.push_back(run(seed));
    CHECK_EQ(run(seed), digests.back());
  }
  std::sort(digests.begin(), digests.end());
  CHECK(std::adjacent_find(digests.begin(), digests.end()) == digests.end());
}

RUN_TESTS()
