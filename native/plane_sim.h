// A plane in a simulated world: the same reactors, requests, partitions and logs over io/sim, in
// virtual time and on one thread. Nothing happens but in step(): same seed and same calls, same
// bytes. Tests and the simulator drive it, and crash it.
#pragma once

#include <cstdint>
#include <memory>

#include "io/sim.h"
#include "plane.h"

namespace ottla {

class SimPlane {
 public:
  static constexpr char kDirectory[] = "/data";  // exists in every world

  static Status open(const ReactorOptions& options, Bell bell, uint64_t seed,
                     std::unique_ptr<SimPlane>* plane);

  SimWorld& world() { return *world_; }
  Plane& plane() { return *plane_; }

  // Runs everything that is due up to `by_us` from now; time stands there afterwards.
  void step(int64_t by_us);
  // The machine dies between two operations; what is left is what restart() finds.
  void crash(SimDeath death);
  Status restart(Bell bell);

 private:
  SimPlane() = default;
  bool settle();

  ReactorOptions options_;
  std::unique_ptr<SimWorld> world_;
  std::unique_ptr<Plane> plane_;
};

}  // namespace ottla
