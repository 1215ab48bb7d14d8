// See plane_sim.h.
#include "plane_sim.h"

#include <algorithm>

namespace ottla {

namespace {

// A turn that makes another necessary, over and over at one moment, is a bug, not progress.
constexpr int kTurnsPerMoment = 100000;

}  // namespace

Status SimPlane::open(const ReactorOptions& options, Bell bell, uint64_t seed,
                      std::unique_ptr<SimPlane>* plane) {
  std::unique_ptr<SimPlane> opened(new SimPlane);
  opened->options_ = options;
  opened->options_.recovery_threads = 0;
  opened->options_.spin_us = 0;
  opened->world_ = std::make_unique<SimWorld>(seed);
  OTTLA_TRY(opened->world_->make_io()->make_directory(kDirectory));
  OTTLA_TRY(opened->restart(bell));
  *plane = std::move(opened);
  return Status::good();
}

Status SimPlane::restart(Bell bell) {
  if (plane_ != nullptr) plane_->close(0, true);  // nothing happens to one that was killed
  plane_.reset();
  if (world_->is_dead()) world_->restart();
  const Plane::MakeIo make_io = [this] { return world_->make_io(); };
  return Plane::open_with(make_io, make_io, options_, bell, false, &plane_);
}

void SimPlane::crash(SimDeath death) {
  world_->die(death);
  plane_->abandon();
}

bool SimPlane::settle() {
  bool happened = false;
  for (int turns = 0; turns < kTurnsPerMoment; turns += 1) {
    if (!plane_->turn_each()) return happened;
    happened = true;
  }
  OTTLA_ASSERT(false, "a moment has an end");
  return true;
}

void SimPlane::step(int64_t by_us) {
  const int64_t until = world_->now_us() + by_us;
  for (;;) {
    settle();
    const int64_t next = std::min(world_->next_event_us(), plane_->next_deadline_us());
    const int64_t now = world_->now_us();
    if (now >= until) return;
    if (next > until) {
      world_->advance_us(until - now);
      settle();
      return;
    }
    world_->advance_us(std::max<int64_t>(next - now, 1));
  }
}

}  // namespace ottla
