// io/sim.h, the disk: it behaves as a file system until it dies, and then forgets only what it may.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "../../native/io/sim.h"
#include "test.h"

using namespace ottla;

namespace {

struct Outcome {
  int calls = 0;
  Status status;
};

void note(WriteOp* op, Status status) {
  Outcome* into = static_cast<Outcome*>(op->context);
  into->calls += 1;
  into->status = status;
}

Status put(Io* io, Handle file, const std::string& text, int64_t position) {
  return io->write(file, text.data(), text.size(), position);
}

std::string get(Io* io, const std::string& path) {
  Handle file = kNoHandle;
  if (!io->open(path, OpenMode::kRead, &file).ok()) return "(none)";
  int64_t bytes = 0;
  CHECK_OK(io->file_bytes(file, &bytes));
  std::string text(static_cast<size_t>(bytes), 0);
  size_t got = 0;
  CHECK_OK(io->read(file, text.data(), text.size(), 0, &got));
  CHECK_EQ(got, text.size());
  CHECK_OK(io->close(file));
  return text;
}

// What a program does that wants `path` to be old or new, never else. `syncs`: the planted bug when
// false.
Status replace(Io* io, const std::string& text, bool syncs) {
  Handle file = kNoHandle;
  OTTLA_TRY(io->open("/d/f.tmp", OpenMode::kTruncate, &file));
  OTTLA_TRY(put(io, file, text, 0));
  if (syncs) OTTLA_TRY(io->sync(file));
  OTTLA_TRY(io->close(file));
  OTTLA_TRY(io->rename("/d/f.tmp", "/d/f"));
  return io->sync_directory("/d");
}

bool is_length_of(size_t bytes, const std::vector<std::string>& versions) {
  for (size_t i = 0; i < versions.size(); i += 1) {
    if (versions[i].size() == bytes) return true;
    const bool is_torn = i > 0 && bytes > versions[i - 1].size() && bytes < versions[i].size();
    if (is_torn && bytes % kSimSectorBytes == 0) return true;
  }
  return false;
}

void prepare(Io* io) {
  CHECK_OK(io->make_directory("/d"));
  CHECK_OK(io->sync_directory("/"));
}

}  // namespace

TEST("io: sim: disk: files, names and positions behave as on a kernel") {
  SimWorld world(1);
  const auto io = world.make_io();
  Handle file = kNoHandle, other = kNoHandle;
  CHECK_EQ(io->open("/d/a", OpenMode::kReadWriteCreate, &file).code, Code::kNotFound);
  CHECK_OK(io->make_directory("/d"));
  CHECK_OK(io->make_directory("d/"));
  CHECK_EQ(io->open("/d/a", OpenMode::kRead, &file).code, Code::kNotFound);
  CHECK_OK(io->open("/d/a", OpenMode::kCreateExclusive, &file));
  CHECK_EQ(io->open("/d//a", OpenMode::kCreateExclusive, &other).code, Code::kExists);
  CHECK_OK(put(io.get(), file, "hello", 3));
  CHECK_EQ(get(io.get(), "/d/a"), std::string("\0\0\0hello", 8));
  CHECK_OK(io->truncate(file, 5));
  CHECK_OK(io->truncate(file, 6));
  CHECK_EQ(get(io.get(), "/d/a"), std::string("\0\0\0he\0", 6));
  CHECK_OK(io->allocate(file, 0, 4096));
  CHECK_EQ(world.used_bytes(), 4096);
  FileInfo info;
  CHECK_OK(io->stat("/d/a", &info));
  CHECK_EQ(info.bytes, 6);
  CHECK_EQ(info.modified_ms, world.wall_ms());
  CHECK_OK(io->stat("/d", &info));
  CHECK(info.is_directory);
  CHECK_OK(io->open("/d/b", OpenMode::kReadWriteCreate, &other));
  CHECK_OK(io->rename("/d/b", "/d/c"));
  std::vector<std::string> names;
  CHECK_OK(io->list("/d", &names));
  CHECK(names == std::vector<std::string>({"a", "c"}));
  CHECK_EQ(io->remove("/d").code, Code::kExists);
  CHECK_OK(io->rename("/d", "/e"));
  CHECK_EQ(io->rename("/e", "/e/inside").code, Code::kInvalid);
  CHECK_EQ(io->rename("/none", "/e/x").code, Code::kNotFound);
  CHECK_OK(put(io.get(), other, "open still", 0));
  CHECK_EQ(get(io.get(), "/e/c"), "open still");
  CHECK_OK(io->remove("/e/c"));
  CHECK_OK(io->close(other));
  CHECK_EQ(io->close(other).code, Code::kInvalid);
  CHECK_EQ(world.used_bytes(), 4096);
  CHECK_OK(io->close(file));
  CHECK_OK(io->open("/e/a", OpenMode::kRead, &file));
  CHECK_EQ(put(io.get(), file, "x", 0).code, Code::kInvalid);
}

TEST("io: sim: disk: one holder of a lock, released by close and by death") {
  SimWorld world(1);
  auto io = world.make_io();
  Handle lock = kNoHandle, other = kNoHandle;
  CHECK_OK(io->lock_file("/.lock", &lock));
  CHECK_EQ(io->lock_file("/.lock", &other).code, Code::kBusy);
  CHECK_OK(io->close(lock));
  CHECK_OK(io->lock_file("/.lock", &lock));
  world.die(SimDeath::kKill);
  world.restart();
  io = world.make_io();
  CHECK_OK(io->lock_file("/.lock", &lock));
}

TEST("io: sim: disk: after death every call fails until a restart, and old Ios for good") {
  SimWorld world(1);
  const auto io = world.make_io();
  Handle file = kNoHandle;
  CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &file));
  world.die_at(world.operations() + 1, SimDeath::kKill);
  CHECK_OK(put(io.get(), file, "one", 0));
  CHECK_EQ(put(io.get(), file, "two", 3).code, Code::kIo);
  CHECK(world.is_dead());
  CHECK_EQ(io->sync(file).code, Code::kIo);
  Event event;
  CHECK_EQ(io->poll(&event, 1, 0), 0);
  world.restart();
  CHECK_EQ(io->sync(file).code, Code::kIo);
  const auto next = world.make_io();
  CHECK_EQ(next->sync(file).code, Code::kInvalid);
  CHECK_EQ(get(next.get(), "/a").substr(0, 3), "one");
}

TEST("io: sim: disk: a kill loses nothing but may tear the write at hand") {
  bool was_torn = false, was_untouched = false;
  for (uint64_t seed = 0; seed < 64; seed += 1) {
    SimWorld world(seed);
    auto io = world.make_io();
    Handle file = kNoHandle;
    CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &file));
    CHECK_OK(put(io.get(), file, "kept, ", 0));
    world.die_at(world.operations(), SimDeath::kKill);
    CHECK_EQ(put(io.get(), file, "perhaps", 6).code, Code::kIo);
    world.restart();
    io = world.make_io();
    const std::string left = get(io.get(), "/a");
    CHECK_EQ(left, std::string("kept, perhaps").substr(0, left.size()));
    CHECK(left.size() >= 6 && left.size() < 13);
    was_torn = was_torn || left.size() > 6;
    was_untouched = was_untouched || left.size() == 6;
  }
  CHECK(was_torn && was_untouched);
}

TEST("io: sim: disk: a crash leaves what was synced, and of the rest any part") {
  int lost = 0, kept = 0, torn = 0, nameless = 0;
  const std::string first(2048, 'a'), second(2048, 'b');
  for (uint64_t seed = 0; seed < 300; seed += 1) {
    SimWorld world(seed);
    auto io = world.make_io();
    prepare(io.get());
    Handle synced = kNoHandle, unnamed = kNoHandle;
    CHECK_OK(io->open("/d/synced", OpenMode::kReadWriteCreate, &synced));
    CHECK_OK(put(io.get(), synced, first, 0));
    CHECK_OK(io->sync(synced));
    CHECK_OK(io->sync_directory("/d"));
    CHECK_OK(io->open("/d/unnamed", OpenMode::kReadWriteCreate, &unnamed));
    CHECK_OK(put(io.get(), unnamed, first, 0));
    CHECK_OK(io->sync(unnamed));
    CHECK_OK(put(io.get(), synced, second, 2048));
    world.die(SimDeath::kPower);
    world.restart();
    io = world.make_io();
    const std::string left = get(io.get(), "/d/synced");
    CHECK_EQ(left.substr(0, 2048), first);
    const bool is_whole = left == first + second;
    lost += left == first ? 1 : 0;
    kept += is_whole ? 1 : 0;
    torn += left != first && !is_whole ? 1 : 0;
    nameless += get(io.get(), "/d/unnamed") == "(none)" ? 1 : 0;
  }
  CHECK(lost > 20 && kept > 20 && torn > 20);
  CHECK(nameless > 20 && nameless < 280);
}

// The model: per file, every content it had since its last sync. After a crash the length is one of
// theirs and each byte is one that some of them had there, or a hole's zero; with nothing since,
// all is equal.
TEST("io: sim: disk: property: a crash invents nothing and forgets nothing synced") {
  constexpr int kFiles = 3;
  int differed = 0;
  for (uint64_t seed = 0; seed < 400; seed += 1) {
    SimWorld world(seed);
    SimRandom random(seed + 1000);
    auto io = world.make_io();
    prepare(io.get());
    Handle files[kFiles];
    std::vector<std::string> versions[kFiles];
    for (int f = 0; f < kFiles; f += 1) {
      CHECK_OK(io->open("/d/" + std::to_string(f), OpenMode::kReadWriteCreate, &files[f]));
      versions[f] = {""};
    }
    CHECK_OK(io->sync_directory("/d"));
    for (int round = 0; round < 3; round += 1) {
      for (int step = 0; step < 20; step += 1) {
        const size_t f = random.below(kFiles);
        std::string now = versions[f].back();
        const uint64_t what = random.below(10);
        if (what == 0) {
          CHECK_OK(io->sync(files[f]));
          versions[f] = {now};
        } else if (what == 1) {
          now.resize(random.below(now.size() + 700));
          CHECK_OK(io->truncate(files[f], static_cast<int64_t>(now.size())));
          versions[f].push_back(now);
        } else {
          const size_t at = random.below(now.size() + 600);
          const std::string text(1 + random.below(1500), static_cast<char>('A' + step));
          if (now.size() < at + text.size()) now.resize(at + text.size());
          now.replace(at, text.size(), text);
          CHECK_OK(put(io.get(), files[f], text, static_cast<int64_t>(at)));
          versions[f].push_back(now);
        }
      }
      world.die(SimDeath::kPower);
      world.restart();
      io = world.make_io();
      for (int f = 0; f < kFiles; f += 1) {
        const std::string path = "/d/" + std::to_string(f), left = get(io.get(), path);
        const auto& had = versions[f];
        differed += left != had.back() ? 1 : 0;
        if (had.size() == 1) CHECK(left == had[0]);
        CHECK(is_length_of(left.size(), had));
        for (size_t i = 0; i < left.size(); i += 1) {
          const bool is_known = left[i] == 0 || std::any_of(had.begin(), had.end(), [&](auto& v) {
                                  return v.size() > i && v[i] == left[i];
                                });
          REQUIRE(is_known);
        }
        versions[f] = {left};
        CHECK_OK(io->open(path, OpenMode::kReadWrite, &files[f]));
      }
    }
  }
  CHECK(differed > 100);
}

TEST("io: sim: disk: property: names after a crash are old or new, and never two of one") {
  int old_names = 0, new_names = 0, mixed = 0;
  for (uint64_t seed = 0; seed < 300; seed += 1) {
    SimWorld world(seed);
    auto io = world.make_io();
    prepare(io.get());
    CHECK_OK(io->make_directory("/e"));
    Handle file = kNoHandle;
    for (const char* name : {"/d/a", "/d/b"}) {
      CHECK_OK(io->open(name, OpenMode::kReadWriteCreate, &file));
      CHECK_OK(put(io.get(), file, name, 0));
      CHECK_OK(io->sync(file));
    }
    CHECK_OK(io->sync_directory("/d"));
    CHECK_OK(io->sync_directory("/"));
    CHECK_OK(io->rename("/d/a", "/d/x"));
    CHECK_OK(io->rename("/d/x", "/e/a"));
    CHECK_OK(io->remove("/d/b"));
    const bool is_synced = seed % 4 == 0;
    if (is_synced) CHECK_OK(io->sync_directory("/e"));
    world.die(SimDeath::kPower);
    world.restart();
    io = world.make_io();
    const std::string a = get(io.get(), "/d/a"), x = get(io.get(), "/d/x"),
                      moved = get(io.get(), "/e/a");
    const std::string b = get(io.get(), "/d/b");
    const int places = static_cast<int>(a == "/d/a") + static_cast<int>(x == "/d/a") +
                       static_cast<int>(moved == "/d/a");
    CHECK_EQ(places, 1);
    CHECK(b == "/d/b" || b == "(none)");
    if (is_synced) CHECK_EQ(moved, "/d/a");
    if (is_synced) continue;
    old_names += a == "/d/a" && b == "/d/b" ? 1 : 0;
    new_names += moved == "/d/a" && b == "(none)" ? 1 : 0;
    mixed += x == "/d/a" ? 1 : 0;
  }
  CHECK(old_names > 10 && new_names > 10 && mixed > 5);
}

TEST(
    "io: sim: disk: crash at every operation: a replaced file is old or new, and the bug is "
    "found") {
  const std::string old_text(700, 'o'), new_text(1700, 'n');
  int found = 0;
  for (const bool syncs : {true, false}) {
    for (uint64_t seed = 0; seed < 40; seed += 1) {
      for (uint64_t operation = 0;; operation += 1) {
        SimWorld world(seed);
        auto io = world.make_io();
        prepare(io.get());
        CHECK_OK(replace(io.get(), old_text, true));
        world.die_at(world.operations() + operation, SimDeath::kPower);
        const bool is_done = replace(io.get(), new_text, syncs).ok();
        if (!world.is_dead()) world.die(SimDeath::kPower);
        world.restart();
        io = world.make_io();
        const std::string left = get(io.get(), "/d/f");
        const bool is_right = left == new_text || (!is_done && left == old_text);
        if (syncs) {
          CHECK(is_right);
        } else {
          found += is_right ? 0 : 1;
        }
        if (is_done) break;
        CHECK(operation < 20);
      }
    }
  }
  CHECK(found > 10);
}

TEST("io: sim: disk: rules: fail the nth, by path, for a while, for good") {
  SimWorld world(1);
  const auto io = world.make_io();
  Handle a = kNoHandle, b = kNoHandle;
  CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &a));
  CHECK_OK(io->open("/b", OpenMode::kReadWriteCreate, &b));
  SimRule rule;
  rule.op = SimOp::kWrite;
  rule.path_contains = "a";
  rule.skip = 1;
  rule.count = 2;
  rule.code = Code::kNoSpace;
  rule.error = ENOSPC;
  world.add_rule(rule);
  CHECK_OK(put(io.get(), a, "1", 0));
  CHECK_OK(put(io.get(), b, "1", 0));
  CHECK_EQ(put(io.get(), a, "2", 1).code, Code::kNoSpace);
  CHECK_OK(put(io.get(), b, "2", 1));
  CHECK_EQ(put(io.get(), a, "2", 1).code, Code::kNoSpace);
  CHECK_OK(put(io.get(), a, "2", 1));
  rule = SimRule();
  rule.count = UINT64_MAX;
  rule.path_contains = "/b";
  world.add_rule(rule);
  for (int i = 0; i < 5; i += 1) CHECK_EQ(io->sync(b).code, Code::kIo);
  CHECK_EQ(io->remove("/b").code, Code::kIo);
  CHECK_EQ(io->rename("/a", "/b").code, Code::kIo);
  world.clear_rules();
  CHECK_OK(io->sync(b));
  rule = SimRule();
  rule.op = SimOp::kWrite;
  rule.fault = SimFault::kShort;
  world.add_rule(rule);
  CHECK_EQ(put(io.get(), a, std::string(1000, 'x'), 2).code, Code::kIo);
  const std::string left = get(io.get(), "/a");
  CHECK(left.size() >= 2 && left.size() < 1002);
}

TEST("io: sim: disk: full: what fits is written, space comes back") {
  SimWorld world(1);
  const auto io = world.make_io();
  Handle a = kNoHandle, b = kNoHandle;
  CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &a));
  CHECK_OK(io->open("/b", OpenMode::kReadWriteCreate, &b));
  world.set_capacity(10000);
  CHECK_OK(io->allocate(a, 0, 6000));
  CHECK_EQ(put(io.get(), b, std::string(5000, 'b'), 0).code, Code::kNoSpace);
  CHECK_EQ(get(io.get(), "/b").size(), 4000u);
  CHECK_OK(put(io.get(), a, std::string(6000, 'a'), 0));
  CHECK_EQ(put(io.get(), a, "x", 6000).code, Code::kNoSpace);
  CHECK_EQ(io->allocate(a, 6000, 1).code, Code::kNoSpace);
  CHECK_OK(io->truncate(b, 1000));
  CHECK_OK(put(io.get(), a, "x", 6000));
  CHECK_OK(io->remove("/b"));
  CHECK_EQ(world.used_bytes(), 7001);
  CHECK_OK(io->close(b));
  CHECK_EQ(world.used_bytes(), 6001);
  CHECK_OK(io->open("/c", OpenMode::kReadWriteCreate, &b));
  CHECK_OK(io->rename("/c", "/a"));
  CHECK_EQ(world.used_bytes(), 6001);
  CHECK_OK(io->close(a));
  CHECK_EQ(world.used_bytes(), 0);
}

TEST(
    "io: sim: disk: a failed fsync loses what was dirty, and the next one does not bring it back") {
  int lost = 0;
  for (uint64_t seed = 0; seed < 100; seed += 1) {
    SimWorld world(seed);
    auto io = world.make_io();
    Handle file = kNoHandle;
    CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &file));
    CHECK_OK(io->sync_directory("/"));
    CHECK_OK(put(io.get(), file, std::string(1024, '1'), 0));
    SimRule rule;
    rule.op = SimOp::kSync;
    rule.fault = SimFault::kSyncLost;
    world.add_rule(rule);
    CHECK_EQ(io->sync(file).code, Code::kIo);
    CHECK_EQ(get(io.get(), "/a"), std::string(1024, '1'));
    CHECK_OK(put(io.get(), file, "2", 1024));
    CHECK_OK(io->sync(file));
    world.die(SimDeath::kPower);
    world.restart();
    io = world.make_io();
    const std::string left = get(io.get(), "/a");
    CHECK_EQ(left.size(), 1025u);
    CHECK_EQ(left.back(), '2');
    lost += left.substr(0, 1024) != std::string(1024, '1') ? 1 : 0;
  }
  CHECK(lost > 20);
}

TEST("io: sim: disk: bit rot changes one bit, in memory and for good") {
  SimWorld world(1);
  auto io = world.make_io();
  Handle file = kNoHandle;
  CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &file));
  CHECK_OK(put(io.get(), file, "aaaa", 0));
  CHECK_OK(io->sync(file));
  CHECK_OK(io->sync_directory("/"));
  CHECK_OK(world.flip_bit("/a", 9));
  CHECK_EQ(get(io.get(), "/a"), "acaa");
  CHECK_EQ(world.flip_bit("/a", 32).code, Code::kOutOfRange);
  CHECK_EQ(world.flip_bit("/none", 0).code, Code::kNotFound);
  world.die(SimDeath::kPower);
  world.restart();
  io = world.make_io();
  CHECK_EQ(get(io.get(), "/a"), "acaa");
  SimRule rule;
  rule.op = SimOp::kRead;
  rule.fault = SimFault::kFlipBit;
  world.add_rule(rule);
  const std::string rotten = get(io.get(), "/a");
  CHECK(rotten != "acaa");
  CHECK_EQ(get(io.get(), "/a"), rotten);
}

TEST("io: sim: disk: submit: inline, later, stalled alone, in order") {
  SimWorld world(1);
  const auto io = world.make_io();
  Handle a = kNoHandle, b = kNoHandle;
  CHECK_OK(io->open("/a", OpenMode::kReadWriteCreate, &a));
  CHECK_OK(io->open("/b", OpenMode::kReadWriteCreate, &b));
  char text[] = "xy";
  const iovec iov[2] = {{text, 1}, {text + 1, 1}};
  Outcome first, second, third;
  const auto op = [&](Handle file, int64_t position, Outcome* outcome) {
    return WriteOp{file, position, iov, 2, &note, outcome};
  };
  WriteOp one = op(a, 0, &first), two = op(a, 2, &second), three = op(b, 0, &third);
  io->submit(&one);
  CHECK_EQ(first.calls, 1);
  CHECK_OK(first.status);
  SimRule rule;
  rule.op = SimOp::kSubmit;
  rule.fault = SimFault::kStall;
  rule.stall_us = 5000;
  world.add_rule(rule);
  io->submit(&one);
  io->submit(&two);
  io->submit(&three);
  CHECK_EQ(first.calls, 1);
  CHECK_EQ(second.calls, 0);  // behind the stalled one of its file
  CHECK_EQ(third.calls, 1);   // and not this one
  CHECK_EQ(world.next_event_us(), world.now_us() + 5000);
  Event event;
  CHECK_EQ(io->poll(&event, 1, 0), 0);
  CHECK_EQ(first.calls, 1);
  world.advance_us(5000);
  CHECK_EQ(io->poll(&event, 1, 0), 0);
  CHECK_EQ(first.calls, 2);
  CHECK_EQ(second.calls, 1);
  CHECK_EQ(get(io.get(), "/a"), "xyxy");
  world.submit_latency_us = 10;
  io->submit(&three);
  CHECK_EQ(third.calls, 1);
  world.advance_us(10);
  io->poll(&event, 1, 0);
  CHECK_EQ(third.calls, 2);
  world.add_rule(rule);
  rule.op = SimOp::kSync;
  world.add_rule(rule);
  const int64_t before = world.now_us();
  CHECK_OK(io->sync(a));
  CHECK_EQ(world.now_us(), before + 5000);  // a caller that waits is held
}

RUN_TESTS()
