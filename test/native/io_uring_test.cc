// io/uring.h: what io_uring alone can get wrong: buffers and rings that run out, bytes received
// ahead of their reader, operations that outlive their socket, systems that forbid it. What it has
// in common with epoll is in io_kernel_test.cc.
#include "../../native/io/uring.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "../../native/io/sim_random.h"
#include "real_io.h"
#include "test.h"

using namespace ottla;
using ottla::test::kPatienceUs;
using ottla::test::make_uring;
using ottla::test::receive_text;
using ottla::test::wait_for;

namespace {

UringOptions tiny() {
  UringOptions options;
  options.sizes = {4, 8, 4, 128};
  return options;
}

// A connection: `server` is the Io's, `client` a plain non-blocking socket of the test.
struct Pair {
  Handle server = kNoHandle;
  Handle client = kNoHandle;
};

struct Listener {
  explicit Listener(Io* with) : io(with) {
    CHECK_OK(io->listen({"127.0.0.1", 0}, 256, "", &handle, &port));
    CHECK_OK(io->watch(handle, this, true, false));
  }
  ~Listener() {
    io->unwatch(handle);
    io->close_socket(handle);
  }
  Pair connect() {
    Pair pair;
    CHECK_OK(posix::connect({"127.0.0.1", port}, &pair.client));
    SocketAddress peer;
    const int64_t until_us = io->now_us() + kPatienceUs;
    while (!io->accept(handle, &pair.server, &peer).ok() && io->now_us() < until_us) {
      Event events[16];
      io->poll(events, 16, 1000);
    }
    CHECK(pair.server != kNoHandle);
    CHECK_EQ(peer.host, "127.0.0.1");
    return pair;
  }

  Io* io;
  Handle handle = kNoHandle;
  uint16_t port = 0;
};

size_t client_send(Handle client, const std::string& text) {
  const ssize_t sent = ::send(client, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

bool client_is_closed(Handle client) {
  char byte;
  const ssize_t got = ::recv(client, &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EWOULDBLOCK);
}

std::string pattern(size_t bytes, int salt = 0) {
  std::string text(bytes, 0);
  for (size_t i = 0; i < bytes; i += 1) text[i] = static_cast<char>((i * 31 + i / 251) ^ salt);
  return text;
}

// One side of a stream whose byte at each position is known.
struct Stream {
  static char at(size_t position, int salt) {
    return static_cast<char>((position * 131 + position / 257) ^ static_cast<size_t>(salt));
  }
  std::string next(size_t bytes) const {
    std::string text(bytes, 0);
    for (size_t i = 0; i < bytes; i += 1) text[i] = at(sent + i, salt);
    return text;
  }
  bool take(const char* bytes, size_t count) {
    for (size_t i = 0; i < count; i += 1) {
      if (bytes[i] != at(received + i, salt)) return false;
    }
    received += count;
    return true;
  }
  int salt = 0;
  size_t sent = 0;
  size_t received = 0;
};

// A connection of the random run.
struct Talk {
  Pair pair;
  Stream up, down;
  bool reads = true, writes = false;
  bool has_ended = false, is_true = true;

  void watch(Io* io) { CHECK_OK(io->watch(pair.server, this, reads, writes)); }

  void on_event(Io* io, const Event& event, SimRandom* random) {
    if (event.writable) {
      CHECK(writes);
      speak(io, random);
    }
    if (!event.readable) return;
    CHECK(reads);
    if (random->below(8) == 0) return;  // it will be told again
    if (random->below(8) == 0) {
      reads = false;
      return watch(io);
    }
    char part[9000];
    size_t got = 0;
    const size_t room = 1 + random->below(random->below(2) == 0 ? 200 : sizeof part - 1);
    const Status status = io->receive(pair.server, part, room, &got);
    if (status.ok()) {
      is_true = is_true && up.take(part, got);
    } else if (status.code != Code::kWouldBlock) {
      has_ended = true;
      reads = writes = false;
      watch(io);
    }
  }
  void speak(Io* io, SimRandom* random) {
    const std::string text = down.next(1 + random->below(20000));
    const iovec iov = {const_cast<char*>(text.data()), text.size()};
    size_t sent = 0;
    const Status status = io->send(pair.server, &iov, 1, false, &sent);
    if (status.ok()) down.sent += sent;
    const bool is_full = status.code == Code::kWouldBlock;
    if (is_full != writes) {
      writes = is_full;
      watch(io);
    }
  }
  void client_step(SimRandom* random, size_t bytes_max) {
    if (random->below(2) == 0) {
      up.sent += client_send(pair.client, up.next(1 + random->below(bytes_max)));
    }
    char part[16384];
    const ssize_t got = ::recv(pair.client, part, 1 + random->below(sizeof part), MSG_DONTWAIT);
    if (got > 0) is_true = is_true && down.take(part, static_cast<size_t>(got));
  }
};

int turn(Io* io, SimRandom* random, int64_t wait_us) {
  Event events[5];
  const int count = io->poll(events, 5, wait_us);
  for (int i = 0; i < count; i += 1) {
    if (events[i].tag != io) static_cast<Talk*>(events[i].tag)->on_event(io, events[i], random);
  }
  return count;
}

void talk_at_random(uint64_t seed, const UringOptions& options) {
  const auto io = make_uring(options);
  REQUIRE(io != nullptr);
  SimRandom random(seed);
  std::vector<std::unique_ptr<Talk>> talks;
  {
    Listener listener(io.get());
    for (int i = 0; i < 12; i += 1) {
      auto talk = std::make_unique<Talk>();
      talk->pair = listener.connect();
      talk->up.salt = i;
      talk->down.salt = 100 + i;
      CHECK_OK(io->set_buffers(talk->pair.server, 16384, 65536));
      talks.push_back(std::move(talk));
    }
  }
  for (const auto& talk : talks) talk->watch(io.get());
  for (int step = 0; step < 3000; step += 1) {
    Talk* talk = talks[random.below(talks.size())].get();
    switch (random.below(4)) {
      case 0:
        talk->client_step(&random, random.below(3) == 0 ? 30000 : 300);
        break;
      case 1:
        talk->reads = random.below(3) != 0;
        talk->watch(io.get());
        break;
      case 2:
        talk->speak(io.get(), &random);
        break;
      default:
        turn(io.get(), &random, 0);
    }
  }
  // Everybody listens again: all that was said must arrive, then the end.
  for (const auto& talk : talks) ::shutdown(talk->pair.client, SHUT_WR);
  const int64_t until_us = io->now_us() + kPatienceUs;
  bool is_over = false;
  while (!is_over && io->now_us() < until_us) {
    is_over = true;
    for (const auto& talk : talks) {
      if (!talk->reads && !talk->has_ended) {
        talk->reads = true;
        talk->watch(io.get());
      }
      char part[16384];
      const ssize_t got = ::recv(talk->pair.client, part, sizeof part, MSG_DONTWAIT);
      if (got > 0) {
        talk->is_true = talk->is_true && talk->down.take(part, static_cast<size_t>(got));
      }
      is_over = is_over && talk->has_ended && talk->down.received == talk->down.sent;
    }
    turn(io.get(), &random, 1000);
  }
  for (const auto& talk : talks) {
    CHECK(talk->is_true);
    CHECK(talk->has_ended);
    CHECK_EQ(talk->up.received, talk->up.sent);
    CHECK_EQ(talk->down.received, talk->down.sent);
    io->unwatch(talk->pair.server);
    io->close_socket(talk->pair.server);
    (void)posix::close(talk->pair.client);
  }
  if (!is_over) std::printf("    seed %d\n", static_cast<int>(seed));
}

// From now on this process is refused that call with that errno.
void forbid(long call, int error) {
  const auto number = static_cast<uint32_t>(call);
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace

TEST("io: uring: where it is forbidden it says so, whichever call is refused") {
  for (const auto& [call, error] : {std::pair<long, int>{SYS_io_uring_setup, EPERM},
                                    {SYS_io_uring_setup, ENOSYS},
                                    {SYS_io_uring_register, EPERM},
                                    {SYS_io_uring_enter, EACCES}}) {
    const pid_t child = ::fork();
    if (child == 0) {
      forbid(call, error);
      ::_exit(probe_uring().error);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), error);
  }
}

TEST("io: uring: random conversations with rings and buffers that run out") {
  for (uint64_t seed = 1; seed <= 8; seed += 1) talk_at_random(seed, tiny());
}

TEST("io: uring: random conversations with rings of the usual size") {
  for (uint64_t seed = 1; seed <= 4; seed += 1) talk_at_random(seed, {});
}

TEST("io: uring: what was received before nobody watched any more is not lost") {
  const auto io = make_uring();
  Listener listener(io.get());
  const Pair pair = listener.connect();
  std::string expected = "early";
  CHECK_OK(io->watch(pair.server, &expected, true, false));
  client_send(pair.client, expected);
  CHECK(wait_for(io.get(), &expected).readable);
  io->unwatch(pair.server);
  client_send(pair.client, " and late");
  CHECK_EQ(receive_text(io.get(), pair.server, 5), "early");
  char part[64];
  size_t got = 0;
  const int64_t until_us = io->now_us() + kPatienceUs;
  while (!io->receive(pair.server, part, sizeof part, &got).ok() && io->now_us() < until_us) {
  }
  CHECK_EQ(std::string(part, got), " and late");
  io->close_socket(pair.server);
  (void)posix::close(pair.client);
}

TEST("io: uring: one that is not read is sent only so much, and reads all of it later") {
  UringOptions options;
  options.sizes.buffers = 64;
  const auto io = make_uring(options);
  Listener listener(io.get());
  const Pair quiet = listener.connect(), busy = listener.connect();
  CHECK_OK(io->set_buffers(quiet.server, -1, 16384));
  CHECK_OK(io->watch(quiet.server, io.get(), true, false));
  client_send(quiet.client, "x");
  CHECK(wait_for(io.get(), io.get()).readable);
  CHECK_OK(io->watch(quiet.server, io.get(), false, false));
  const std::string all = pattern(16 << 20);
  size_t sent = 0;
  int stalls = 0;
  while (stalls < 50) {
    const size_t more = client_send(quiet.client, all.substr(sent, 65536));
    sent += more;
    stalls = more == 0 ? stalls + 1 : 0;
    Event events[4];
    CHECK_EQ(io->poll(events, 4, 1000), 0);
  }
  CHECK(sent < all.size());
  // Whoever is read meanwhile finds buffers, or does without.
  std::string text;
  CHECK_OK(io->watch(busy.server, &text, true, false));
  client_send(busy.client, "hello");
  CHECK_EQ(receive_text(io.get(), busy.server, 5), "hello");
  CHECK_OK(io->watch(quiet.server, io.get(), true, false));
  std::string got = "";
  while (got.size() < sent + 1) {
    char part[8192];
    size_t count = 0;
    const Status status = io->receive(quiet.server, part, sizeof part, &count);
    if (status.code == Code::kWouldBlock) {
      REQUIRE(wait_for(io.get(), io.get()).readable);
      continue;
    }
    REQUIRE(status.ok());
    got.append(part, count);
  }
  CHECK(got == "x" + all.substr(0, sent));
  for (const Pair& pair : {quiet, busy}) {
    io->close_socket(pair.server);
    (void)posix::close(pair.client);
  }
}

TEST("io: uring: closing ends the connection at once, and its number is as new") {
  const auto io = make_uring();
  Listener listener(io.get());
  for (int round = 0; round < 40; round += 1) {
    const Pair old = listener.connect();
    int tag = 0;
    CHECK_OK(io->watch(old.server, &tag, round % 2 == 0, round % 3 == 0));
    Event events[4];
    (void)io->poll(events, 4, 0);
    if (round % 4 == 0) client_send(old.client, "never read");
    io->unwatch(old.server);
    io->close_socket(old.server);
    CHECK(client_is_closed(old.client));
    const Pair fresh = listener.connect();
    std::string text;
    CHECK_OK(io->watch(fresh.server, &text, true, false));
    client_send(fresh.client, "fresh");
    CHECK_EQ(receive_text(io.get(), fresh.server, 5), "fresh");
    CHECK_EQ(io->poll(events, 4, 0), 0);
    io->close_socket(fresh.server);
    (void)posix::close(fresh.client);
    (void)posix::close(old.client);
  }
}

TEST(
    "io: uring: a listener that pauses leaves the rest to the kernel, and its port is free after") {
  const auto io = make_uring();
  uint16_t port = 0;
  std::vector<Handle> clients;
  {
    Listener listener(io.get());
    port = listener.port;
    const Pair first = listener.connect();
    CHECK_OK(io->watch(listener.handle, &listener, false, false));
    Event events[4];
    (void)io->poll(events, 4, 0);
    for (int i = 0; i < 20; i += 1) {
      Handle client = kNoHandle;
      CHECK_OK(posix::connect({"127.0.0.1", port}, &client));
      clients.push_back(client);
    }
    CHECK_EQ(io->poll(events, 4, 20'000), 0);
    CHECK_OK(io->watch(listener.handle, &listener, true, false));
    CHECK(wait_for(io.get(), &listener).readable);
    Handle server = kNoHandle;
    SocketAddress peer;
    CHECK_OK(io->accept(listener.handle, &server, &peer));
    io->close_socket(server);
    io->close_socket(first.server);
    (void)posix::close(first.client);
  }
  // Those that were accepted, and that nobody asked for, are closed too.
  for (const Handle client : clients) {
    const int64_t until_us = io->now_us() + kPatienceUs;
    while (!client_is_closed(client) && io->now_us() < until_us) {
    }
    CHECK(client_is_closed(client));
    (void)posix::close(client);
  }
  Handle again = kNoHandle;
  CHECK_OK(io->listen({"127.0.0.1", port}, 4, "", &again, &port));
  io->close_socket(again);
}

TEST("io: uring: completions that find no room come all the same") {
  UringOptions options = tiny();
  options.sizes.buffers = 64;
  const auto io = make_uring(options);
  std::vector<Pair> pairs;
  std::vector<int> tags(40, 0);
  {
    Listener listener(io.get());
    for (size_t i = 0; i < tags.size(); i += 1) pairs.push_back(listener.connect());
  }
  for (size_t i = 0; i < tags.size(); i += 1) {
    CHECK_OK(io->watch(pairs[i].server, &tags[i], true, false));
  }
  Event events[64];
  (void)io->poll(events, 64, 0);
  for (int round = 0; round < 20; round += 1) {
    for (const Pair& pair : pairs) client_send(pair.client, "!");
    size_t got_all = 0;
    for (const int64_t until_us = io->now_us() + kPatienceUs;
         got_all < pairs.size() && io->now_us() < until_us;) {
      const int count = io->poll(events, 64, kPatienceUs);
      for (int i = 0; i < count; i += 1) {
        const auto at = static_cast<size_t>(static_cast<int*>(events[i].tag) - tags.data());
        char part[8];
        size_t got = 0;
        if (io->receive(pairs[at].server, part, sizeof part, &got).ok()) got_all += got;
      }
    }
    CHECK_EQ(got_all, pairs.size());
  }
  for (const Pair& pair : pairs) {
    io->close_socket(pair.server);
    (void)posix::close(pair.client);
  }
}

int main(int argc, char** argv) {
  const int skipped = test::skip_without_uring(true);
  return skipped != 0 ? skipped : test::run_all(argc, argv);
}
