// The backend that ships: level-triggered epoll, page-cache writes completed inline, sendfile.
#pragma once

#include <memory>

#include "io.h"

namespace ottla {

struct EpollOptions {
  // A disk on which one append took longer gets a writer thread until it is well again (writers.h);
  // 0: never. Above the 14 ms for which a busy machine may simply not run us.
  int64_t slow_write_us = 0;
  // What is written need not outlive the process: sync() and sync_directory() do nothing.
  bool is_volatile = false;
};

// Null when the process has no descriptor left. Any thread may make it; one thread then uses it.
std::unique_ptr<Io> make_epoll_io(const EpollOptions& options = {});

}  // namespace ottla
