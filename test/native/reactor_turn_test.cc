// One turn of a reactor, taken alone in the simulated world: what it must have done when it ends,
// since nothing may come that makes it take another.
#include <cerrno>

#include "../../native/plane_sim.h"
#include "plane_client.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct Quiet {
  explicit Quiet(ReactorOptions options = {}) {
    if (!SimPlane::open(options, inbox.bell(), 1, &sim).ok()) std::abort();
    inbox.watch(&sim->plane());
  }
  Plane& plane() { return sim->plane(); }

  Inbox inbox;
  std::unique_ptr<SimPlane> sim;
};

TEST("reactor: turn: the end of a retired partition is told in the turn that ends it") {
  Quiet quiet;
  PartitionOptions create;
  create.slot = 0;
  create.log_directory = SimPlane::kDirectory;
  create.topic = "t";
  CHECK_OK(quiet.plane().create(create, 1));
  quiet.sim->step(1000);
  Told told;
  REQUIRE(quiet.inbox.next_of(fact::kDone, &told, 0));
  quiet.plane().retire(0, false, 2);
  (void)quiet.plane().turn_each();  // a helper closes it
  (void)quiet.plane().turn_each();
  REQUIRE(quiet.inbox.next_of(fact::kDone, &told, 0));
  CHECK_EQ(told.ticket, 2.0);
}

TEST("reactor: turn: an answer that comes when the connection would be idle is sent") {
  ReactorOptions options;
  options.connections_max_idle_us = 60 * 1000;
  Quiet quiet(options);
  uint16_t port = 0;
  CHECK_OK(quiet.plane().listen(1, {"127.0.0.1", 0}, false, &port));
  const Handle client = quiet.sim->world().connect_client(port);
  const std::vector<uint8_t> request = {0, 0, 0, 8, 0, 18, 0, 0, 0, 0, 0, 7};
  quiet.sim->step(1000);
  size_t moved = 0;
  CHECK_OK(quiet.sim->world().client_send(client, request, &moved));
  quiet.sim->step(1000);
  Told told;
  REQUIRE(quiet.inbox.next_of(fact::kRequest, &told, 0));
  quiet.sim->world().advance_us(70 * 1000);
  const std::vector<uint8_t> answer = {0, 0, 0, 7};
  const Bytes frame(answer);
  quiet.plane().reply(told.conn(), static_cast<uint32_t>(told.ticket), &frame);
  quiet.sim->step(10 * 1000);
  uint8_t got[64];
  CHECK_OK(quiet.sim->world().client_receive(client, got, sizeof got, &moved));
  CHECK_EQ(moved, size_t{8});
}

TEST("reactor: turn: while TypeScript is behind nobody new is let in, and then everybody") {
  ReactorOptions options;
  options.ring.facts = 16;
  Quiet quiet(options);
  uint16_t port = 0;
  CHECK_OK(quiet.plane().listen(1, {"127.0.0.1", 0}, false, &port));
  constexpr int kClients = 200;
  for (int i = 0; i < kClients; i += 1) {
    (void)quiet.sim->world().connect_client(port);
    quiet.sim->step(2000);
  }
  Told told;
  int connected = 0;
  // What fitted, and what one turn had accepted when it no longer did.
  while (quiet.inbox.next_of(fact::kConnected, &told, 0)) connected += 1;
  CHECK(connected >= 16 && connected < 100);
  for (int i = 0; i < kClients && connected < kClients; i += 1) {
    quiet.sim->step(5000);
    while (quiet.inbox.next_of(fact::kConnected, &told, 0)) connected += 1;
  }
  CHECK_EQ(connected, kClients);
}

TEST("reactor: turn: a dial that is hung up before it stands is answered, once") {
  Quiet quiet;
  uint16_t port = 0;
  CHECK_OK(quiet.plane().listen(1, {"127.0.0.1", 0}, false, &port));
  const uint64_t conn = quiet.plane().dial({"127.0.0.1", port});
  quiet.plane().hangup(conn);
  quiet.sim->step(100 * 1000);
  Told told;
  int answers = 0;
  while (quiet.inbox.next(&told, 0)) {
    if (told.conn() != conn) continue;
    CHECK_EQ(told.kind, fact::kDialled);
    CHECK_EQ(told.status, ECANCELED);
    answers += 1;
  }
  CHECK_EQ(answers, 1);
}

TEST("reactor: turn: a socket that cannot be watched is refused, and its place comes back") {
  Quiet quiet;
  uint16_t port = 0;
  CHECK_OK(quiet.plane().listen(1, {"127.0.0.1", 0}, false, &port));
  quiet.sim->world().watches_refused = 1;
  const Handle refused = quiet.sim->world().connect_client(port);
  quiet.sim->step(1000);
  Told told;
  CHECK(!quiet.inbox.next(&told, 0));
  uint8_t got[64];
  size_t moved = 0;
  const Status end = quiet.sim->world().client_receive(refused, got, sizeof got, &moved);
  CHECK(!end.ok() && end.code != Code::kWouldBlock);
  (void)quiet.sim->world().connect_client(port);
  quiet.sim->step(1000);
  REQUIRE(quiet.inbox.next(&told, 0));
  CHECK_EQ(told.kind, fact::kConnected);

  quiet.sim->world().watches_refused = 1;
  const uint64_t conn = quiet.plane().dial({"127.0.0.1", port});
  quiet.sim->step(1000);
  REQUIRE(quiet.inbox.next_of(fact::kDialled, &told, 0));
  CHECK_EQ(told.conn(), conn);
  CHECK_EQ(told.status, ENOSPC);
  quiet.sim->world().watches_refused = 1;
  CHECK(!quiet.plane().listen(2, {"127.0.0.1", 0}, false, &port).ok());
}

}  // namespace

RUN_TESTS()
