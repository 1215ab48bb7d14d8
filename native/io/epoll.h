// The usual backend: level-triggered epoll, page-cache writes completed inline, sendfile.
#pragma once

#include <memory>

#include "posix_io.h"

namespace ottla {

using EpollOptions = PosixOptions;

// Null when the process has no descriptor left. Any thread may make it; one thread then uses it.
std::unique_ptr<Io> make_epoll_io(const EpollOptions& options = {});

}  // namespace ottla
