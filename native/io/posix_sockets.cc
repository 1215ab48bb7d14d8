// See posix_sockets.h. Addresses are numeric: names are resolved above, where waiting is allowed.
#include "posix_sockets.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "posix_files.h"

namespace ottla::posix {

namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t bytes = 0;

  sockaddr* any() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Every interface, IPv4 through mapped addresses too.
Address every_interface(int family, uint16_t port) {
  Address address;
  if (family == AF_INET6) {
    sockaddr_in6 v6 = {};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_any;
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.bytes = sizeof v6;
  } else {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.bytes = sizeof v4;
  }
  return address;
}

// Numeric IPv4 or IPv6, a scope (fe80::1%eth0) allowed.
Status parse(const SocketAddress& from, Address* address) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(from.port);
  if (::getaddrinfo(from.host.c_str(), port.c_str(), &hints, &found) != 0) {
    return Status::fail(Code::kInvalid, "address");
  }
  std::memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
  address->bytes = found->ai_addrlen;
  ::freeaddrinfo(found);
  return Status::good();
}

void show(const Address& address, SocketAddress* into) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address.storage, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    into->port = ntohs(v4.sin_port);
  } else {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address.storage, sizeof v6);
    constexpr int kMappedBytes = 12;  // ::ffff:a.b.c.d
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + kMappedBytes, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
    into->port = ntohs(v6.sin6_port);
  }
  into->host = text;
}

bool set(int socket, int level, int option, int value) {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

int open_socket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

Status prepare_listener(int socket, Address* address, bool is_dual, int backlog,
                        const char* congestion_control, uint16_t* port) {
  if (!set(socket, SOL_SOCKET, SO_REUSEADDR, 1)) return failure("SO_REUSEADDR");
  if (address->family() == AF_INET6 && !set(socket, IPPROTO_IPV6, IPV6_V6ONLY, is_dual ? 0 : 1)) {
    return failure("IPV6_V6ONLY");
  }
  // Accepted sockets inherit these and the congestion control: not one call per connection.
  if (!set(socket, IPPROTO_TCP, TCP_NODELAY, 1)) return failure("TCP_NODELAY");
  if (!set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)) return failure("SO_KEEPALIVE");
  if (congestion_control != nullptr && congestion_control[0] != 0 &&
      ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, congestion_control,
                   static_cast<socklen_t>(std::strlen(congestion_control))) != 0) {
    return Status::fail(Code::kInvalid, "TCP_CONGESTION", errno);
  }
  if (::bind(socket, address->any(), address->bytes) != 0) return failure("bind");
  if (::listen(socket, backlog) != 0) return failure("listen");
  address->bytes = sizeof address->storage;
  if (::getsockname(socket, address->any(), &address->bytes) != 0) return failure("getsockname");
  SocketAddress bound;
  show(*address, &bound);
  *port = bound.port;
  return Status::good();
}

Status listen_on(Address address, bool is_dual, int backlog, const char* congestion_control,
                 Handle* listener, uint16_t* port) {
  const int socket = open_socket(address.family());
  if (socket < 0) return failure("socket");
  const Status status =
      prepare_listener(socket, &address, is_dual, backlog, congestion_control, port);
  if (!status.ok()) {
    ::close(socket);
    return status;
  }
  *listener = socket;
  return Status::good();
}

Status would_block_or(const char* where) {
  return errno == EWOULDBLOCK ? Status::fail(Code::kWouldBlock, where, errno) : failure(where);
}

}  // namespace

Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
              Handle* listener, uint16_t* port) {
  if (!at.host.empty()) {
    Address address;
    OTTLA_TRY(parse(at, &address));
    return listen_on(address, false, backlog, congestion_control, listener, port);
  }
  const Status dual = listen_on(every_interface(AF_INET6, at.port), true, backlog,
                                congestion_control, listener, port);
  // A kernel without IPv6: IPv4 alone is every interface there is.
  if (dual.error != EAFNOSUPPORT && dual.error != EADDRNOTAVAIL) return dual;
  return listen_on(every_interface(AF_INET, at.port), false, backlog, congestion_control, listener,
                   port);
}

Status accept(Handle listener, Handle* socket, SocketAddress* peer) {
  for (;;) {
    Address address;
    address.bytes = sizeof address.storage;
    const int accepted =
        ::accept4(listener, address.any(), &address.bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      *socket = accepted;
      show(address, peer);
      return Status::good();
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;  // gone before it was ours
    return would_block_or("accept");
  }
}

Status connect(const SocketAddress& to, Handle* socket) {
  Address address;
  OTTLA_TRY(parse(to, &address));
  const int opened = open_socket(address.family());
  if (opened < 0) return failure("socket");
  // Interrupted or in progress, it goes on by itself; writable tells.
  if (!set(opened, IPPROTO_TCP, TCP_NODELAY, 1) || !set(opened, SOL_SOCKET, SO_KEEPALIVE, 1) ||
      (::connect(opened, address.any(), address.bytes) != 0 && errno != EINPROGRESS &&
       errno != EINTR)) {
    const Status status = failure("connect");
    ::close(opened);
    return status;
  }
  *socket = opened;
  return Status::good();
}

Status connect_result(Handle socket) {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return failure("SO_ERROR");
  if (error != 0) return Status::fail(code_of(error), "connect", error);
  Address address;
  address.bytes = sizeof address.storage;
  if (::getpeername(socket, address.any(), &address.bytes) == 0) return Status::good();
  if (errno != ENOTCONN) return failure("getpeername");
  // Under way, or failed and already asked: SO_ERROR tells only once. A failed one is ready for
  // anything.
  pollfd state = {socket, POLLOUT, 0};
  const bool has_failed = ::poll(&state, 1, 0) == 1;
  return Status::fail(has_failed ? Code::kClosed : Code::kWouldBlock, "connect");
}

Status receive(Handle socket, void* into, size_t bytes, size_t* got) {
  *got = 0;
  for (;;) {
    const ssize_t result = ::recv(socket, into, bytes, 0);
    if (result > 0) {
      *got = static_cast<size_t>(result);
      return Status::good();
    }
    if (result == 0) return bytes == 0 ? Status::good() : Status::fail(Code::kClosed, "recv");
    if (errno != EINTR) return would_block_or("recv");
  }
}

Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) {
  *sent = 0;
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(iov);
  message.msg_iovlen = static_cast<size_t>(std::min(count, IOV_MAX));
  const int flags = MSG_NOSIGNAL | (more || count > IOV_MAX ? MSG_MORE : 0);
  for (;;) {
    const ssize_t result = ::sendmsg(socket, &message, flags);
    if (result >= 0) {
      *sent = static_cast<size_t>(result);
      return Status::good();
    }
    if (errno != EINTR) return would_block_or("sendmsg");
  }
}

Status send_file(Handle socket, Handle file, int64_t position, size_t bytes, size_t* sent) {
  *sent = 0;
  if (bytes == 0) return Status::good();
  off_t at = position;
  for (;;) {
    const ssize_t result = ::sendfile(socket, file, &at, bytes);
    if (result > 0) {
      *sent = static_cast<size_t>(result);
      return Status::good();
    }
    if (result == 0) return Status::fail(Code::kOutOfRange, "sendfile");
    if (errno != EINTR) return would_block_or("sendfile");
  }
}

Status set_buffers(Handle socket, int send_bytes, int receive_bytes) {
  if (send_bytes >= 0 && !set(socket, SOL_SOCKET, SO_SNDBUF, send_bytes)) {
    return failure("SO_SNDBUF");
  }
  if (receive_bytes >= 0 && !set(socket, SOL_SOCKET, SO_RCVBUF, receive_bytes)) {
    return failure("SO_RCVBUF");
  }
  return Status::good();
}

void shutdown_write(Handle socket) { (void)::shutdown(socket, SHUT_WR); }

Status peer_of(Handle socket, SocketAddress* peer) {
  Address address;
  address.bytes = sizeof address.storage;
  if (::getpeername(socket, address.any(), &address.bytes) != 0) return failure("getpeername");
  show(address, peer);
  return Status::good();
}

}  // namespace ottla::posix
