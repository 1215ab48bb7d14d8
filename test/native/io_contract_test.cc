// One contract, two worlds: the same random calls on the kernel and on the simulator answer alike.
// What the simulator proves about the code above it is worth as much as this.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../../native/io/sim.h"
#include "real_io.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;

namespace {

// One world with the files that the run has open in it, by the run's own numbers.
struct Side {
  Io* io;
  std::string root;
  std::vector<Handle> files;
};

// Performs the call that the random numbers name; returns all there is to see of its answer.
std::string answer(Side* side, SimRandom* random) {
  static const char* const kNames[] = {"/a", "/b", "/d", "/d/a", "/d/b", "/e", "/e/x/y", "/d/e"};
  const auto path = [&] { return side->root + kNames[random->below(8)]; };
  const auto code = [](Status status) { return "code " + std::to_string(int(status.code)); };
  const uint64_t what = random->below(16);
  const std::string first = path(), second = path();
  const size_t which = random->below(std::max<size_t>(side->files.size(), 1));
  const int64_t position = static_cast<int64_t>(random->below(3000));
  const size_t bytes = 1 + random->below(2000);
  const Handle file = side->files.empty() ? kNoHandle : side->files[which];
  const bool has_file = !side->files.empty();
  std::string text(bytes, static_cast<char>('a' + what));
  size_t got = 0;
  int64_t length = 0;
  FileInfo info;
  std::vector<std::string> names;
  Handle opened = kNoHandle;
  if (what < 3) {
    const Status status = side->io->open(first, static_cast<OpenMode>(random->below(5)), &opened);
    if (status.ok()) side->files.push_back(opened);
    return "open " + code(status);
  }
  if (what < 6) {
    if (!has_file) return "";
    return "write " + code(side->io->write(file, text.data(), bytes, position));
  }
  if (what < 8) {
    if (!has_file) return "";
    const Status status = side->io->read(file, text.data(), bytes, position, &got);
    return "read " + code(status) + " " + text.substr(0, got);
  }
  switch (what) {
    case 8:
      return has_file ? "truncate " + code(side->io->truncate(file, position)) : "";
    case 9: {
      if (!has_file) return "";
      const Status status = side->io->file_bytes(file, &length);
      return "bytes " + code(status) + " " + std::to_string(length);
    }
    case 10: {
      if (!has_file) return "";
      side->files.erase(side->files.begin() + static_cast<long>(which));
      return "close " + code(side->io->close(file));
    }
    case 11:
      return "directory " + code(side->io->make_directory(first));
    case 12:
      return "rename " + code(side->io->rename(first, second));
    case 13:
      return "remove " + code(side->io->remove(first));
    case 14: {
      const Status status = side->io->stat(first, &info);
      const bool is_file = status.ok() && !info.is_directory;
      return "stat " + code(status) + (info.is_directory ? " d " : " f ") +
             std::to_string(is_file ? info.bytes : 0);
    }
    default: {
      std::string seen = "list " + code(side->io->list(first, &names));
      for (const std::string& name : names) seen += " " + name;
      return seen + code(side->io->sync_directory(first));
    }
  }
}

struct Pair {
  Handle client = kNoHandle, server = kNoHandle, listener = kNoHandle;
};

// Polls until `is_there`; the simulator's time is moved by `pass`.
void until(Io* io, const std::function<void()>& pass, const std::function<bool()>& is_there) {
  bool is_true = is_there();
  for (int turn = 0; turn < 2000 && !is_true; turn += 1) {
    Event events[4];
    io->poll(events, 4, 1000);
    pass();
    is_true = is_there();
  }
  CHECK(is_true);
}

// A conversation over one connection; the text says what each side saw.
std::string conversation(Io* io, const std::function<void()>& pass) {
  std::string seen;
  const auto note = [&](const char* what, Status status) {
    seen += std::string(what) + " " + std::to_string(int(status.code)) + "\n";
  };
  Pair pair;
  uint16_t port = 0;
  SocketAddress peer;
  note("listen", io->listen({"127.0.0.1", 0}, 4, "", &pair.listener, &port));
  note("accept none", io->accept(pair.listener, &pair.server, &peer));
  note("connect", io->connect({"127.0.0.1", port}, &pair.client));
  until(io, pass, [&] { return io->accept(pair.listener, &pair.server, &peer).ok(); });
  until(io, pass, [&] { return io->connect_result(pair.client).ok(); });
  char part[16];
  size_t got = 0, sent = 0;
  note("receive none", io->receive(pair.server, part, sizeof part, &got));
  char hello[] = "hello";
  const iovec iov[2] = {{hello, 2}, {hello + 2, 3}};
  note("send", io->send(pair.client, iov, 2, false, &sent));
  seen += std::to_string(sent) + "\n";
  std::string text;
  until(io, pass, [&] {
    if (io->receive(pair.server, part, 4, &got).ok()) text.append(part, got);
    return text.size() == 5;
  });
  seen += text + "\n";
  io->shutdown_write(pair.client);
  note("send after the end", io->send(pair.client, iov, 2, false, &sent));
  Status status;
  until(io, pass, [&] {
    status = io->receive(pair.server, part, sizeof part, &got);
    return status.code != Code::kWouldBlock;
  });
  note("receive at the end", status);
  note("the other way", io->send(pair.server, iov, 1, false, &sent));
  io->close_socket(pair.server);
  until(io, pass, [&] { return io->receive(pair.client, part, sizeof part, &got).ok(); });
  until(io, pass, [&] {
    status = io->receive(pair.client, part, sizeof part, &got);
    return status.code != Code::kWouldBlock;
  });
  note("receive at the end", status);
  int tag = 0;
  Event event;
  CHECK_OK(io->watch(pair.client, &tag, false, false));
  until(io, pass, [&] { return io->poll(&event, 1, 0) == 1; });
  seen += event.hangup ? "hangup\n" : "no hangup\n";
  io->unwatch(pair.client);
  io->close_socket(pair.client);
  io->close_socket(pair.listener);
  Handle refused = kNoHandle;
  status = io->connect({"127.0.0.1", port}, &refused);
  if (status.ok()) {
    until(io, pass, [&] {
      status = io->connect_result(refused);
      return status.code != Code::kWouldBlock;
    });
    note("asked again", io->connect_result(refused));
    io->close_socket(refused);
  }
  note("refused", status);
  return seen;
}

}  // namespace

TEST("io: contract: files: the kernel and the simulator answer alike") {
  int calls = 0;
  for (uint64_t seed = 0; seed < 30; seed += 1) {
    test::TempDirectory directory;
    SimWorld world(seed);
    const auto real = test::make_real_io(), simulated = world.make_io();
    Side a{real.get(), directory.path(), {}}, b{simulated.get(), "", {}};
    SimRandom random_a(seed), random_b(seed);
    for (int step = 0; step < 300; step += 1) {
      const std::string on_a = answer(&a, &random_a), on_b = answer(&b, &random_b);
      CHECK_EQ(on_a, on_b);
      if (on_a != on_b) {
        std::printf("    seed %d, step %d\n", int(seed), step);
        return;
      }
      calls += on_a.empty() ? 0 : 1;
    }
    for (const Handle file : a.files) CHECK_OK(real->close(file));
  }
  CHECK(calls > 5000);
}

TEST("io: contract: sockets: the kernel and the simulator tell the same story") {
  const auto real = test::make_real_io();
  SimWorld world(1);
  world.set_network_latency_us(50);
  const auto simulated = world.make_io();
  const std::string on_real = conversation(real.get(), [] {});
  CHECK_EQ(on_real, conversation(simulated.get(), [&] { world.advance_us(10); }));
}

RUN_TESTS_ON_EACH_IO()
