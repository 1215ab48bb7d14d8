// base/slab.h, base/intrusive_list.h: stale ids find nothing, budgets hold, links come and go.
#include "../../native/base/slab.h"

#include <string>

#include "../../native/base/intrusive_list.h"
#include "test.h"

using namespace ottla;

namespace {

int alive = 0;

struct Thing {
  explicit Thing(int n) : number(n) { alive += 1; }
  ~Thing() { alive -= 1; }
  int number;
  std::string text = "a string long enough to live on the heap, for the leak checker";
};

struct Waiter {
  int number = 0;
  ListLink link;
};
using Waiters = IntrusiveList<Waiter, &Waiter::link>;

std::string order(Waiters* list) {
  std::string text;
  list->for_each([&](Waiter* waiter) { text += std::to_string(waiter->number); });
  return text;
}

}  // namespace

TEST("base: slab: a stale id finds nothing, even when its cell is used again") {
  {
    Slab<Thing> slab(2);
    SlabId first = kNoSlabId, second = kNoSlabId, third = kNoSlabId;
    CHECK(slab.create(&first, 1) != nullptr);
    CHECK(slab.create(&second, 2) != nullptr);
    CHECK(slab.create(&third, 3) == nullptr);
    CHECK_EQ(alive, 2);
    slab.destroy(first);
    CHECK(slab.find(first) == nullptr);
    REQUIRE(slab.create(&third, 3) != nullptr);
    CHECK_EQ(static_cast<uint32_t>(third), static_cast<uint32_t>(first));
    CHECK(third != first);
    CHECK(slab.find(first) == nullptr);
    CHECK_EQ(slab.find(third)->number, 3);
    CHECK(slab.find(kNoSlabId) == nullptr);
    CHECK(slab.find(~SlabId{0}) == nullptr);
    int seen = 0;
    slab.for_each([&](SlabId id, Thing* thing) {
      CHECK(slab.find(id) == thing);
      seen += thing->number;
    });
    CHECK_EQ(seen, 5);
    CHECK_EQ(slab.count(), 2u);
  }
  CHECK_EQ(alive, 0);
}

TEST("base: buffers: sizes round up, buffers come back, the budget holds") {
  BufferPool pool({.lent_bytes_max = 3 << 20, .idle_bytes_max = 1 << 20});
  Buffer small = pool.take(1);
  CHECK_EQ(small.bytes, BufferPool::kSmallestBytes);
  Buffer middle = pool.take(70000);
  CHECK_EQ(middle.bytes, 131072u);
  Buffer large = pool.take((2 << 20) + 1);
  CHECK_EQ(large.bytes, (2u << 20) + 4096);
  CHECK_EQ(pool.lent_bytes(), size_t{4096} + 131072 + (2 << 20) + 4096);
  CHECK(!pool.take(1 << 20));
  CHECK(!pool.take(SIZE_MAX));
  uint8_t* data = middle.data;
  middle.data[131071] = 1;
  pool.give_back(&middle);
  CHECK(middle.data == nullptr);
  CHECK_EQ(pool.idle_bytes(), 131072u);
  middle = pool.take(100000);
  CHECK(middle.data == data);
  CHECK_EQ(pool.idle_bytes(), 0u);
  pool.give_back(&large);
  CHECK_EQ(pool.idle_bytes(), 0u);
  pool.give_back(&middle);
  pool.give_back(&small);
  pool.trim();
  CHECK_EQ(pool.idle_bytes(), 0u);
  pool.warm(65536, 100);
  CHECK_EQ(pool.idle_bytes(), 1u << 20);
}

TEST("base: list: order is insertion's, and an element leaves in the middle of a walk") {
  Waiter a{1, {}}, b{2, {}}, c{3, {}}, d{4, {}};
  Waiters list;
  CHECK(list.empty());
  list.push_back(&a);
  list.push_back(&b);
  list.push_front(&c);
  list.insert_before(&b, &d);
  CHECK_EQ(order(&list), "3142");
  CHECK_EQ(list.front()->number, 3);
  CHECK_EQ(list.back()->number, 2);
  CHECK_EQ(list.next(&a)->number, 4);
  CHECK(list.next(&b) == nullptr);
  list.for_each([&](Waiter* waiter) {
    if (waiter->number == 1 || waiter->number == 3) list.remove(waiter);
  });
  CHECK_EQ(order(&list), "42");
  CHECK(!a.link.linked());
  CHECK(d.link.linked());
  d.link.unlink();
  CHECK(list.pop_front() == &b);
  CHECK(list.pop_front() == nullptr);
  list.push_back(&a);
}

RUN_TESTS()
