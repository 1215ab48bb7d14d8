// Produce and Fetch through a whole plane over loopback, on 1, 2 and 4 reactors and on both
// transports: partitions belong to other reactors than the connections that ask for them.
#include <fcntl.h>

#include <filesystem>
#include <thread>

#include "../../native/plane_sim.h"
#include "plane_requests.h"

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

// One partition and one client in a simulated world.
struct SimEvents {
  SimEvents() {
    ReactorOptions options = with_reactors(2);
    options.node_id = 1;
    is_open = SimPlane::open(options, inbox.bell(), 7, &sim).ok();
    if (!is_open) return;
    PartitionOptions create;
    create.slot = 0;
    create.incarnation = 1;
    create.log_directory = SimPlane::kDirectory;
    create.topic = "events";
    create.topic_id[0] = 9;
    Plane& plane = sim->plane();
    CHECK_OK(plane.create(create, 1));
    plane.lead(0, 0, 0, {1}, {1});
    TopicRoute route;
    route.handle = 1;
    route.name = "events";
    route.id.bytes[0] = 9;
    route.partitions.push_back({0, 1, 0});
    plane.route(route);
    uint16_t port = 0;
    CHECK_OK(plane.listen(0, {"127.0.0.1", 0}, true, &port));
    sim->step(1000);
    client = sim->world().connect_client(port);
    sim->step(1000);
  }
  // What comes back within a second.
  std::vector<uint8_t> ask(const std::vector<uint8_t>& frame) {
    size_t moved = 0;
    for (size_t sent = 0; sent < frame.size(); sent += moved) {
      const Status status = sim->world().client_send(client, Bytes(frame).subspan(sent), &moved);
      if (status.code == Code::kWouldBlock) sim->step(1000);
      if (!status.ok() && status.code != Code::kWouldBlock) return {};
    }
    std::vector<uint8_t> answer;
    for (int turn = 0; turn < 1000; turn += 1) {
      sim->step(1000);
      uint8_t part[65536];
      while (sim->world().client_receive(client, part, sizeof part, &moved).ok() && moved > 0) {
        answer.insert(answer.end(), part, part + moved);
      }
      if (answer.size() < 4) continue;
      if (answer.size() >= 4 + static_cast<size_t>(load_i32(answer.data()))) break;
    }
    return {answer.begin() + std::min<ptrdiff_t>(4, std::ssize(answer)), answer.end()};
  }

  Inbox inbox;
  std::unique_ptr<SimPlane> sim;
  Handle client = kNoHandle;
  bool is_open = false;
};

TEST("plane: fetch: what is not in memory arrives all the same, whatever a helper must read") {
  SimEvents events;
  REQUIRE(events.is_open);
  std::vector<uint8_t> expected;
  for (int64_t offset = 0; offset < 30; offset += 1) {
    auto records = batch(offset, offset % 7 == 6 ? 400'000 : static_cast<size_t>(offset) * 700);
    CHECK_EQ(read_produced(events.ask(produce(7, 0, records))).base_offset, offset);
    store_i64(records.data(), offset);
    store_i32(records.data() + 12, 0);
    expected.insert(expected.end(), records.begin(), records.end());
  }
  for (const uint32_t chance : {0u, 300'000u, 1'000'000u}) {
    events.sim->world().chances.cold_read = chance;
    const Fetched whole = read_fetched(events.ask(fetch(8, 0, 0, 100, 4 << 20)));
    CHECK_EQ(whole.error, 0);
    CHECK(whole.records == expected);
    std::vector<uint8_t> parts;
    for (int64_t offset = 0; offset < 30; offset += 1) {
      const Fetched one = read_fetched(events.ask(fetch(8, 0, offset, 100, 1)));
      CHECK_EQ(one.error, 0);
      parts.insert(parts.end(), one.records.begin(), one.records.end());
    }
    CHECK(parts == expected);
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

// The page cache forgets all that is written, again and again.
void forget_pages(const std::string& directory, const std::atomic<bool>& is_over) {
  while (!is_over.load()) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, gone)) {
      const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) continue;
      ::fdatasync(file);
      ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
      ::close(file);
    }
  }
}

void write_and_read(const Recompression& recompression, bool is_cold = false) {
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
      threads.emplace_back([&events, &wrong, partition, is_cold] {
        Client client(events->port);
        int64_t next = 0;
        const int64_t end = kBatches - kBatches % 4;
        for (int again = is_cold ? 3 : 0; next < end || again > 0;) {
          if (next >= end) {
            again -= 1;
            next = 0;
          }
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
    std::atomic<bool> is_over{false};
    std::thread forgets([&] {
      if (is_cold) forget_pages(directory.path, is_over);
    });
    for (std::thread& thread : threads) thread.join();
    is_over = true;
    forgets.join();
    CHECK_EQ(wrong.load(), 0);
    events.reset();
  }
}

TEST("plane: load: writers and readers on every partition, all of it once and in order") {
  write_and_read({});
}

TEST("plane: load: the same, read again and again while the page cache forgets it") {
  write_and_read({}, true);
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
