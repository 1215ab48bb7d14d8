// A directory that hangs: whatever touches its files waits until the test opens the gate, and
// meanwhile everything in another directory goes on, through the same connections' reactor. Nothing
// here depends on how long anything takes: what is held up is held up for good.
#include "gated_io.h"
#include "plane_requests.h"
#include "temp_directory.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int32_t kHangs = 0, kWell = 1;  // partitions, in a directory each

struct TwoDirectories {
  TwoDirectories() : hanging(directory.file("hangs")), gate(hanging) {
    std::filesystem::create_directory(hanging);
    std::filesystem::create_directory(well);
    ReactorOptions options = with_reactors(1);
    options.directories = 2;
    options.node_id = 1;
    const auto make_io = [this] { return std::make_unique<GatedIo>(&gate); };
    REQUIRE(Plane::open_with(make_io, make_io, options, inbox.bell(), true, &plane).ok());
    inbox.watch(plane.get());
    REQUIRE(plane->listen(7, {"127.0.0.1", 0}, true, &port).ok());
    TopicRoute route;
    route.handle = 1;
    route.name = "events";
    for (const int32_t slot : {kHangs, kWell}) {
      create(slot, slot == kHangs ? hanging : well);
      CHECK_EQ(answer(slot).status, 0);
      route.partitions.push_back({slot, 1, 0});
    }
    plane->route(route);
  }
  ~TwoDirectories() { gate.open(); }
  void create(int32_t slot, const std::string& in) {
    PartitionOptions options;
    options.slot = slot;
    options.incarnation = 1;
    options.log_directory = in;
    options.topic = "events";
    options.index = slot;
    CHECK_OK(plane->create(options, slot));
    plane->lead(slot, 0, 0, {1}, {1});
  }
  Told answer(double ticket) {
    Told told;
    while (inbox.next(&told)) {
      if ((told.kind == fact::kDone || told.kind == fact::kData) && told.ticket == ticket) break;
      told = Told();
      told.status = -1;
    }
    return told;
  }
  static Produced produce_to(Client* client, int32_t partition, size_t bytes = 100) {
    CHECK(client->send(produce(1, partition, batch(0, bytes))));
    return read_produced(client->frame());
  }

  TempDirectory directory;
  const std::string hanging, well = directory.file("well");
  Gate gate;
  Inbox inbox;
  std::unique_ptr<Plane> plane;
  uint16_t port = 0;
};

TEST("plane: stall: a directory that hangs holds up no request and no verb of another") {
  TwoDirectories two;
  Client stuck(two.port), client(two.port);
  CHECK_EQ(TwoDirectories::produce_to(&stuck, kHangs).error, 0);
  CHECK_EQ(TwoDirectories::produce_to(&client, kWell).error, 0);
  two.gate.shut();
  CHECK(stuck.send(produce(5, kHangs, batch(1, 100))));
  two.gate.wait_for(1);  // its writer
  two.create(10, two.hanging);
  two.plane->flush(kHangs, 500);
  for (int64_t offset = 1; offset < 50; offset += 1) {
    const Produced produced = TwoDirectories::produce_to(&client, kWell);
    CHECK_EQ(produced.error, 0);
    CHECK_EQ(produced.base_offset, offset);
    CHECK(client.send(fetch(2, kWell, offset, 10000)));
    const Fetched fetched = read_fetched(client.frame());
    CHECK_EQ(fetched.error, 0);
    CHECK_EQ(fetched.high_watermark, offset + 1);
    CHECK(!fetched.records.empty());
  }
  two.plane->flush(kWell, 600);
  CHECK_EQ(two.answer(600).status, 0);
  two.create(11, two.well);
  CHECK_EQ(two.answer(11).status, 0);
  two.plane->read(kWell, 0, 1 << 20, 601);
  CHECK(!two.answer(601).body.empty());
  two.plane->retain(kWell, -1, -1, 602);
  CHECK_EQ(two.answer(602).status, 0);
  two.plane->retire(11, true, 603);
  CHECK_EQ(two.answer(603).status, 0);
  Client late(two.port);  // who comes now is let in
  CHECK_EQ(TwoDirectories::produce_to(&late, kWell).error, 0);
  CHECK(!stuck.has_bytes(0));
  two.gate.open();
  CHECK_EQ(read_produced(stuck.frame()).base_offset, 1);
  CHECK_EQ(two.answer(500).status, 0);
}

TEST("plane: stall: syncs of a directory that hangs hold up no other's") {
  TwoDirectories two;
  Client client(two.port);
  CHECK_EQ(TwoDirectories::produce_to(&client, kHangs).error, 0);
  two.plane->flush(kHangs, 500);
  CHECK_EQ(two.answer(500).status, 0);
  CHECK_EQ(TwoDirectories::produce_to(&client, kHangs).error, 0);
  two.gate.shut();
  two.plane->flush(kHangs, 501);
  two.gate.wait_for(1);  // its helper
  CHECK_EQ(TwoDirectories::produce_to(&client, kWell).error, 0);
  two.plane->flush(kWell, 600);
  CHECK_EQ(two.answer(600).status, 0);
  two.gate.open();
  CHECK_EQ(two.answer(501).status, 0);
}

TEST("plane: stall: a fetch is answered without what a directory that hangs does not give") {
  TwoDirectories two;
  Client client(two.port), reader(two.port);
  for (int i = 0; i < 20; i += 1) {
    CHECK_EQ(TwoDirectories::produce_to(&client, kHangs, 5000).error, 0);
    CHECK_EQ(TwoDirectories::produce_to(&client, kWell).error, 0);
  }
  two.gate.shut();
  const auto ask = [&](int32_t wait_ms) {
    CHECK(reader.send(fetch_all(3, {{kHangs, 2}, {kWell, 0}}, wait_ms)));
    return reader.frame(60000);
  };
  for (int i = 0; i < 3; i += 1) {
    const std::vector<uint8_t> frame = ask(60000);
    // The first partition's: no error, its watermark, nothing of its records.
    const Fetched fetched = read_fetched(frame);
    CHECK_EQ(fetched.error, 0);
    CHECK_EQ(fetched.high_watermark, 20);
    REQUIRE(frame.size() > 50);
    CHECK_EQ(load_i32(frame.data() + 50), 0);
    CHECK(frame.size() > 20 * 100);  // the second's
  }
  // Alone it waits as long as it was asked to, and is not asked again and again.
  CHECK(reader.send(fetch(4, kHangs, 2, 1)));
  CHECK(read_fetched(reader.frame(60000)).records.empty());
  two.gate.open();
  for (;;) {  // until somebody has told that it is well again
    CHECK(reader.send(fetch(4, kHangs, 2, 1)));
    const Fetched fetched = read_fetched(reader.frame(60000));
    CHECK_EQ(fetched.error, 0);
    if (!fetched.records.empty()) break;
  }
}

}  // namespace

RUN_TESTS()
