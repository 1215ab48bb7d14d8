// base/quiescence.h: nothing is freed under a reader, everything is freed after it. Run under TSan
// too.
#include "../../native/base/quiescence.h"

#include <thread>
#include <vector>

#include "test.h"

using namespace ottla;

namespace {

std::atomic<int> alive{0};

struct Segments {
  explicit Segments(int64_t v) : first(v), last(v) { alive.fetch_add(1); }
  ~Segments() {
    first = -1;
    alive.fetch_sub(1);
  }
  int64_t first;
  int64_t padding[64] = {};
  int64_t last;
};

}  // namespace

TEST("base: quiescence: what an online reader may hold is not freed before it quiesces") {
  Quiescence quiescence;
  Published<Segments> published(std::make_unique<const Segments>(1));
  Limbo limbo(&quiescence);
  const int a = quiescence.register_reader(), b = quiescence.register_reader();
  quiescence.online(a);
  quiescence.online(b);
  const Segments* held = published.read();
  published.publish(std::make_unique<const Segments>(2), &limbo);
  CHECK_EQ(limbo.reclaim(), 0u);
  quiescence.quiesce(b);
  CHECK_EQ(limbo.reclaim(), 0u);
  CHECK_EQ(held->first, 1);
  quiescence.quiesce(a);
  CHECK_EQ(limbo.reclaim(), 1u);
  CHECK_EQ(published.read()->first, 2);
  published.publish(std::make_unique<const Segments>(3), &limbo);
  quiescence.quiesce(a);
  CHECK_EQ(limbo.reclaim(), 0u);
  quiescence.offline(b);
  CHECK_EQ(limbo.reclaim(), 1u);
  quiescence.online(b);
  CHECK_EQ(published.read()->first, 3);
  published.publish(std::make_unique<const Segments>(4), &limbo);
  CHECK_EQ(limbo.reclaim(), 0u);
  quiescence.unregister_reader(a);
  quiescence.unregister_reader(b);
  CHECK_EQ(limbo.reclaim(), 1u);
  CHECK_EQ(quiescence.register_reader(), a);
}

TEST("base: quiescence: limbo and published free what is left") {
  const int before = alive.load();
  {
    Quiescence quiescence;
    Published<Segments> published;
    Limbo limbo(&quiescence);
    CHECK(published.read() == nullptr);
    published.publish(std::make_unique<const Segments>(1), &limbo);
    CHECK_EQ(limbo.waiting(), 0u);
    published.publish(std::make_unique<const Segments>(2), &limbo);
    CHECK_EQ(limbo.waiting(), 1u);
  }
  CHECK_EQ(alive.load(), before);
}

TEST("base: quiescence: readers never see a freed snapshot while a writer replaces it") {
  const int before = alive.load();
  {
    Quiescence quiescence;
    Published<Segments> published(std::make_unique<const Segments>(0));
    std::atomic<bool> stop{false};
    std::atomic<int> torn{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 3; r += 1) {
      readers.emplace_back([&, r] {
        const int me = quiescence.register_reader();
        quiescence.online(me);
        int64_t newest = 0;
        for (int turn = 0; !stop.load(std::memory_order_relaxed); turn += 1) {
          const Segments* segments = published.read();
          if (segments->first != segments->last || segments->first < newest) torn.fetch_add(1);
          newest = segments->first;
          quiescence.quiesce(me);
          if (turn % (4 + r) == 0) {
            quiescence.offline(me);
            std::this_thread::yield();
            quiescence.online(me);
          }
        }
        quiescence.unregister_reader(me);
      });
    }
    {
      Limbo limbo(&quiescence);
      size_t freed = 0;
      for (int64_t version = 1; version <= 3000; version += 1) {
        published.publish(std::make_unique<const Segments>(version), &limbo);
        freed += limbo.reclaim();
        if (version % 8 == 0) std::this_thread::yield();
      }
      stop.store(true);
      for (std::thread& reader : readers) reader.join();
      CHECK(freed > 0);  // not only at the end
    }
    CHECK_EQ(torn.load(), 0);
  }
  CHECK_EQ(alive.load(), before);
}

RUN_TESTS()
