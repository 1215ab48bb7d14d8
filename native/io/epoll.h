// The backend that ships: level-triggered epoll, page-cache writes completed inline, sendfile.
#pragma once

#include <memory>

#include "io.h"

namespace ottla {

// Null when the process has no descriptor left. Any thread may make it; one thread then uses it.
std::unique_ptr<Io> make_epoll_io();

}  // namespace ottla
