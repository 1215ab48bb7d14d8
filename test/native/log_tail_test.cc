// What a log keeps of its tail in memory, beside its file: appends, rolls, cuts and
// logs that take the memory from each other.
#include "../../native/base/tail_pool.h"
#include "../../native/io/sim.h"
#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct Writer {
  Writer(Io& io, TailPool* tails, const std::string& directory) : io(io) {
    Log::Options options;
    options.directory = directory;
    options.config.segment_bytes_max = 60 << 10;
    options.tails = tails;
    Log::Recovery recovery;
    CHECK_OK(io.make_directory(directory));
    CHECK_OK(Log::open(io, options, &log, &recovery));
  }

  Status append(size_t value_bytes) {
    std::vector<uint8_t> bytes = make_batch(
        {{1000, std::string(value_bytes, static_cast<char>('a' + next % 26)), false, ""}});
    set_base_offset(bytes.data(), next);
    AppendBatch batch;
    batch.bytes = bytes.data();
    batch.size = static_cast<int32_t>(bytes.size());
    batch.base_offset = batch.last_offset = next;
    batch.max_timestamp = 1000;
    Status status = Status::fail(Code::kIo, "not done");
    AppendOp op;
    op.batches = &batch;
    op.count = 1;
    op.context = &status;
    op.done = [](AppendOp* done, Status result) { *static_cast<Status*>(done->context) = result; };
    log->append(io, &op);
    if (status.ok()) next += 1;
    return status;
  }

  // Reads from `offset`, and compares. True: it was at hand.
  bool read(int64_t offset, int64_t bytes_max) {
    ReadSlice slice;
    CHECK_OK(log->read(io, offset, log->log_end_offset(), bytes_max, true, &slice));
    if (!slice) return false;
    const std::vector<uint8_t> bytes = slice_bytes(io, slice);
    std::vector<uint8_t> tail(static_cast<size_t>(slice.bytes()));
    if (!log->copy_tail(slice, tail.data())) return false;
    CHECK(tail == bytes);
    return true;
  }

  Io& io;
  std::unique_ptr<Log> log;
  int64_t next = 0;
};

// One log, and more memory than it needs.
struct Alone {
  SimWorld world{1};
  std::unique_ptr<Io> io = world.make_io();
  TailPool tails{4};
  Writer writer{*io, &tails, "/t-0"};
};

}  // namespace

TEST("log: tail: at hand from the first read of it on, and as it is in the file") {
  Alone f;
  Writer& writer = f.writer;
  for (int i = 0; i < 20; i += 1) CHECK_OK(writer.append(100));
  CHECK_EQ(f.tails.blocks(), size_t{0});  // nobody has asked
  CHECK(!writer.read(10, 1 << 20));       // an old one
  CHECK_EQ(f.tails.blocks(), size_t{0});
  CHECK(!writer.read(19, 1 << 20));
  CHECK_EQ(f.tails.blocks(), size_t{1});
  CHECK_OK(writer.append(100));
  CHECK(writer.read(20, 1 << 20));
  CHECK(!writer.read(19, 1 << 20));  // from before it was kept
  for (int i = 0; i < 200; i += 1) {
    CHECK_OK(writer.append(1000));
    CHECK(writer.read(writer.next - 1, 1 << 20) || writer.log->active_base_offset() > 20);
  }
  CHECK_OK(writer.append(TailPool::kBytes));  // more than it holds
  CHECK(!writer.read(writer.next - 1, 1 << 20));
  CHECK_OK(writer.append(10));
  CHECK(writer.read(writer.next - 1, 1 << 20));
  CHECK_OK(writer.log->close(*f.io, true));
}

TEST("log: tail: after a cut it is the new bytes") {
  Alone f;
  Writer& writer = f.writer;
  for (int i = 0; i < 3; i += 1) CHECK_OK(writer.append(100));
  CHECK(!writer.read(2, 1 << 20));
  CHECK_OK(writer.append(100));
  CHECK(writer.read(3, 1 << 20));
  CHECK_OK(writer.log->truncate_to(*f.io, 2));
  writer.next = 2;
  (void)writer.read(1, 1 << 20);
  for (int i = 0; i < 3; i += 1) {
    const int64_t end = writer.log->log_end_offset();
    writer.next += 7;  // other bytes at the old place
    CHECK_OK(writer.append(100));
    CHECK_EQ(writer.read(end, 1 << 20), i > 0);
  }
  CHECK_OK(writer.log->truncate_fully_and_start_at(*f.io, 100));
  writer.next = 100;
  CHECK_OK(writer.append(100));
  CHECK(!writer.read(100, 1 << 20));
  CHECK_OK(writer.append(90));
  CHECK(writer.read(101, 1 << 20));
  CHECK_OK(writer.log->close(*f.io, true));
}

TEST("log: tail: logs that share what there is, whatever happens to them") {
  int at_hand = 0;
  for (uint64_t seed = 1; seed <= 20; seed += 1) {
    SimWorld world(seed);
    std::unique_ptr<Io> io = world.make_io();
    const auto below = [&](uint64_t limit) { return static_cast<int64_t>(io->random() % limit); };
    TailPool tails(static_cast<size_t>(1 + below(3)));
    std::vector<std::unique_ptr<Writer>> logs;
    for (int i = 0; i < 3; i += 1) {
      logs.push_back(std::make_unique<Writer>(*io, &tails, "/t-" + std::to_string(i)));
    }
    for (int step = 0; step < 400; step += 1) {
      Writer& one = *logs[static_cast<size_t>(below(3))];
      const int64_t what = below(20);
      if (what < 10) {
        CHECK_OK(one.append(static_cast<size_t>(below(what == 0 ? 60000 : 3000))));
      } else if (what < 18 && one.next > 0) {
        const int64_t start = one.log->log_start_offset();
        const int64_t back = std::min(one.next - start, 1 + below(9));
        if (back > 0) at_hand += one.read(one.next - back, 1 + below(16000)) ? 1 : 0;
      } else if (what == 18) {
        CHECK_OK(one.log->roll(*io, one.next));
      } else if (below(3) == 0) {
        const int64_t start = one.log->log_start_offset();
        CHECK_OK(
            one.log->truncate_to(*io, start + below(static_cast<uint64_t>(one.next - start) + 1)));
        one.next = one.log->log_end_offset();
      }
      one.log->reclaim(*io);
    }
    for (auto& one : logs) CHECK_OK(one->log->close(*io, true));
  }
  CHECK(at_hand > 100);
}

RUN_TESTS()
