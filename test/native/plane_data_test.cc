// Produce and Fetch through a whole plane over loopback, on 1, 2 and 4 reactors and on both
// transports: partitions belong to other reactors than the connections that ask for them.
#include <filesystem>
#include <thread>

#include "../../native/base/crc32c.h"
#include "plane_client.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int32_t kPartitions = 6;

struct Directory {
  Directory() {
    char name[] = "/tmp/ottla-plane-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

class Writer {
 public:
  Writer& u8(uint8_t value) { return bytes.push_back(value), *this; }
  Writer& i16(int16_t value) { return grow(2), store_i16(end() - 2, value), *this; }
  Writer& i32(int32_t value) { return grow(4), store_i32(end() - 4, value), *this; }
  Writer& i64(int64_t value) { return grow(8), store_i64(end() - 8, value), *this; }
  Writer& text(const char* value) {
    i16(static_cast<int16_t>(std::strlen(value)));
    bytes.insert(bytes.end(), value, value + std::strlen(value));
    return *this;
  }
  Writer& raw(const std::vector<uint8_t>& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  std::vector<uint8_t> bytes;

 private:
  void grow(size_t count) { bytes.resize(bytes.size() + count); }
  uint8_t* end() { return bytes.data() + bytes.size(); }
};

// One batch of one record whose value is `bytes` long and starts with `mark`.
std::vector<uint8_t> batch(int64_t mark, size_t bytes) {
  std::vector<uint8_t> value(std::max<size_t>(bytes, 8), 'v');
  store_i64(value.data(), mark);
  uint8_t length[10], record_length[10];
  auto varint = [](uint8_t* at, int64_t number) {
    uint64_t rest = zigzag(number);
    size_t count = 0;
    for (; rest >= 0x80; rest >>= 7) at[count++] = static_cast<uint8_t>(rest | 0x80);
    at[count++] = static_cast<uint8_t>(rest);
    return count;
  };
  const size_t length_bytes = varint(length, static_cast<int64_t>(value.size()));
  // attributes, timestamp delta, offset delta, no key, value, no headers
  const size_t record_bytes = 1 + 1 + 1 + 1 + length_bytes + value.size() + 1;
  const size_t prefix = varint(record_length, static_cast<int64_t>(record_bytes));
  Writer out;
  out.i64(0).i32(0).i32(-1).u8(2).i32(0).i16(0).i32(0).i64(1000).i64(1000).i64(-1).i16(-1).i32(-1);
  out.i32(1);
  out.bytes.insert(out.bytes.end(), record_length, record_length + prefix);
  out.u8(0).u8(0).u8(0).u8(1);
  out.bytes.insert(out.bytes.end(), length, length + length_bytes);
  out.raw(value).u8(0);
  store_i32(out.bytes.data() + 8, static_cast<int32_t>(out.bytes.size() - 12));
  store_u32(out.bytes.data() + 17, crc32c(Bytes(out.bytes).subspan(21)));
  return out.bytes;
}

std::vector<uint8_t> framed(const Writer& body) {
  Writer frame;
  frame.i32(static_cast<int32_t>(body.bytes.size())).raw(body.bytes);
  return frame.bytes;
}

// Produce 3: one partition, one batch.
std::vector<uint8_t> produce(int32_t id, int32_t partition, const std::vector<uint8_t>& records,
                             int16_t acks = -1) {
  Writer body;
  body.i16(0).i16(3).i32(id).i16(-1).i16(-1).i16(acks).i32(30000).i32(1).text("events").i32(1);
  body.i32(partition).i32(static_cast<int32_t>(records.size())).raw(records);
  return framed(body);
}

// Fetch 4: one partition.
std::vector<uint8_t> fetch(int32_t id, int32_t partition, int64_t offset, int32_t wait_ms,
                           int32_t bytes_max = 1 << 20) {
  Writer body;
  body.i16(1).i16(4).i32(id).i16(-1).i32(-1).i32(wait_ms).i32(1).i32(bytes_max).u8(0).i32(1);
  body.text("events").i32(1).i32(partition).i64(offset).i32(bytes_max);
  return framed(body);
}

struct Produced {
  int32_t id = -1;
  int16_t error = -1;
  int64_t base_offset = -1;
};
Produced read_produced(const std::vector<uint8_t>& frame) {
  // id, topics, "events", partitions, index, error, offset
  constexpr size_t kError = 4 + 4 + 8 + 4 + 4;
  if (frame.size() < kError + 10) return {};
  return {load_i32(frame.data()), load_i16(frame.data() + kError),
          load_i64(frame.data() + kError + 2)};
}

struct Fetched {
  int32_t id = -1;
  int16_t error = -1;
  int64_t high_watermark = -1;
  std::vector<uint8_t> records;
};
Fetched read_fetched(const std::vector<uint8_t>& frame) {
  // id, throttle, topics, "events", partitions, index, error, watermark, stable, aborted, records
  constexpr size_t kError = 4 + 4 + 4 + 8 + 4 + 4;
  constexpr size_t kRecords = kError + 2 + 8 + 8 + 4;
  if (frame.size() < kRecords + 4) return {};
  const int32_t aborted = load_i32(frame.data() + kError + 18);
  CHECK(aborted <= 0);
  return {load_i32(frame.data()),
          load_i16(frame.data() + kError),
          load_i64(frame.data() + kError + 2),
          {frame.begin() + kRecords + 4, frame.end()}};
}

struct Events : Fixture {
  Events(ReactorOptions options, const std::string& directory, Recompression recompression = {})
      : Fixture(options) {
    if (!is_open) return;
    TopicRoute route;
    route.handle = 1;
    route.name = "events";
    route.id.bytes[0] = 9;
    for (int32_t slot = 0; slot < kPartitions; slot += 1) {
      PartitionOptions create;
      create.slot = slot;
      create.incarnation = 1;
      create.log_directory = directory;
      create.topic = "events";
      create.topic_id[0] = 9;
      create.index = slot;
      create.config.recompression = recompression;
      CHECK_OK(plane->create(create, 100 + slot));
      plane->lead(slot, 0, 0, {1}, {1});  // said before it is open: waits for its turn
      route.partitions.push_back({slot, 1, 0});
    }
    plane->route(route);
    Told told;
    for (int i = 0; i < kPartitions; i += 1) {
      CHECK(inbox.next_of(fact::kDone, &told));
      CHECK_EQ(told.status, 0);
    }
  }
};

}  // namespace

TEST("plane: produce and fetch: what goes in comes out, whoever owns it") {
  for (const int reactors : {1, 2, 4}) {
    for (const bool copies : {false, true}) {
      Directory directory;
      ReactorOptions options = with_reactors(reactors);
      options.copies_files = copies;
      Events events(options, directory.path);
      REQUIRE(events.is_open);
      Client client(events.port);
      for (int32_t partition = 0; partition < kPartitions; partition += 1) {
        std::vector<uint8_t> expected;
        for (int64_t offset = 0; offset < 5; offset += 1) {
          auto records = batch(offset, static_cast<size_t>(offset) * 30000);
          CHECK(client.send(produce(7, partition, records)));
          const Produced answer = read_produced(client.frame());
          CHECK_EQ(answer.id, 7);
          CHECK_EQ(answer.error, 0);
          CHECK_EQ(answer.base_offset, offset);
          store_i64(records.data(), offset);
          store_i32(records.data() + 12, 0);
          expected.insert(expected.end(), records.begin(), records.end());
        }
        CHECK(client.send(fetch(8, partition, 0, 100)));
        const Fetched answer = read_fetched(client.frame());
        CHECK_EQ(answer.id, 8);
        CHECK_EQ(answer.error, 0);
        CHECK_EQ(answer.high_watermark, 5);
        CHECK(answer.records == expected);
      }
    }
  }
}

TEST("plane: fetch: a long poll wakes when another connection produces") {
  for (const int reactors : {1, 2, 4}) {
    Directory directory;
    Events events(with_reactors(reactors), directory.path);
    REQUIRE(events.is_open);
    Client reader(events.port), writer(events.port);
    for (int64_t offset = 0; offset < 40; offset += 1) {
      const auto partition = static_cast<int32_t>(offset % kPartitions);
      const int64_t at = offset / kPartitions;
      CHECK(reader.send(fetch(1, partition, at, 20000)));
      if (offset % 3 == 0) CHECK(!reader.has_bytes(1));
      CHECK(writer.send(produce(2, partition, batch(offset, 100))));
      const Fetched answer = read_fetched(reader.frame());
      CHECK_EQ(answer.error, 0);
      REQUIRE(answer.records.size() > 61);
      CHECK_EQ(load_i64(answer.records.data()), at);
      CHECK_EQ(read_produced(writer.frame()).error, 0);
    }
  }
}

TEST("plane: pipeline: produces, fetches and forwarded frames answer in order") {
  for (const int reactors : {1, 3}) {
    Directory directory;
    Events events(with_reactors(reactors), directory.path);
    REQUIRE(events.is_open);
    Client client(events.port);
    std::vector<uint8_t> pipeline;
    auto add = [&pipeline](const std::vector<uint8_t>& frame) {
      pipeline.insert(pipeline.end(), frame.begin(), frame.end());
    };
    for (int32_t id = 0; id < 90; id += 3) {
      add(produce(id, id % kPartitions, batch(id, 500)));
      add(fetch(id + 1, id % kPartitions, 0, 0));
      add(request(3, 9, id + 2));
    }
    CHECK(client.send(pipeline));
    std::thread server([&events] {
      Told told;
      for (int i = 0; i < 30; i += 1) {
        REQUIRE(events.inbox.next_of(fact::kRequest, &told));
        std::vector<uint8_t> answer(4);
        store_i32(answer.data(), correlation_of(told));
        events.reply(told, answer);
      }
    });
    for (int32_t id = 0; id < 90; id += 1) {
      const auto frame = client.frame();
      REQUIRE(frame.size() >= 4);
      CHECK_EQ(load_i32(frame.data()), id);
    }
    server.join();
  }
}

void write_and_read(const Recompression& recompression) {
  for (const int reactors : {1, 2, 4}) {
    Directory directory;
    auto events = std::make_unique<Events>(with_reactors(reactors), directory.path, recompression);
    REQUIRE(events->is_open);
    constexpr int64_t kBatches = 150;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int32_t partition = 0; partition < kPartitions; partition += 1) {
      threads.emplace_back([&events, &wrong, partition] {
        Client client(events->port);
        for (int64_t i = 0; i < kBatches; i += 1) {
          client.send(produce(1, partition, batch(i, static_cast<size_t>(i * 97 % 4000))));
          if (i % 4 == 3) {
            for (int pending = 0; pending < 4; pending += 1) {
              const Produced answer = read_produced(client.frame());
              if (answer.error != 0) wrong += 1;
            }
          }
        }
      });
      threads.emplace_back([&events, &wrong, partition] {
        Client client(events->port);
        int64_t next = 0;
        const int64_t end = kBatches - kBatches % 4;
        while (next < end) {
          client.send(fetch(2, partition, next, 5000, 20000));
          const Fetched answer = read_fetched(client.frame());
          if (answer.error != 0 || answer.records.empty()) {
            wrong += 1;
            return;
          }
          const uint8_t* at = answer.records.data();
          const uint8_t* limit = at + answer.records.size();
          while (limit - at > 61 && limit - at >= load_i32(at + 8) + 12) {
            if (load_i64(at) != next) wrong += 1;
            next += 1;
            at += load_i32(at + 8) + 12;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(wrong.load(), 0);
    events.reset();
  }
}

TEST("plane: load: writers and readers on every partition, all of it once and in order") {
  write_and_read({});
}

TEST("plane: load: the same with every batch recompressed") {
  write_and_read({true, Codec::kLz4, kDefaultLevel});
}

TEST("plane: destroyed with produces and long polls under way") {
  for (const int reactors : {1, 4}) {
    Directory directory;
    const Recompression recompression{reactors == 4, Codec::kGzip, kDefaultLevel};
    auto events = std::make_unique<Events>(with_reactors(reactors), directory.path, recompression);
    REQUIRE(events->is_open);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 12; i += 1) {
      clients.push_back(std::make_unique<Client>(events->port));
      clients.back()->send(fetch(1, i % kPartitions, 0, 60000));
      clients.back()->send(produce(2, (i + 1) % kPartitions, batch(i, 2000)));
    }
    Told told;
    events->inbox.next_of(fact::kConnected, &told);
    events.reset();
  }
}

TEST("plane: verbs: a slot in use, an unknown slot, a slot that comes back") {
  Directory directory;
  Events events(with_reactors(2), directory.path);
  REQUIRE(events.is_open);
  PartitionOptions again;
  again.slot = 1;
  again.log_directory = directory.path;
  again.topic = "other";
  CHECK(events.plane->create(again, 1).code == Code::kExists);
  again.slot = -1;
  CHECK(events.plane->create(again, 1).code == Code::kInvalid);
  Told told;
  events.plane->retire(77, false, 5);
  REQUIRE(events.inbox.next_of(fact::kDone, &told));
  CHECK_EQ(told.status, 3);
  events.plane->retire(1, true, 6);
  REQUIRE(events.inbox.next_of(fact::kDone, &told));
  CHECK_EQ(told.ticket, 6.0);
  CHECK_EQ(told.status, 0);
  again.slot = 1;
  CHECK_OK(events.plane->create(again, 7));
  REQUIRE(events.inbox.next_of(fact::kDone, &told));
  CHECK_EQ(told.status, 0);
  const auto records = batch(1, 400);
  events.plane->lead(1, 3, 0, {1}, {1});
  events.plane->append(1, 3, Bytes(records.data(), records.size()), 8);
  REQUIRE(events.inbox.next_of(fact::kDone, &told));
  CHECK_EQ(told.status, 0);
  CHECK_EQ(told.a, 0.0);
  CHECK_EQ(told.b, 1.0);
  events.plane->read(1, 0, 1 << 20, 9);
  REQUIRE(events.inbox.next_of(fact::kData, &told));
  CHECK_EQ(told.body.size(), records.size());
}

RUN_TESTS_ON_EACH_IO()
