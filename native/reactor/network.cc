// A reactor's sockets: listening, accepting and dealing, dialling, and the table of connections.
// Kafka: SocketServer.Acceptor, ConnectionQuotas. Reactor 0 accepts and deals round-robin.
#include <algorithm>

#include "conn_id.h"
#include "reactor.h"

namespace ottla {

namespace {

constexpr int kBacklog = 1024;
constexpr int64_t kRetryUs = 1000;  // until starved connections are looked at again
constexpr int kAcceptsPerTurn = 64;
constexpr int64_t kAcceptPauseUs = 100 * 1000;  // out of descriptors: not a busy loop
constexpr int64_t kBacklogPauseUs = 1000;       // TypeScript is behind with its facts

// A connection on its way to another reactor.
struct Dealt {
  Handle socket;
  SocketAddress peer;
  int32_t listener;
  bool serves_data;
};

}  // namespace

Status Reactor::listen(int32_t number, const SocketAddress& at, bool serves_data, uint16_t* port) {
  auto listener = std::make_unique<Listener>();
  listener->is_listener = true;
  listener->number = number;
  listener->serves_data = serves_data;
  OTTLA_TRY(io_->listen(at, kBacklog, shared_->options.congestion_control.c_str(),
                        &listener->socket, port));
  const Status status =
      io_->watch(listener->socket, static_cast<Pollable*>(listener.get()), true, false);
  if (!status.ok()) {
    io_->close_socket(listener->socket);
    return status;
  }
  listeners_.push_back(std::move(listener));
  return Status::good();
}

void Reactor::unlisten(int32_t number) {
  for (auto& listener : listeners_) {
    if (listener->socket == kNoHandle || (number >= 0 && listener->number != number)) continue;
    accept_some(listener.get());  // whose connection the kernel has completed is connected
    io_->unwatch(listener->socket);
    io_->close_socket(listener->socket);
    listener->socket = kNoHandle;  // the object stays: an event of this turn may name it
  }
}

// Each new connection is two facts that cannot be refused. Those that nobody has time for wait in
// the kernel's queue, which is bounded.
void Reactor::accept_if_heard(Listener* listener) {
  if (listener->socket == kNoHandle) return;
  for (int reactor = 0; reactor < shared_->options.reactors; reactor += 1) {
    if (shared_->reactors[static_cast<size_t>(reactor)]->has_backlog()) {
      return pause_accepting(listener, kBacklogPauseUs);
    }
  }
  accept_some(listener);
}

void Reactor::pause_accepting(Listener* listener, int64_t for_us) {
  (void)io_->watch(listener->socket, static_cast<Pollable*>(listener), false, false);
  start_timer(now_us_ + for_us, on_accept_pause_over, listener);
}

void Reactor::accept_some(Listener* listener) {
  for (int i = 0; i < kAcceptsPerTurn && listener->socket != kNoHandle; i += 1) {
    Handle socket = kNoHandle;
    SocketAddress peer;
    Status status = io_->accept(listener->socket, &socket, &peer);
    if (status.code == Code::kBusy && shared_->files.give_way(*io_) > 0) {
      status = io_->accept(listener->socket, &socket, &peer);
    }
    if (status.code == Code::kWouldBlock) return;
    if (!status.ok()) {
      row_.add(counter::kConnectionsRefused, 1);
      return pause_accepting(listener, kAcceptPauseUs);
    }
    if (shared_->files.is_scarce(socket)) (void)shared_->files.give_way(*io_);
    deal(socket, std::move(peer), listener);
  }
}

void Reactor::on_accept_pause_over(void* object, PartitionHost& host) {
  auto* listener = static_cast<Listener*>(object);
  if (listener->socket == kNoHandle) return;
  (void)static_cast<Reactor&>(host).io_->watch(listener->socket, static_cast<Pollable*>(listener),
                                               true, false);
}

void Reactor::deal(Handle socket, SocketAddress peer, Listener* listener) {
  if (!shared_->limits.admit(peer.host)) {
    row_.add(counter::kConnectionsRefused, 1);
    return io_->close_socket(socket);
  }
  const uint32_t to = next_reactor_++ % static_cast<uint32_t>(shared_->options.reactors);
  if (to != static_cast<uint32_t>(index_)) {
    auto* dealt = new Dealt{socket, peer, listener->number, listener->serves_data};
    const Mail mail{[](void* object, Reactor& at) {
                      std::unique_ptr<Dealt> got(static_cast<Dealt*>(object));
                      at.adopt(got->socket, std::move(got->peer), got->listener, got->serves_data);
                    },
                    dealt};
    if (shared_->reactors[to]->mail(mail)) return;
    row_.add(counter::kMailboxFull, 1);
    delete dealt;
  }
  adopt(socket, std::move(peer), listener->number, listener->serves_data);
}

void Reactor::adopt(Handle socket, SocketAddress peer, int32_t listener, bool serves_data) {
  if (is_draining_ || (free_.empty() && places_.size() == kConnIndexMax)) {
    shared_->limits.leave(peer.host);
    row_.add(counter::kConnectionsRefused, 1);
    return io_->close_socket(socket);
  }
  const ReactorOptions& options = shared_->options;
  if (options.socket_send_bytes >= 0 || options.socket_receive_bytes >= 0) {
    // A size the kernel does not take is not a reason to refuse a client.
    (void)io_->set_buffers(socket, options.socket_send_bytes, options.socket_receive_bytes);
  }
  uint32_t index = static_cast<uint32_t>(places_.size());
  if (free_.empty()) {
    places_.emplace_back();
  } else {
    index = free_.front();
    free_.pop_front();
  }
  Place& place = places_[index];
  place.conn = std::make_unique<Conn>(&blocks_);
  const uint64_t id = accepted_id(index_, index, place.generation);
  if (!place.conn->accepted(*this, id, socket, peer, listener, serves_data)) {
    place.conn.reset();
    free_.push_back(index);
    shared_->limits.leave(peer.host);
    row_.add(counter::kConnectionsRefused, 1);
    return io_->close_socket(socket);
  }
  open_ += 1;
  row_.add(counter::kConnectionsAccepted, 1);
  row_.set(counter::kConnectionsOpen, static_cast<double>(open_));
}

void Reactor::dial(uint64_t id, const SocketAddress& to) {
  Handle socket = kNoHandle;
  const Status status =
      is_draining_ ? Status::fail(Code::kClosed, "closing") : io_->connect(to, &socket);
  Conn* conn = (dialled_[id] = std::make_unique<Conn>(&blocks_)).get();
  conn->dialled(*this, id, status.ok() ? socket : kNoHandle, status.error);
}

Conn* Reactor::find_any(uint64_t id) {
  if (is_dialled(id)) {
    auto found = dialled_.find(id);
    return found == dialled_.end() ? nullptr : found->second.get();
  }
  const uint32_t index = index_of(id);
  if (index >= places_.size() || reactor_of(id) != index_) return nullptr;
  const Place& place = places_[index];
  return place.generation == generation_of(id) ? place.conn.get() : nullptr;
}

Conn* Reactor::find(uint64_t id) {
  Conn* conn = find_any(id);
  return conn == nullptr || conn->is_gone() ? nullptr : conn;
}

template <typename Body>
void Reactor::for_each_connection(Body body) {
  for (Place& place : places_) {
    if (place.conn != nullptr && !place.conn->is_gone()) body(place.conn.get());
  }
  std::vector<Conn*> dialled;
  for (auto& [id, conn] : dialled_) dialled.push_back(conn.get());
  std::sort(dialled.begin(), dialled.end(),
            [](const Conn* a, const Conn* b) { return a->id() < b->id(); });
  for (Conn* conn : dialled) {
    if (!conn->is_gone()) body(conn);
  }
}

void Reactor::drain_connections() {
  is_draining_ = true;
  for_each_connection([this](Conn* conn) { conn->drain(*this); });
}

void Reactor::close_connections(DisconnectReason reason) {
  is_draining_ = true;
  for_each_connection([this, reason](Conn* conn) { conn->close(*this, reason); });
}

size_t Reactor::connections_open() {
  size_t count = 0;
  for_each_connection([&count](Conn*) { count += 1; });
  return count;
}

void Reactor::closed(Conn* conn) {
  graves_.push_back(conn->id());
  if (!conn->is_accepted()) return;
  open_ -= 1;
  row_.set(counter::kConnectionsOpen, static_cast<double>(open_));
  shared_->limits.leave(conn->peer_host());
}

// Frees what is gone, once no request holds a frame of it.
void Reactor::bury() {
  size_t kept = 0;
  for (size_t i = 0; i < graves_.size(); i += 1) {
    const uint64_t id = graves_[i];
    Conn* conn = find_any(id);
    OTTLA_ASSERT(conn != nullptr, "a grave is dug once");
    if (!conn->can_be_freed() || conn->is_dirty) {
      graves_[kept++] = id;
    } else if (is_dialled(id)) {
      dialled_.erase(id);
    } else {
      Place& place = places_[index_of(id)];
      place.conn.reset();
      place.generation = place.generation + 1 == kConnGenerationMax ? 1 : place.generation + 1;
      free_.push_back(index_of(id));
    }
  }
  graves_.resize(kept);
}

void Reactor::mark_dirty(Conn* conn) {
  if (conn->is_dirty) return;
  conn->is_dirty = true;
  dirty_.push_back(conn);
}

void Reactor::flush_connections() {
  flushing_.swap(dirty_);
  for (Conn* conn : flushing_) {
    conn->is_dirty = false;
    conn->flush(*this);
  }
  flushing_.clear();
}

void Reactor::mark_starved(Conn* conn) {
  starved_.push_back(conn->id());
  if (is_retrying_) return;
  is_retrying_ = true;
  start_timer(now_us_ + kRetryUs, on_starved_retry, this);
}

void Reactor::on_starved_retry(void* object, PartitionHost&) {
  auto* reactor = static_cast<Reactor*>(object);
  reactor->is_retrying_ = false;
  auto& starved = reactor->starved_;
  for (const uint64_t id : starved) {
    if (Conn* conn = reactor->find(id)) conn->unstarve();
  }
  reactor->resumable_.insert(reactor->resumable_.end(), starved.begin(), starved.end());
  starved.clear();
}

void Reactor::resume_connections() {
  resuming_.clear();
  resuming_.swap(resumable_);
  for (const uint64_t id : resuming_) {
    if (Conn* conn = find(id)) conn->resume(*this);
  }
}

}  // namespace ottla
