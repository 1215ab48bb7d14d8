// io/writers.h: one disk's trouble is its own, order holds, and a well disk is written inline
// again. The disk and the clock are the test's; nothing here depends on how fast the machine is.
// Run under TSan too.
#include "../../native/io/writers.h"

#include <atomic>
#include <string>
#include <vector>

#include "../../native/io/epoll.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;

namespace {

constexpr int64_t kSlowUs = 1000;

// Handles 0–9 are on disk 0, 10–19 on disk 1 and so on. Writes on disk 1 take `takes_us` and can be
// held.
struct World {
  std::atomic<int64_t> now_us{0};
  std::atomic<int64_t> takes_us{0};
  std::atomic<bool> is_held{false};
  std::mutex mutex;
  std::vector<std::string> written;
};
World* world = nullptr;

uint64_t disk_of(Handle file) { return static_cast<uint64_t>(file / 10); }
int64_t now_us() { return world->now_us.load(); }

Status write(Handle file, const iovec*, int, int64_t position) {
  if (disk_of(file) == 1) {
    world->is_held.wait(true);
    world->now_us.fetch_add(world->takes_us.load());
  }
  const std::lock_guard lock(world->mutex);
  world->written.push_back(std::to_string(file) + "@" + std::to_string(position));
  return position < 0 ? Status::fail(Code::kInvalid, "test") : Status::good();
}

struct Append {
  WriteOp op;
  int calls = 0;
  Status status;

  Append(Handle file, int64_t position) {
    op.file = file;
    op.position = position;
    op.context = this;
    op.done = [](WriteOp* done, Status status) {
      Append* self = static_cast<Append*>(done->context);
      self->calls += 1;
      self->status = status;
    };
  }
};

Writers::Options options(int well_writes) {
  return {.slow_us = kSlowUs,
          .well_writes = well_writes,
          .write = &write,
          .disk_of = &disk_of,
          .now_us = &now_us};
}

// Turns the loop until the append is done.
void wait_for(Io* io, Writers* writers, const Append& append) {
  while (append.calls == 0) {
    Event event;
    io->poll(&event, 1, -1);
    writers->complete();
  }
}

}  // namespace

TEST("io: writers: a held disk holds its own appends, in order, and no other's") {
  World here;
  world = &here;
  const auto io = make_epoll_io();
  Writers writers(io.get(), options(3));
  Append first(10, 0), other(20, 0);
  writers.submit(&first.op);
  CHECK_EQ(first.calls, 1);
  CHECK(!writers.has_slow_disk());
  here.takes_us = kSlowUs + 1;
  Append slow(10, 1);
  writers.submit(&slow.op);
  CHECK_EQ(slow.calls, 1);  // the one that showed it was still inline
  CHECK(writers.has_slow_disk());
  here.is_held = true;
  Append a(10, 2), b(11, 3), c(10, -4);
  for (Append* append : {&a, &b, &c}) writers.submit(&append->op);
  writers.complete();
  CHECK_EQ(a.calls, 0);
  writers.submit(&other.op);
  CHECK_EQ(other.calls, 1);
  here.is_held = false;
  here.is_held.notify_all();
  wait_for(io.get(), &writers, c);
  CHECK_EQ(a.calls, 1);
  CHECK_EQ(b.calls, 1);
  CHECK_OK(a.status);
  CHECK_EQ(c.status.code, Code::kInvalid);
  CHECK(here.written ==
        std::vector<std::string>({"10@0", "10@1", "20@0", "10@2", "11@3", "10@-4"}));
}

TEST("io: writers: back inline when well for long enough, and only then") {
  World here;
  world = &here;
  const auto io = make_epoll_io();
  Writers writers(io.get(), options(3));
  here.takes_us = kSlowUs + 1;
  Append slow(10, 0);
  writers.submit(&slow.op);
  here.takes_us = kSlowUs / 4;
  for (int i = 0; i < 2; i += 1) {
    Append well(10, i);
    writers.submit(&well.op);
    wait_for(io.get(), &writers, well);
  }
  here.takes_us = kSlowUs / 2;
  Append middling(10, 2);
  writers.submit(&middling.op);
  wait_for(io.get(), &writers, middling);
  here.takes_us = 0;
  for (int i = 0; i < 3; i += 1) {
    CHECK(writers.has_slow_disk());
    Append well(10, i);
    writers.submit(&well.op);
    wait_for(io.get(), &writers, well);
  }
  CHECK(!writers.has_slow_disk());
  Append last(10, 9);
  writers.submit(&last.op);
  CHECK_EQ(last.calls, 1);
}

TEST("io: writers: done may submit again, and the end drops what is queued") {
  World here;
  world = &here;
  const auto io = make_epoll_io();
  here.takes_us = kSlowUs + 1;
  static Writers* all = nullptr;
  Append second(10, 2), dropped(10, 3);
  {
    Writers writers(io.get(), options(3));
    all = &writers;
    Append slow(10, 0), first(10, 1);
    writers.submit(&slow.op);
    first.op.context = &second;
    first.op.done = [](WriteOp* op, Status) {
      all->submit(&static_cast<Append*>(op->context)->op);
    };
    writers.submit(&first.op);
    wait_for(io.get(), &writers, second);
    here.is_held = true;
    Append held(10, 4);
    writers.submit(&held.op);
    writers.submit(&dropped.op);
    here.is_held = false;
    here.is_held.notify_all();
  }
  CHECK_EQ(second.calls, 1);
  CHECK_EQ(dropped.calls, 0);
}

TEST("io: writers: behind epoll an append on a slow disk is done at a poll") {
  test::TempDirectory directory;
  // Every write is slower than a negative limit: the second goes to the writer.
  const auto io = make_epoll_io({.slow_write_us = -1});
  Append first(kNoHandle, 0), second(kNoHandle, 2);
  char text[] = "ab";
  const iovec iov = {text, 2};
  CHECK_OK(io->open(directory.file("log"), OpenMode::kReadWriteCreate, &first.op.file));
  second.op.file = first.op.file;
  first.op.iov = second.op.iov = &iov;
  first.op.iov_count = second.op.iov_count = 1;
  io->submit(&first.op);
  CHECK_EQ(first.calls, 1);
  io->submit(&second.op);
  CHECK_EQ(second.calls, 0);
  Event event;
  while (second.calls == 0) io->poll(&event, 1, -1);
  CHECK_OK(second.status);
  int64_t bytes = 0;
  CHECK_OK(io->file_bytes(first.op.file, &bytes));
  CHECK_EQ(bytes, 4);
  CHECK_OK(io->close(first.op.file));
}

RUN_TESTS()
