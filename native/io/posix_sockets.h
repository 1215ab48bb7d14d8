// Sockets by plain system calls: the half of Io that every backend on a real kernel shares. All of
// them are non-blocking, close-on-exec and TCP_NODELAY; no call raises SIGPIPE but send_file, whose
// caller masks it.
#pragma once

#include "io.h"

namespace ottla::posix {

// As the functions of Io with the same names.
Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
              Handle* listener, uint16_t* port);
Status accept(Handle listener, Handle* socket, SocketAddress* peer);
Status connect(const SocketAddress& to, Handle* socket);
Status connect_result(Handle socket);
Status receive(Handle socket, void* into, size_t bytes, size_t* got);
Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent);
Status send_file(Handle socket, Handle file, int64_t position, size_t bytes, size_t* sent);
Status set_buffers(Handle socket, int send_bytes, int receive_bytes);
void shutdown_write(Handle socket);

// Who is at the other end of an accepted socket, as accept() shows it.
Status peer_of(Handle socket, SocketAddress* peer);

}  // namespace ottla::posix
