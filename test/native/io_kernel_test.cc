// io/epoll.h and io/uring.h: files, locks, sockets and readiness on the real kernel, alike on both.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "../../native/io/cold.h"
#include "../../native/io/posix_files.h"
#include "real_io.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;
using ottla::test::make_real_io;
using ottla::test::receive_text;
using ottla::test::TempDirectory;
using ottla::test::wait_for;

namespace {

Status write_text(Io* io, Handle file, const std::string& text, int64_t position) {
  return io->write(file, text.data(), text.size(), position);
}

std::string read_text(Io* io, Handle file, size_t bytes, int64_t position) {
  std::string text(bytes, 0);
  size_t got = 0;
  CHECK_OK(io->read(file, text.data(), bytes, position, &got));
  text.resize(got);
  return text;
}

struct Pair {
  Handle listener = kNoHandle, client = kNoHandle, server = kNoHandle;
  SocketAddress peer;
};

Pair make_pair(Io* io, const std::string& bind, const std::string& to) {
  Pair pair;
  uint16_t port = 0;
  CHECK_OK(io->listen({bind, 0}, 16, "", &pair.listener, &port));
  CHECK(port != 0);
  CHECK_OK(io->connect({to, port}, &pair.client));
  CHECK_OK(io->watch(pair.listener, &pair.listener, true, false));
  CHECK_OK(io->watch(pair.client, &pair.client, false, true));
  wait_for(io, &pair.listener);
  CHECK_OK(io->accept(pair.listener, &pair.server, &pair.peer));
  CHECK(wait_for(io, &pair.client).writable);
  CHECK_OK(io->connect_result(pair.client));
  io->unwatch(pair.listener);
  io->unwatch(pair.client);
  return pair;
}

bool is_kept_alive(Handle socket) {
  int value = 0;
  socklen_t bytes = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &value, &bytes) == 0 && value == 1;
}

void close_pair(Io* io, const Pair& pair) {
  for (const Handle socket : {pair.listener, pair.client, pair.server}) {
    if (socket != kNoHandle) io->close_socket(socket);
  }
}

Status send_text(Io* io, Handle socket, const std::string& text, size_t* sent) {
  const iovec iov = {const_cast<char*>(text.data()), text.size()};
  return io->send(socket, &iov, 1, false, sent);
}

}  // namespace

TEST("io: kernel: files: modes, positions and ends") {
  const auto io = make_real_io();
  TempDirectory directory;
  const std::string path = directory.file("a");
  Handle file = kNoHandle, again = kNoHandle;
  CHECK_EQ(io->open(path, OpenMode::kRead, &file).code, Code::kNotFound);
  CHECK_EQ(io->open(path, OpenMode::kReadWrite, &file).code, Code::kNotFound);
  CHECK_OK(io->open(path, OpenMode::kCreateExclusive, &file));
  CHECK_EQ(io->open(path, OpenMode::kCreateExclusive, &again).code, Code::kExists);
  CHECK_OK(write_text(io.get(), file, "hello", 3));
  CHECK_EQ(read_text(io.get(), file, 100, 0), std::string("\0\0\0hello", 8));
  CHECK_EQ(read_text(io.get(), file, 2, 4), "el");
  CHECK_EQ(read_text(io.get(), file, 2, 8), "");
  CHECK_OK(io->truncate(file, 5));
  int64_t bytes = 0;
  CHECK_OK(io->allocate(file, 0, 1 << 20));
  CHECK_OK(io->file_bytes(file, &bytes));
  CHECK_EQ(bytes, 5);
  CHECK_OK(io->sync(file));
  FileInfo info;
  CHECK_OK(io->stat(path, &info));
  CHECK_EQ(info.bytes, 5);
  CHECK(!info.is_directory);
  CHECK(info.modified_ms > io->wall_ms() - 60000 && info.modified_ms <= io->wall_ms() + 1000);
  CHECK_OK(io->set_modified(file, 1'234'567));
  CHECK_OK(io->stat(path, &info));
  CHECK_EQ(info.modified_ms, 1'234'567);
  CHECK_OK(io->close(file));
  CHECK_OK(io->open(path, OpenMode::kRead, &file));
  CHECK_EQ(write_text(io.get(), file, "x", 0).code, Code::kInvalid);
  CHECK_OK(io->close(file));
  CHECK_OK(io->open(path, OpenMode::kTruncate, &file));
  CHECK_OK(io->file_bytes(file, &bytes));
  CHECK_EQ(bytes, 0);
  CHECK_OK(io->close(file));
}

TEST("io: kernel: files: a gathered append of more pieces than the kernel takes at once") {
  const auto io = make_real_io();
  TempDirectory directory;
  WriteOp op;
  CHECK_OK(io->open(directory.file("log"), OpenMode::kReadWriteCreate, &op.file));
  std::string expected;
  std::vector<std::string> pieces(2500);
  std::vector<iovec> iov;
  for (size_t i = 0; i < pieces.size(); i += 1) {
    pieces[i] = std::to_string(i * i) + (i % 5 == 0 ? "" : ",");
    iov.push_back({pieces[i].data(), pieces[i].size()});
    expected += pieces[i];
  }
  struct Outcome {
    int calls = 0;
    Status status;
  } outcome;
  op.position = 7;
  op.iov = iov.data();
  op.iov_count = static_cast<int>(iov.size());
  op.context = &outcome;
  op.done = [](WriteOp* done, Status status) {
    Outcome* into = static_cast<Outcome*>(done->context);
    into->calls += 1;
    into->status = status;
  };
  io->submit(&op);
  CHECK_EQ(outcome.calls, 1);
  CHECK_OK(outcome.status);
  CHECK_EQ(read_text(io.get(), op.file, 1 << 20, 7), expected);
  CHECK_OK(io->close(op.file));
  io->submit(&op);
  CHECK_EQ(outcome.calls, 2);
  CHECK_EQ(outcome.status.code, Code::kInvalid);
  CHECK_EQ(outcome.status.error, EBADF);
}

TEST("io: kernel: files: what is not in memory is told, not waited for") {
  const auto io = make_real_io();
  TempDirectory directory;
  const std::string path = directory.file("cold");
  Handle file = kNoHandle;
  std::vector<uint8_t> bytes(300'000);
  for (size_t i = 0; i < bytes.size(); i += 1) bytes[i] = static_cast<uint8_t>(i * 31);
  CHECK_OK(io->open(path, OpenMode::kReadWriteCreate, &file));
  CHECK_OK(io->write(file, bytes.data(), bytes.size(), 0));
  CHECK_EQ(io->ready_bytes(file, 0, 300'000), 300'000);
  CHECK_EQ(io->ready_bytes(file, 4'097, 200'000), 200'000);
  CHECK_OK(io->sync(file));
  CHECK_EQ(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
  std::vector<uint8_t> read(bytes.size());
  size_t got = 0;
  ColdRead missing;
  Status status;
  {
    const Impatient now(*io, &missing);
    status = io->read(file, read.data(), 1000, 50'000, &got);
  }
  if (status.code == Code::kWouldBlock) {  // a file system in memory has nothing to wait for
    CHECK_EQ(missing.position, 50'000);
    CHECK_EQ(missing.bytes, 1000);
    CHECK_EQ(io->ready_bytes(file, 250'000, 50'000), 0);
    missing.position = 0;
    missing.bytes = 300'000;
    CHECK_OK(read_cold(*io, missing, 1 << 20));
    CHECK_EQ(io->ready_bytes(file, 0, 300'000), 300'000);
  } else {
    CHECK_OK(status);
    CHECK_EQ(missing.file, kNoHandle);
  }
  const Impatient now(*io, &missing);
  CHECK_OK(io->read(file, read.data(), read.size(), 0, &got));
  CHECK_EQ(got, bytes.size());
  CHECK(read == bytes);
  CHECK_OK(io->read(file, read.data(), 10, 300'000, &got));
  CHECK_EQ(got, size_t{0});
  CHECK_OK(io->close(file));
}

TEST(
    "io: kernel: files: deferred syncs: a replacement gets its name once its bytes are on the "
    "disk") {
  const auto io = make_real_io();
  TempDirectory directory;
  Handle disk = kNoHandle;
  const Status opened = io->open_disk(directory.file("."), &disk);
  if (!opened.ok()) {
    CHECK_EQ(opened.code, Code::kInvalid);  // an old kernel
    return;
  }
  const auto put = [&](const std::string& name, const std::string& text) {
    Handle file = kNoHandle;
    CHECK_OK(io->open(directory.file(name), OpenMode::kTruncate, &file));
    CHECK_OK(write_text(io.get(), file, text, 0));
    CHECK_OK(io->sync(file));
    CHECK_OK(io->close(file));
  };
  const auto get = [&](const std::string& name) {
    Handle file = kNoHandle;
    CHECK_OK(io->open(directory.file(name), OpenMode::kRead, &file));
    const std::string text = read_text(io.get(), file, 100, 0);
    CHECK_OK(io->close(file));
    return text;
  };
  put("a", "old");
  io->defer_syncs();
  put("a.tmp", "new");
  CHECK_OK(io->replace(directory.file("a.tmp"), directory.file("a")));
  put("a.tmp", "newer");  // once more before it has its name
  CHECK_OK(io->replace(directory.file("a.tmp"), directory.file("a")));
  CHECK_OK(io->sync_directory(directory.file(".")));
  CHECK_EQ(get("a"), "old");
  const auto sync_disk = [&] { return io->sync_disk(disk); };
  CHECK_OK(io->catch_up(sync_disk));
  CHECK_EQ(get("a"), "newer");
  put("b.tmp", "at once");
  CHECK_OK(io->replace(directory.file("b.tmp"), directory.file("b")));
  CHECK_EQ(get("b"), "at once");
  io->defer_syncs();
  const auto fail = [] { return Status::fail(Code::kIo, "test"); };
  CHECK_OK(io->catch_up(fail));  // nothing was owed: nobody is asked
  io->defer_syncs();
  put("c", "x");
  CHECK(!io->catch_up(fail).ok());
  CHECK_OK(io->close(disk));
}

TEST("io: kernel: files: directories, names and removal") {
  const auto io = make_real_io();
  TempDirectory directory;
  CHECK_OK(io->make_directory(directory.file("d")));
  CHECK_OK(io->make_directory(directory.file("d")));
  Handle file = kNoHandle;
  for (const char* name : {"d/b", "d/a", "d/c"}) {
    CHECK_OK(io->open(directory.file(name), OpenMode::kReadWriteCreate, &file));
    CHECK_OK(io->close(file));
  }
  CHECK_EQ(io->make_directory(directory.file("d/a")).code, Code::kExists);
  CHECK_EQ(io->make_directory(directory.file("x/y")).code, Code::kNotFound);
  CHECK_OK(io->rename(directory.file("d/b"), directory.file("d/c")));
  CHECK_EQ(io->rename(directory.file("d/b"), directory.file("d/c")).code, Code::kNotFound);
  std::vector<std::string> names;
  CHECK_OK(io->list(directory.file("d"), &names));
  CHECK(names == std::vector<std::string>({"a", "c"}));
  CHECK_OK(io->sync_directory(directory.file("d")));
  CHECK_EQ(io->sync_directory(directory.file("none")).code, Code::kNotFound);
  CHECK_EQ(io->list(directory.file("none"), &names).code, Code::kNotFound);
  CHECK_EQ(io->remove(directory.file("d")).code, Code::kExists);
  CHECK_OK(io->remove(directory.file("d/a")));
  CHECK_OK(io->remove(directory.file("d/c")));
  CHECK_OK(io->remove(directory.file("d")));
  CHECK_EQ(io->remove(directory.file("d")).code, Code::kNotFound);
}

TEST("io: kernel: files: errno becomes the code a caller branches on") {
  CHECK_EQ(posix::code_of(ENOSPC), Code::kNoSpace);
  CHECK_EQ(posix::code_of(EDQUOT), Code::kNoSpace);
  CHECK_EQ(posix::code_of(EIO), Code::kIo);
  CHECK_EQ(posix::code_of(EROFS), Code::kIo);
  CHECK_EQ(posix::code_of(ECONNRESET), Code::kClosed);
  const auto io = make_real_io();
  Handle full = kNoHandle;
  if (io->open("/dev/full", OpenMode::kReadWrite, &full).ok()) {
    CHECK_EQ(write_text(io.get(), full, "x", 0).code, Code::kNoSpace);
    CHECK_OK(io->close(full));
  }
}

TEST("io: kernel: files: a volatile world asks nothing of the disk, and fails nowhere for it") {
  TempDirectory directory;
  PosixOptions options;
  options.is_volatile = true;
  for (const bool is_volatile : {false, true}) {
    options.is_volatile = is_volatile;
    auto io = make_real_io(options);
    CHECK_EQ(io->sync(kNoHandle).ok(), is_volatile);
    CHECK_EQ(io->sync_directory(directory.file("missing")).ok(), is_volatile);
    Handle file = kNoHandle;
    CHECK_OK(io->open(directory.file("file"), OpenMode::kTruncate, &file));
    CHECK_OK(write_text(io.get(), file, "kept", 0));
    CHECK_OK(io->sync(file));
    CHECK_EQ(read_text(io.get(), file, 4, 0), "kept");
    CHECK_OK(io->close(file));
  }
}

TEST("io: kernel: lock: one holder, in this process or another, Kafka's kind of lock included") {
  const auto io = make_real_io();
  TempDirectory directory;
  const std::string path = directory.file(".lock");
  Handle held = kNoHandle, other = kNoHandle;
  CHECK_OK(io->lock_file(path, &held));
  CHECK_EQ(io->lock_file(path, &other).code, Code::kBusy);
  const auto posix_lock_fails = [&path] {
    const pid_t child = ::fork();
    if (child == 0) {
      const int file = ::open(path.c_str(), O_RDWR);
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      ::_exit(::fcntl(file, F_SETLK, &lock) == 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status) == 1;
  };
  CHECK(posix_lock_fails());
  CHECK_OK(io->close(held));
  CHECK(!posix_lock_fails());
  CHECK_OK(io->lock_file(path, &held));
  CHECK_OK(io->close(held));
}

TEST("io: kernel: sockets: bytes both ways over IPv4, IPv6 and a dual-stack listener") {
  const auto io = make_real_io();
  const std::pair<const char*, const char*> ways[] = {
      {"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"", "127.0.0.1"}, {"", "::1"}};
  for (const auto& [bind, to] : ways) {
    const Pair pair = make_pair(io.get(), bind, to);
    REQUIRE(pair.server != kNoHandle);
    CHECK_EQ(pair.peer.host, to);
    CHECK(pair.peer.port != 0);
    int value = 0;
    socklen_t bytes = sizeof value;
    CHECK(is_kept_alive(pair.server));
    CHECK(is_kept_alive(pair.client));
    CHECK_EQ(::getsockopt(pair.server, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
    CHECK(value != 0);
    CHECK((::fcntl(pair.server, F_GETFD) & FD_CLOEXEC) != 0);
    char byte;
    size_t got = 0, sent = 0;
    CHECK_EQ(io->receive(pair.server, &byte, 1, &got).code, Code::kWouldBlock);
    char first[] = "ab", second[] = "cde";
    const iovec iov[2] = {{first, 2}, {second, 3}};
    CHECK_OK(io->send(pair.client, iov, 2, true, &sent));
    CHECK_EQ(sent, 5u);
    CHECK_OK(send_text(io.get(), pair.client, "!", &sent));
    CHECK_EQ(receive_text(io.get(), pair.server, 6), "abcde!");
    CHECK_OK(send_text(io.get(), pair.server, "back", &sent));
    CHECK_EQ(receive_text(io.get(), pair.client, 4), "back");
    io->shutdown_write(pair.client);
    CHECK_OK(io->watch(pair.server, &byte, true, false));
    CHECK(wait_for(io.get(), &byte).readable);
    CHECK_EQ(io->receive(pair.server, &byte, 1, &got).code, Code::kClosed);
    CHECK_OK(send_text(io.get(), pair.server, "half", &sent));
    CHECK_EQ(receive_text(io.get(), pair.client, 4), "half");
    close_pair(io.get(), pair);
  }
}

TEST("io: kernel: sockets: congestion control and buffers are as asked") {
  const auto io = make_real_io();
  Handle listener = kNoHandle;
  uint16_t port = 0;
  CHECK_OK(io->listen({"127.0.0.1", 0}, 8, "reno", &listener, &port));
  Handle client = kNoHandle;
  CHECK_OK(io->connect({"127.0.0.1", port}, &client));
  Handle server = kNoHandle;
  SocketAddress peer;
  while (!io->accept(listener, &server, &peer).ok()) {
  }
  char name[16] = {};
  socklen_t bytes = sizeof name;
  CHECK_EQ(::getsockopt(server, IPPROTO_TCP, TCP_CONGESTION, name, &bytes), 0);
  CHECK_EQ(std::string(name), "reno");
  CHECK_OK(io->set_buffers(server, 40000, 50000));
  int size = 0;
  bytes = sizeof size;
  CHECK_EQ(::getsockopt(server, SOL_SOCKET, SO_SNDBUF, &size, &bytes), 0);
  CHECK_EQ(size, 80000);  // the kernel doubles what it is told, for its own keeping
  CHECK_EQ(::getsockopt(server, SOL_SOCKET, SO_RCVBUF, &size, &bytes), 0);
  CHECK_EQ(size, 100000);
  for (const Handle socket : {server, client, listener}) io->close_socket(socket);
}

TEST("io: kernel: sockets: refused, busy and senseless addresses") {
  const auto io = make_real_io();
  Handle listener = kNoHandle, other = kNoHandle, client = kNoHandle;
  uint16_t port = 0, unused = 0;
  CHECK_OK(io->listen({"127.0.0.1", 0}, 16, "cubic", &listener, &port));
  CHECK_EQ(io->listen({"127.0.0.1", port}, 16, "", &other, &unused).code, Code::kBusy);
  CHECK_EQ(io->listen({"not an address", 0}, 16, "", &other, &unused).code, Code::kInvalid);
  CHECK_EQ(io->listen({"127.0.0.1", 0}, 16, "no_such_algorithm", &other, &unused).code,
           Code::kInvalid);
  SocketAddress peer;
  CHECK_EQ(io->accept(listener, &other, &peer).code, Code::kWouldBlock);
  io->close_socket(listener);
  const Status refused = io->connect({"127.0.0.1", port}, &client);
  if (refused.ok()) {
    CHECK_OK(io->watch(client, &client, false, true));
    wait_for(io.get(), &client);
    CHECK_EQ(io->connect_result(client).code, Code::kClosed);
    io->close_socket(client);
  } else {
    CHECK_EQ(refused.code, Code::kClosed);
  }
}

TEST("io: kernel: sockets: send_file moves the range, blocks when full, survives a closed peer") {
  const auto io = make_real_io();
  TempDirectory directory;
  Handle file = kNoHandle;
  CHECK_OK(io->open(directory.file("log"), OpenMode::kReadWriteCreate, &file));
  std::string content(3 << 20, 0);
  for (size_t i = 0; i < content.size(); i += 1) content[i] = static_cast<char>(i * 7 >> 3);
  CHECK_OK(write_text(io.get(), file, content, 0));
  const Pair pair = make_pair(io.get(), "127.0.0.1", "127.0.0.1");
  CHECK_OK(io->set_buffers(pair.server, 16384, -1));
  CHECK_OK(io->set_buffers(pair.client, -1, 16384));
  std::string received;
  size_t at = 100, sent = 0;
  bool was_full = false;
  while (at < content.size()) {
    const Status status =
        io->send_file(pair.server, file, static_cast<int64_t>(at), content.size() - at, &sent);
    if (status.code == Code::kWouldBlock) {
      was_full = true;
      received += receive_text(io.get(), pair.client, at - 100 - received.size());
      continue;
    }
    REQUIRE(status.ok());
    at += sent;
  }
  received += receive_text(io.get(), pair.client, at - 100 - received.size());
  CHECK(was_full);
  CHECK(received == content.substr(100));
  CHECK_EQ(io->send_file(pair.server, file, 3 << 20, 1, &sent).code, Code::kOutOfRange);
  io->close_socket(pair.client);
  Status status;
  for (int i = 0; i < 1000 && (status.ok() || status.code == Code::kWouldBlock); i += 1) {
    status = io->send_file(pair.server, file, 0, 65536, &sent);  // SIGPIPE would end the test
  }
  CHECK_EQ(status.code, Code::kClosed);
  CHECK_EQ(send_text(io.get(), pair.server, "x", &sent).code, Code::kClosed);
  close_pair(io.get(), {pair.listener, kNoHandle, pair.server, {}});
  CHECK_OK(io->close(file));
}

TEST("io: kernel: readiness: interest changes, hangups and the time limit") {
  const auto io = make_real_io();
  const Pair pair = make_pair(io.get(), "127.0.0.1", "127.0.0.1");
  Event events[4];
  int tag = 0, other = 0;
  size_t sent = 0;
  CHECK_OK(io->watch(pair.server, &tag, true, false));
  CHECK_EQ(io->poll(events, 4, 0), 0);
  const int64_t start = io->now_us();
  CHECK_EQ(io->poll(events, 4, 1500), 0);
  CHECK(io->now_us() - start >= 1500);
  CHECK_OK(send_text(io.get(), pair.client, "x", &sent));
  CHECK(wait_for(io.get(), &tag).readable);
  CHECK_EQ(io->poll(events, 4, 0), 1);  // level-triggered
  CHECK_OK(io->watch(pair.server, &other, false, true));
  CHECK_EQ(io->poll(events, 4, 0), 1);
  CHECK(events[0].tag == &other && events[0].writable && !events[0].readable);
  CHECK_OK(io->watch(pair.server, &other, false, false));
  CHECK_EQ(io->poll(events, 4, 0), 0);
  const linger at_once = {1, 0};
  ::setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  io->close_socket(pair.client);
  CHECK(wait_for(io.get(), &other).hangup);
  io->unwatch(pair.server);
  CHECK_EQ(io->poll(events, 4, 0), 0);
  close_pair(io.get(), {pair.listener, kNoHandle, pair.server, {}});
}

TEST("io: kernel: wake: before, during and from many threads, reported as no event") {
  const auto io = make_real_io();
  Event events[1];
  io->wake();
  CHECK_EQ(io->poll(events, 1, -1), 0);  // hangs when a wake is lost
  CHECK_EQ(io->poll(events, 1, 0), 0);
  for (int round = 0; round < 50; round += 1) {
    std::thread a([&] { io->wake(); }), b([&] { io->wake(); });
    CHECK_EQ(io->poll(events, 1, -1), 0);
    a.join();
    b.join();
  }
}

TEST("io: kernel: clock goes forward and randomness does not repeat") {
  const auto io = make_real_io();
  const int64_t first = io->now_us();
  CHECK(io->now_us() >= first);
  CHECK(io->wall_ms() > 1'700'000'000'000);
  std::vector<uint64_t> words;
  for (int i = 0; i < 200; i += 1) words.push_back(io->random());
  std::sort(words.begin(), words.end());
  CHECK(std::adjacent_find(words.begin(), words.end()) == words.end());
}

RUN_TESTS_ON_EACH_IO()
