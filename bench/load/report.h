// The result of a run as one JSON object: what was asked, what was counted, the histograms, and the
// gates that decide whether the figures may be believed.
#pragma once

#include <cstdint>
#include <string>

#include "run.h"

namespace ottla::load {

// How the generator itself fared.
struct Health {
  double busy_share = 0;   // of the run, work and not waiting
  double cpu_seconds = 0;  // user and system, spinning included
  double wall_seconds = 0;
  double steal_share = 0;      // of the machine, by /proc/stat
  int64_t longest_gap_us = 0;  // between two looks at the clock
  bool clock_went_back = false;
  bool connection_lost = false;
  bool finished = false;  // all was acknowledged and read back before the drain's deadline
};

// Prints it; true when every gate holds.
bool report(const Run& run, const Health& health);

}  // namespace ottla::load
