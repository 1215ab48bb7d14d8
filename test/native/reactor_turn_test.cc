// One turn of a reactor, taken alone in the simulated world: what it must have done when it ends,
// since nothing may come that makes it take another.
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
  (void)quiet.plane().turn_each();
  REQUIRE(quiet.inbox.next_of(fact::kDone, &told, 0));
  CHECK_EQ(told.ticket, 2.0);
}

}  // namespace

RUN_TESTS()
