// The addon: the verbs of src/plane/plane.ts as plain functions, in its order. Converts, checks
// every argument (TypeError says which one and what it must be) and calls Plane; decides nothing.
// The only file that knows Node exists.
//
// A plane is named by a small integer of this environment, so no object is wrapped and a stale or
// invented handle is a TypeError. Memory that JavaScript sees (rings, tables) is shared with the
// plane by reference count: it outlives whichever of the two goes first.
#include <napi.h>
#include <poll.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/compress.h"
#include "io/epoll.h"
#include "io/posix_files.h"
#include "log/files.h"
#include "plane.h"
#include "plane_sim.h"
#include "reactor/conn_id.h"

namespace ottla {
namespace {

constexpr double kSafeMax = 9007199254740991.0;
constexpr double kInt32Max = std::numeric_limits<int32_t>::max();
constexpr double kInt32Min = std::numeric_limits<int32_t>::min();

// One plane of this environment, and how its reactors ring for JavaScript.
struct Door {
  std::unique_ptr<Plane> real;
  std::unique_ptr<SimPlane> sim;
  napi_threadsafe_function bell = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;

  Plane& plane() { return real != nullptr ? *real : sim->plane(); }
  void stop() {
    real.reset();
    sim.reset();
  }
};

// Of one environment (the main thread or a worker).
struct Instance {
  Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    for (const Handle file : locks) (void)io->close(file);
  }

  std::map<int32_t, std::unique_ptr<Door>> doors;
  std::unique_ptr<Io> io;  // for locks
  std::set<Handle> locks;
  Codecs codecs;  // for clients in this process; reactors have their own
  int32_t next = 1;
};

// --- arguments

// Reads arguments in order of need; the first that is wrong throws, and then every read answers
// with a default, so a verb looks once at the end.
class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* verb)
      : info_(info), env_(info.Env()), verb_(verb) {}

  bool ok() const { return ok_; }

  Door* door() {
    auto* instance = env_.GetInstanceData<Instance>();
    const double id = number(0, "plane");
    auto found = instance->doors.find(static_cast<int32_t>(id));
    if (found == instance->doors.end() || (!found->second->real && !found->second->sim)) {
      fail("plane", "an open plane");
      return nullptr;
    }
    return found->second.get();
  }

  double number(size_t i, const char* name) {
    if (!info_[i].IsNumber()) return fail(name, "a number"), 0;
    return checked(info_[i].As<Napi::Number>().DoubleValue(), name, -kSafeMax, kSafeMax);
  }
  int32_t int32(size_t i, const char* name) { return range(i, name, kInt32Min, kInt32Max); }
  int32_t slot(size_t i) { return range(i, "slot", 0, SlotTable::kSlotsMax - 1); }
  int32_t range(size_t i, const char* name, double least, double most) {
    if (!info_[i].IsNumber()) return fail(name, "a number"), 0;
    return static_cast<int32_t>(
        checked(info_[i].As<Napi::Number>().DoubleValue(), name, least, most));
  }
  int64_t int64(size_t i, const char* name) { return static_cast<int64_t>(number(i, name)); }
  uint64_t conn(size_t i) {
    if (!info_[i].IsNumber()) return fail("conn", "a number"), 0;
    return static_cast<uint64_t>(
        checked(info_[i].As<Napi::Number>().DoubleValue(), "conn", 0, kSafeMax));
  }
  bool boolean(size_t i, const char* name) {
    if (!info_[i].IsBoolean()) return fail(name, "a boolean"), false;
    return info_[i].As<Napi::Boolean>().Value();
  }
  std::string text(size_t i, const char* name) {
    if (!info_[i].IsString()) return fail(name, "a string"), "";
    return info_[i].As<Napi::String>().Utf8Value();
  }
  Bytes bytes(size_t i, const char* name) {
    if (!info_[i].IsTypedArray() ||
        info_[i].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      return fail(name, "a Uint8Array"), Bytes();
    }
    const auto array = info_[i].As<Napi::Uint8Array>();
    if (array.ByteLength() > static_cast<size_t>(kInt32Max)) {
      return fail(name, "at most 2 GiB"), Bytes();
    }
    return {array.Data(), array.ByteLength()};
  }
  std::vector<int32_t> int32s(size_t i, const char* name) {
    if (!info_[i].IsTypedArray() ||
        info_[i].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
      return fail(name, "an Int32Array"), std::vector<int32_t>();
    }
    const auto array = info_[i].As<Napi::Int32Array>();
    return {array.Data(), array.Data() + array.ElementLength()};
  }
  Napi::Object object(size_t i, const char* name) {
    if (!info_[i].IsObject()) return fail(name, "an object"), Napi::Object::New(env_);
    return info_[i].As<Napi::Object>();
  }

  // Fields of an object; a missing one is an error unless a default is given.
  double field(const Napi::Object& from, const char* name, double least, double most,
               const double* missing = nullptr) {
    const Napi::Value value = from.Get(name);
    if (missing != nullptr && value.IsUndefined()) return *missing;
    if (!value.IsNumber()) return fail(name, "a number"), least;
    return checked(value.As<Napi::Number>().DoubleValue(), name, least, most);
  }
  double field_or(const Napi::Object& from, const char* name, double least, double most,
                  double missing) {
    return field(from, name, least, most, &missing);
  }
  bool flag(const Napi::Object& from, const char* name) {
    const Napi::Value value = from.Get(name);
    if (!value.IsBoolean()) return fail(name, "a boolean"), false;
    return value.As<Napi::Boolean>().Value();
  }
  std::string text_field(const Napi::Object& from, const char* name,
                         const char* missing = nullptr) {
    const Napi::Value value = from.Get(name);
    if (missing != nullptr && value.IsUndefined()) return missing;
    if (!value.IsString()) return fail(name, "a string"), "";
    return value.As<Napi::String>().Utf8Value();
  }

  void fail(const char* name, const std::string& wanted) {
    if (!std::exchange(ok_, false)) return;
    Napi::TypeError::New(env_, std::string(verb_) + ": " + name + " must be " + wanted)
        .ThrowAsJavaScriptException();
  }

 private:
  double checked(double value, const char* name, double least, double most) {
    if (std::isfinite(value) && std::trunc(value) == value && value >= least && value <= most) {
      return value;
    }
    char wanted[96];
    std::snprintf(wanted, sizeof wanted, "an integer from %.0f to %.0f", least, most);
    fail(name, wanted);
    return least;
  }

  const Napi::CallbackInfo& info_;
  Napi::Env env_;
  const char* const verb_;
  bool ok_ = true;
};

// --- codecs

// What came out, or the reason why nothing did.
Napi::Value recoded(Napi::Env env, const Status& status, const std::vector<uint8_t>& out) {
  if (!status.ok()) return Napi::Number::New(env, static_cast<int>(status.code));
  return Napi::Buffer<uint8_t>::Copy(env, out.data(), out.size());
}

// compress(codec, bytes) → bytes, at Kafka's default level of the codec; or a Code
Napi::Value compress(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "compress");
  const auto codec = static_cast<Codec>(arguments.range(0, "codec", 0, kCodecMax));
  const Bytes bytes = arguments.bytes(1, "bytes");
  if (!arguments.ok()) return info.Env().Undefined();
  std::vector<uint8_t> out;
  Codecs& codecs = info.Env().GetInstanceData<Instance>()->codecs;
  const Status status = codecs.compress(codec, kDefaultLevel, bytes, &out);
  return recoded(info.Env(), status, out);
}

// decompress(codec, bytes, outBytesMax) → bytes, or a Code: too large, or not what the codec writes
Napi::Value decompress(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "decompress");
  const auto codec = static_cast<Codec>(arguments.range(0, "codec", 0, kCodecMax));
  const Bytes bytes = arguments.bytes(1, "bytes");
  const int32_t out_bytes_max = arguments.range(2, "outBytesMax", 0, 1 << 30);
  if (!arguments.ok()) return info.Env().Undefined();
  std::vector<uint8_t> out;
  Codecs& codecs = info.Env().GetInstanceData<Instance>()->codecs;
  const Status status = codecs.decompress(codec, bytes, static_cast<size_t>(out_bytes_max), &out);
  return recoded(info.Env(), status, out);
}

// --- standard output

// isAbandoned(descriptor) → whether nobody reads the pipe any more; JavaScript finds out by writing
Napi::Value is_abandoned(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "isAbandoned");
  const int32_t descriptor = arguments.range(0, "descriptor", 0, kInt32Max);
  if (!arguments.ok()) return info.Env().Undefined();
  pollfd asked{descriptor, 0, 0};
  const bool is_told = ::poll(&asked, 1, 0) == 1;
  return Napi::Boolean::New(info.Env(), is_told && (asked.revents & (POLLERR | POLLHUP)) != 0);
}

// --- shared memory

Napi::Value shared_buffer(Napi::Env env, std::shared_ptr<void> memory, size_t bytes) {
  auto* holder = new std::shared_ptr<void>(std::move(memory));
  return Napi::ArrayBuffer::New(
      env, holder->get(), bytes, [](Napi::Env, void*, std::shared_ptr<void>* gone) { delete gone; },
      holder);
}

// --- process

void ring_bell(void* context) {
  // Carries nothing; fails only when the environment is going away, and then nobody listens.
  (void)napi_call_threadsafe_function(static_cast<Door*>(context)->bell, nullptr,
                                      napi_tsfn_nonblocking);
}

// The environment ends, perhaps under load: threads first, then memory.
void on_environment_end(napi_async_cleanup_hook_handle handle, void* context) {
  auto* door = static_cast<Door*>(context);
  door->stop();
  door->hook = nullptr;
  (void)napi_remove_async_cleanup_hook(handle);
}

int default_reactors() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores < 5 ? 1 : static_cast<int>(std::min(8u, (cores + 3) / 4));
}

// A quarter of the descriptors is left to everybody else, an eighth in any case.
void set_files_max(size_t asked, bool is_simulated, ReactorOptions* options) {
  constexpr size_t kOpenFilesMax = 32768;
  if (asked > 0) options->files_open_max = asked;
  const size_t descriptors = is_simulated ? 0 : posix::descriptors_max();
  if (descriptors == 0) return;
  if (asked == 0) options->files_open_max = std::min(descriptors / 4 * 3, kOpenFilesMax);
  options->descriptors_scarce_from = static_cast<Handle>(descriptors - descriptors / 8);
}

ReactorOptions read_options(Arguments& arguments, const Napi::Object& from) {
  ReactorOptions options;
  auto number = [&](const char* name, double least, double most, double missing) {
    return arguments.field_or(from, name, least, most, missing);
  };
  const auto reactors = static_cast<int>(number("reactors", 0, 32, 0));
  options.reactors = reactors == 0 ? default_reactors() : reactors;
  options.directories = static_cast<int>(number("directories", 1, kInt32Max, 1));
  options.node_id = static_cast<int32_t>(arguments.field(from, "nodeId", 0, kInt32Max));
  options.request_bytes_max =
      static_cast<int64_t>(number("requestBytesMax", 8, kInt32Max - 16, 100 << 20));
  options.connections_max = static_cast<int64_t>(number("connectionsMax", 0, kSafeMax, kInt32Max));
  options.connections_per_ip_max =
      static_cast<int64_t>(number("connectionsPerIpMax", 0, kSafeMax, kInt32Max));
  const double idle_ms = number("connectionsMaxIdleMs", -1, kSafeMax / 1000, 600000);
  options.connections_max_idle_us = idle_ms < 0 ? -1 : static_cast<int64_t>(idle_ms) * 1000;
  options.fetch_bytes_max = static_cast<int32_t>(number("fetchBytesMax", 0, kInt32Max, 55 << 20));
  options.fetch_sessions_max = static_cast<int32_t>(number("fetchSessionsMax", 0, kInt32Max, 1000));
  options.congestion_control = arguments.text_field(from, "congestionControl", "");
  options.socket_send_bytes = static_cast<int>(number("socketSendBytes", -1, kInt32Max, -1));
  options.socket_receive_bytes = static_cast<int>(number("socketReceiveBytes", -1, kInt32Max, -1));
  options.producer_id_expiration_ms =
      static_cast<int64_t>(number("producerIdExpirationMs", 1, kSafeMax, 86400000));
  options.producer_id_expiration_check_ms =
      static_cast<int64_t>(number("producerIdExpirationCheckMs", 1, kSafeMax, 60000));
  options.flush_check_ms = static_cast<int64_t>(number("flushCheckMs", 1, kSafeMax / 1000, 0));
  options.recovery_threads = static_cast<int>(number("recoveryThreads", 1, 64, 2));
  const std::string validation = arguments.text_field(from, "produceValidation", "header");
  if (validation != "header" && validation != "full") {
    arguments.fail("produceValidation", "'header' or 'full'");
  }
  options.validates_fully = validation == "full";
  const std::string verdicts = arguments.text_field(from, "verdicts", "allow");
  if (verdicts != "allow" && verdicts != "ask") arguments.fail("verdicts", "'allow' or 'ask'");
  options.asks_verdicts = verdicts == "ask";
  const std::string transport = arguments.text_field(from, "transport", "plain");
  if (transport != "plain" && transport != "copy") arguments.fail("transport", "'plain' or 'copy'");
  options.copies_files = transport == "copy";
  const std::string backend = arguments.text_field(from, "ioBackend", "epoll");
  if (backend != "epoll" && backend != "io_uring") {
    arguments.fail("ioBackend", "'epoll' or 'io_uring'");
  }
  options.uses_io_uring = backend == "io_uring";
  set_files_max(static_cast<size_t>(number("openFilesMax", 0, kInt32Max, 0)),
                from.Has("simulation"), &options);
  // Not where it would take the only core from who is waited for.
  const auto spin_us = static_cast<int64_t>(number("spinUs", 0, 1000, 0));
  options.spin_us = std::thread::hardware_concurrency() > 1 ? spin_us : 0;
  const std::string syncs = arguments.text_field(from, "syncs", "disk");
  if (syncs != "disk" && syncs != "never") arguments.fail("syncs", "'disk' or 'never'");
  options.is_volatile = syncs == "never";
  return options;
}

int errno_of(const Status& status) { return status.error > 0 ? status.error : EIO; }

// open(options, doorbell) → plane, or -errno
Napi::Value open(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "open");
  const Napi::Object from = arguments.object(0, "options");
  const ReactorOptions options = read_options(arguments, from);
  const Napi::Value simulation = from.Get("simulation");
  double seed = -1;
  if (!simulation.IsUndefined()) {
    seed = simulation.IsObject()
               ? arguments.field(simulation.As<Napi::Object>(), "seed", 0, kSafeMax)
               : (arguments.fail("simulation", "an object with a seed"), 0);
  }
  if (!info[1].IsFunction()) arguments.fail("doorbell", "a function");
  if (!arguments.ok()) return info.Env().Undefined();

  Napi::Env env = info.Env();
  auto* instance = env.GetInstanceData<Instance>();
  auto door = std::make_unique<Door>();
  if (napi_create_threadsafe_function(env, info[1], nullptr, Napi::String::New(env, "ottla"), 0, 1,
                                      nullptr, nullptr, nullptr, nullptr, &door->bell) != napi_ok) {
    return Napi::Number::New(env, -ENOMEM);
  }
  // The doorbell alone keeps no process alive: who embeds a broker decides how long it lives.
  (void)napi_unref_threadsafe_function(env, door->bell);
  const Bell bell{ring_bell, door.get()};
  const Status status =
      seed < 0 ? Plane::open(options, bell, &door->real)
               : SimPlane::open(options, bell, static_cast<uint64_t>(seed), &door->sim);
  if (!status.ok()) {
    (void)napi_release_threadsafe_function(door->bell, napi_tsfn_abort);
    return Napi::Number::New(env, -errno_of(status));
  }
  (void)napi_add_async_cleanup_hook(env, on_environment_end, door.get(), &door->hook);
  const int32_t id = instance->next++;
  instance->doors[id] = std::move(door);
  return Napi::Number::New(env, id);
}

// rings(plane) → [{ buffer, facts, slabBytes }] by reactor
Napi::Value rings(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "rings");
  Door* door = arguments.door();
  if (!arguments.ok()) return info.Env().Undefined();
  Napi::Array all = Napi::Array::New(info.Env());
  for (int reactor = 0; reactor < door->plane().reactors(); reactor += 1) {
    FactRing& ring = door->plane().ring(reactor);
    Napi::Object one = Napi::Object::New(info.Env());
    one.Set("buffer", shared_buffer(info.Env(), ring.memory(), ring.memory_bytes()));
    one.Set("facts", Napi::Number::New(info.Env(), ring.options().facts));
    one.Set("slabBytes", Napi::Number::New(info.Env(), ring.options().slab_bytes));
    all.Set(static_cast<uint32_t>(reactor), one);
  }
  return all;
}

// takeBody(plane, reactor, id) → Uint8Array: the body of a fact flagged largeBody
Napi::Value take_body(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "takeBody");
  Door* door = arguments.door();
  const int32_t reactor = arguments.range(1, "reactor", 0, kReactorsMax - 1);
  const double id = arguments.number(2, "id");
  if (!arguments.ok()) return info.Env().Undefined();
  std::vector<uint8_t> body;
  if (reactor >= door->plane().reactors() || id < 0 || id > 4294967295.0 ||
      !door->plane().ring(reactor).take_body(static_cast<uint32_t>(id), &body)) {
    arguments.fail("id", "the id of a large body");
    return info.Env().Undefined();
  }
  return Napi::Buffer<uint8_t>::Copy(info.Env(), body.data(), body.size());
}

// close(plane, graceMs, isClean)
void close(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "close");
  Door* door = arguments.door();
  const int64_t grace_ms = arguments.int64(1, "graceMs");
  const bool is_clean = arguments.boolean(2, "isClean");
  if (!arguments.ok()) return;
  // Until it is closed the process stays.
  (void)napi_ref_threadsafe_function(info.Env(), door->bell);
  door->plane().close(std::max<int64_t>(grace_ms, 0), is_clean);
}

// isClosed(plane) → boolean
Napi::Value is_closed(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "isClosed");
  Door* door = arguments.door();
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), door->plane().is_closed());
}

// join(plane): stops and joins every thread; the handle is no more
void join(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "join");
  Door* door = arguments.door();
  if (!arguments.ok()) return;
  door->stop();
  (void)napi_remove_async_cleanup_hook(door->hook);
  (void)napi_release_threadsafe_function(door->bell, napi_tsfn_abort);
  info.Env().GetInstanceData<Instance>()->doors.erase(info[0].As<Napi::Number>().Int32Value());
}

// lockDirectory(path) → descriptor, or -errno (-EAGAIN: somebody has it)
Napi::Value lock_directory(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "lockDirectory");
  const std::string path = arguments.text(0, "path");
  if (!arguments.ok()) return info.Env().Undefined();
  auto* instance = info.Env().GetInstanceData<Instance>();
  if (instance->io == nullptr) instance->io = make_epoll_io();
  if (instance->io == nullptr) return Napi::Number::New(info.Env(), -EMFILE);
  Handle file = kNoHandle;
  const Status status = instance->io->lock_file(path + "/.lock", &file);
  if (status.ok()) instance->locks.insert(file);
  if (status.ok()) return Napi::Number::New(info.Env(), file);
  return Napi::Number::New(info.Env(), status.code == Code::kBusy ? -EAGAIN : -errno_of(status));
}

// unlockDirectory(descriptor)
void unlock_directory(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "unlockDirectory");
  const int32_t file = arguments.range(0, "descriptor", 0, kInt32Max);
  auto* instance = info.Env().GetInstanceData<Instance>();
  if (instance->locks.erase(file) == 0) return arguments.fail("descriptor", "a lock that is held");
  (void)instance->io->close(file);
}

// --- network

// listen(plane, listener, host, port, data) → port, or -errno
Napi::Value listen(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "listen");
  Door* door = arguments.door();
  const int32_t listener = arguments.range(1, "listener", 0, kInt32Max);
  SocketAddress at{arguments.text(2, "host"), 0};
  at.port = static_cast<uint16_t>(arguments.range(3, "port", 0, 65535));
  const bool serves_data = arguments.boolean(4, "data");
  if (!arguments.ok()) return info.Env().Undefined();
  uint16_t port = 0;
  const Status status = door->plane().listen(listener, at, serves_data, &port);
  if (status.ok()) return Napi::Number::New(info.Env(), port);
  const bool is_named = status.error == 0 && status.code == Code::kInvalid;
  return Napi::Number::New(info.Env(), is_named ? -EINVAL : -errno_of(status));
}

void unlisten(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "unlisten");
  Door* door = arguments.door();
  const int32_t listener = arguments.range(1, "listener", 0, kInt32Max);
  if (arguments.ok()) door->plane().unlisten(listener);
}

// dial(plane, host, port) → conn
Napi::Value dial(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "dial");
  Door* door = arguments.door();
  SocketAddress to{arguments.text(1, "host"), 0};
  to.port = static_cast<uint16_t>(arguments.range(2, "port", 1, 65535));
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(door->plane().dial(to)));
}

void send(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "send");
  Door* door = arguments.door();
  const uint64_t conn = arguments.conn(1);
  const Bytes frame = arguments.bytes(2, "frame");
  if (arguments.ok()) door->plane().send(conn, frame);
}

// reply(plane, conn, requestId, frame | null)
void reply(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "reply");
  Door* door = arguments.door();
  const uint64_t conn = arguments.conn(1);
  const double request = arguments.number(2, "requestId");
  const bool owes = !info[3].IsNull();
  const Bytes frame = owes ? arguments.bytes(3, "frame") : Bytes();
  if (request < 0 || request > 4294967295.0) arguments.fail("requestId", "a request's id");
  if (!arguments.ok()) return;
  door->plane().reply(conn, static_cast<uint32_t>(request), owes ? &frame : nullptr);
}

void hangup(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "hangup");
  Door* door = arguments.door();
  const uint64_t conn = arguments.conn(1);
  if (arguments.ok()) door->plane().hangup(conn);
}

void mute(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "mute");
  Door* door = arguments.door();
  const uint64_t conn = arguments.conn(1);
  const int32_t ms = arguments.range(2, "ms", 0, kInt32Max);
  if (arguments.ok()) door->plane().mute(conn, ms);
}

void identify(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "identify");
  Door* door = arguments.door();
  const uint64_t conn = arguments.conn(1);
  const int32_t principal = arguments.range(2, "principal", 0, kInt32Max);
  if (arguments.ok()) door->plane().identify(conn, principal);
}

// --- partitions

PartitionConfig read_config(Arguments& arguments, const Napi::Object& from) {
  PartitionConfig config;
  auto number = [&](const char* name, double least) {
    return static_cast<int64_t>(arguments.field(from, name, least, kSafeMax));
  };
  auto endless = [&](const char* name) {  // the largest safe number says never
    const int64_t value = number(name, 0);
    return value == static_cast<int64_t>(kSafeMax) ? INT64_MAX : value;
  };
  config.log.segment_bytes_max = number("segmentBytesMax", 1);
  config.log.segment_ms = number("segmentMs", 1);
  if (from.Has("segmentJitterMs")) config.log.segment_jitter_ms = number("segmentJitterMs", 0);
  config.log.segment_index_bytes_max = number("segmentIndexBytesMax", 4);
  config.log.index_interval_bytes = number("indexIntervalBytes", 0);
  config.log.preallocate = arguments.flag(from, "preallocate");
  if (from.Has("preallocateBytesMax")) {
    config.log.preallocate_bytes_max = number("preallocateBytesMax", 0);
  }
  config.message_bytes_max = number("messageBytesMax", 0);
  config.min_insync_replicas =
      static_cast<int32_t>(arguments.field(from, "minInsyncReplicas", 1, kInt32Max));
  config.is_compacted = arguments.flag(from, "compacted");
  config.is_log_append_time = arguments.flag(from, "isLogAppendTime");
  config.timestamp_before_max_ms = endless("timestampBeforeMsMax");
  config.timestamp_after_max_ms = endless("timestampAfterMsMax");
  config.flush_messages = endless("flushMessages");
  config.flush_ms = endless("flushMs");
  if (from.Has("producerIdExpirationMs")) {
    config.producer_expiration_ms = endless("producerIdExpirationMs");
  }
  if (from.Has("fileDeleteDelayMs")) {
    config.file_delete_delay_ms = number("fileDeleteDelayMs", 0);
  }
  if (from.Has("recompressTo")) {
    config.recompression.is_wanted = true;
    config.recompression.codec =
        static_cast<Codec>(arguments.field(from, "recompressTo", 0, kCodecMax));
  }
  if (from.Has("recompressLevel")) {
    config.recompression.level =
        static_cast<int>(arguments.field(from, "recompressLevel", -131072, 22));
  }
  if (from.Has("directoryDeleteDelayMs")) {
    config.directory_delete_delay_ms = number("directoryDeleteDelayMs", 0);
  }
  return config;
}

// create(plane, options, ticket) → '' or the code of a PlaneError
Napi::Value create(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "create");
  Door* door = arguments.door();
  const Napi::Object from = arguments.object(1, "options");
  const double ticket = arguments.number(2, "ticket");
  PartitionOptions options;
  options.slot = static_cast<int32_t>(arguments.field(from, "slot", 0, SlotTable::kSlotsMax - 1));
  options.incarnation = static_cast<int64_t>(arguments.field(from, "incarnation", 0, kSafeMax));
  options.log_directory = arguments.text_field(from, "directory");
  options.name = arguments.text_field(from, "name", "");
  options.topic = arguments.text_field(from, "topic");
  const std::string topic_id = arguments.text_field(from, "topicId");
  options.index = static_cast<int32_t>(arguments.field(from, "partition", 0, kInt32Max));
  const Napi::Value config = from.Get("config");
  if (config.IsObject()) {
    options.config = read_config(arguments, config.As<Napi::Object>());
  } else {
    arguments.fail("config", "an object");
  }
  options.is_clean_shutdown = arguments.flag(from, "isCleanShutdown");
  auto offset = [&](const char* name) {
    return static_cast<int64_t>(arguments.field(from, name, -1, kSafeMax));
  };
  options.recovery_point = offset("recoveryPoint");
  options.log_start_offset = offset("logStartOffset");
  options.high_watermark = offset("highWatermark");
  options.is_watched = arguments.flag(from, "isWatched");
  options.is_raft = arguments.flag(from, "isRaft");
  if (!parse_uuid(topic_id, options.topic_id.data())) {
    arguments.fail("topicId", "22 characters of base64url");
  }
  if (options.log_directory.empty() || options.log_directory[0] != '/') {
    arguments.fail("directory", "an absolute path");
  }
  if (!arguments.ok()) return info.Env().Undefined();
  const Status status = door->plane().create(std::move(options), ticket);
  const char* code = status.ok() ? "" : status.code == Code::kExists ? "SLOT_IN_USE" : "EINVAL";
  return Napi::String::New(info.Env(), code);
}

// lead(plane, slot, leaderEpoch, partitionEpoch, replicas, isr)
void lead(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "lead");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const int32_t partition_epoch = arguments.int32(3, "partitionEpoch");
  std::vector<int32_t> replicas = arguments.int32s(4, "replicas");
  std::vector<int32_t> isr = arguments.int32s(5, "isr");
  if (!arguments.ok()) return;
  door->plane().lead(slot, leader_epoch, partition_epoch, std::move(replicas), std::move(isr));
}

void follow(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "follow");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const int32_t leader_id = arguments.int32(3, "leaderId");
  if (arguments.ok()) door->plane().follow(slot, leader_epoch, leader_id);
}

void isr(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "isr");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const int32_t partition_epoch = arguments.int32(3, "partitionEpoch");
  std::vector<int32_t> isr = arguments.int32s(4, "isr");
  if (arguments.ok()) door->plane().isr(slot, leader_epoch, partition_epoch, std::move(isr));
}

void configure(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "configure");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const PartitionConfig config = read_config(arguments, arguments.object(2, "config"));
  if (arguments.ok()) door->plane().configure(slot, config);
}

void trim(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "trim");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int64_t log_start_offset = arguments.int64(2, "logStartOffset");
  const double ticket = arguments.number(3, "ticket");
  if (arguments.ok()) door->plane().trim(slot, log_start_offset, ticket);
}

void cleanable(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "cleanable");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int64_t first_dirty_offset = arguments.int64(2, "firstDirtyOffset");
  const int64_t min_lag_ms = arguments.int64(3, "minLagMs");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().cleanable(slot, first_dirty_offset, min_lag_ms, ticket);
}

void clean(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "clean");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  CleanRequest request;
  request.first_dirty_offset = arguments.int64(2, "firstDirtyOffset");
  request.min_lag_ms = arguments.int64(3, "minLagMs");
  request.delete_retention_ms = arguments.int64(4, "deleteRetentionMs");
  request.map_bytes = arguments.int64(5, "mapBytes");
  request.map_load = static_cast<double>(arguments.range(6, "mapLoadMillionths", 0, 1000000)) / 1e6;
  request.buffer_bytes = arguments.int64(7, "bufferBytes");
  const int64_t bytes_per_second = arguments.int64(8, "bytesPerSecond");
  const double ticket = arguments.number(9, "ticket");
  if (arguments.ok()) door->plane().clean(slot, request, bytes_per_second, ticket);
}

// copy(plane, slot, source, bytesMax, ticket)
void copy(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "copy");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t source = arguments.slot(2);
  const int64_t bytes_max = arguments.int64(3, "bytesMax");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().copy(slot, source, bytes_max, ticket);
}

void retain(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "retain");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int64_t retention_ms = arguments.int64(2, "retentionMs");
  const int64_t retention_bytes = arguments.int64(3, "retentionBytes");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().retain(slot, retention_ms, retention_bytes, ticket);
}

void truncate(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "truncate");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const int64_t offset = arguments.int64(3, "offset");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().truncate(slot, leader_epoch, offset, ticket);
}

void retire(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "retire");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t mode = arguments.range(2, "mode", retire::kClose, retire::kDelete);
  const double ticket = arguments.number(3, "ticket");
  if (arguments.ok()) door->plane().retire(slot, mode == retire::kDelete, ticket);
}

// --- log

void append(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "append");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const Bytes batches = arguments.bytes(3, "batches");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().append(slot, leader_epoch, batches, ticket);
}

void mark(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "mark");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const Bytes batch = arguments.bytes(3, "batch");
  const int32_t transaction_version = arguments.int32(4, "transactionVersion");
  const double ticket = arguments.number(5, "ticket");
  if (!arguments.ok()) return;
  door->plane().mark(slot, leader_epoch, batch, transaction_version, ticket);
}

void admit(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "admit");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const double ask = arguments.number(2, "ask");
  const int32_t error = arguments.int32(3, "errorCode");
  if (arguments.ok()) door->plane().admit(slot, ask, error);
}

void flush(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "flush");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const double ticket = arguments.number(2, "ticket");
  if (arguments.ok()) door->plane().flush(slot, ticket);
}

void set_high_watermark(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "setHighWatermark");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t leader_epoch = arguments.int32(2, "leaderEpoch");
  const int64_t high_watermark = arguments.int64(3, "highWatermark");
  if (arguments.ok()) door->plane().set_high_watermark(slot, leader_epoch, high_watermark);
}

void read(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "read");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int64_t offset = arguments.int64(2, "offset");
  const int32_t bytes_max = arguments.range(3, "bytesMax", 0, kInt32Max);
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().read(slot, offset, bytes_max, ticket);
}

void look_up(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "lookup");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const int32_t kind = arguments.range(2, "kind", lookup::kTimestamp, lookup::kOldestSegment);
  const int64_t argument = arguments.int64(3, "argument");
  const double ticket = arguments.number(4, "ticket");
  if (arguments.ok()) door->plane().look_up(slot, kind, argument, ticket);
}

void producers(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "producers");
  Door* door = arguments.door();
  const int32_t slot = arguments.slot(1);
  const double ticket = arguments.number(2, "ticket");
  if (arguments.ok()) door->plane().producers(slot, ticket);
}

// --- policy

// route(plane, handle, name, topicId, partitions): three int32 per partition: slot, leader, epoch
void route(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "route");
  Door* door = arguments.door();
  TopicRoute topic;
  topic.handle = arguments.range(1, "handle", 0, kInt32Max);
  topic.name = arguments.text(2, "name");
  if (!parse_uuid(arguments.text(3, "topicId"), topic.id.bytes)) {
    arguments.fail("topicId", "22 characters of base64url");
  }
  const std::vector<int32_t> numbers = arguments.int32s(4, "partitions");
  topic.is_internal = arguments.boolean(5, "isInternal");
  if (numbers.size() % 3 != 0) arguments.fail("partitions", "three numbers per partition");
  if (!arguments.ok()) return;
  for (size_t i = 0; i < numbers.size(); i += 3) {
    topic.partitions.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
  }
  door->plane().route(topic);
}

// limit(plane, total, perAddress, addresses, counts)
void limit(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "limit");
  Door* door = arguments.door();
  const auto count = [&](size_t i, const char* name) {
    return static_cast<int64_t>(std::clamp(arguments.number(i, name), 0.0, kSafeMax));
  };
  ConnectionLimits::Maxima maxima;
  maxima.total = count(1, "total");
  maxima.per_address = count(2, "perAddress");
  if (!info[3].IsArray() || !info[4].IsArray()) arguments.fail("addresses and counts", "arrays");
  if (!arguments.ok()) return;
  const auto addresses = info[3].As<Napi::Array>();
  const auto counts = info[4].As<Napi::Array>();
  for (uint32_t i = 0; i < addresses.Length(); i += 1) {
    const Napi::Value address = addresses[i], most = counts[i];
    if (!address.IsString() || !most.IsNumber()) return arguments.fail("addresses", "strings");
    maxima.by_address[address.As<Napi::String>().Utf8Value()] =
        static_cast<int64_t>(std::clamp(most.As<Napi::Number>().DoubleValue(), 0.0, kSafeMax));
  }
  door->plane().limit(std::move(maxima));
}

void forget(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "forget");
  Door* door = arguments.door();
  const int32_t handle = arguments.range(1, "topicHandle", 0, kInt32Max);
  if (arguments.ok()) door->plane().forget(handle);
}

// failDirectory(plane, directory)
void fail_directory(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "failDirectory");
  Door* door = arguments.door();
  const std::string directory = arguments.text(1, "directory");
  if (arguments.ok()) door->plane().fail_directory(directory);
}

// limitDirectory(plane, directory, clientBytes, isShort)
void limit_directory(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "limitDirectory");
  Door* door = arguments.door();
  const std::string directory = arguments.text(1, "directory");
  const int64_t client_bytes = arguments.int64(2, "clientBytes");
  const bool is_short = arguments.boolean(3, "isShort");
  if (arguments.ok()) door->plane().limit_directory(directory, client_bytes, is_short);
}

// brokers(plane, listener, endpoints)
void brokers(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "brokers");
  Door* door = arguments.door();
  const int32_t listener = arguments.range(1, "listener", 0, kInt32Max);
  std::vector<BrokerEndpoint> endpoints;
  if (!info[2].IsArray()) arguments.fail("endpoints", "an array");
  if (!arguments.ok()) return;
  const auto array = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length() && arguments.ok(); i += 1) {
    const Napi::Value value = array[i];
    if (!value.IsObject()) return arguments.fail("endpoints", "objects");
    const auto from = value.As<Napi::Object>();
    BrokerEndpoint endpoint;
    endpoint.id = static_cast<int32_t>(arguments.field(from, "id", 0, kInt32Max));
    endpoint.host = arguments.text_field(from, "host");
    endpoint.port = static_cast<int32_t>(arguments.field(from, "port", 0, 65535));
    endpoint.has_rack = !from.Get("rack").IsNull();
    if (endpoint.has_rack) endpoint.rack = arguments.text_field(from, "rack");
    endpoints.push_back(std::move(endpoint));
  }
  if (arguments.ok()) door->plane().brokers(listener, endpoints);
}

void verdict(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "verdict");
  Door* door = arguments.door();
  const int32_t principal = arguments.range(1, "principal", 0, kInt32Max);
  const int32_t handle = arguments.range(2, "topicHandle", 0, kInt32Max);
  const int32_t operation = arguments.range(3, "operation", 0, topic_operation::kDescribe);
  const bool is_allowed = arguments.boolean(4, "isAllowed");
  if (arguments.ok()) door->plane().verdict(principal, handle, operation, is_allowed);
}

// --- tables

// partitionRows(plane, chunk) → ArrayBuffer, or undefined while no slot of it was used
Napi::Value partition_rows(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "partitionRows");
  Door* door = arguments.door();
  const int32_t chunk = arguments.range(1, "chunk", 0, SlotTable::kChunksMax - 1);
  if (!arguments.ok()) return info.Env().Undefined();
  std::shared_ptr<double> rows = door->plane().partition_rows(chunk);
  if (rows == nullptr) return info.Env().Undefined();
  return shared_buffer(info.Env(), std::move(rows),
                       kPartitionColumns * kPartitionRowsPerChunk * sizeof(double));
}

// counters(plane) → ArrayBuffer, one row per reactor
Napi::Value counters(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "counters");
  Door* door = arguments.door();
  if (!arguments.ok()) return info.Env().Undefined();
  const auto rows = static_cast<size_t>(door->plane().reactors());
  return shared_buffer(info.Env(), door->plane().counters(),
                       rows * kCounterColumns * sizeof(double));
}

// --- simulation: the world outside, for planes opened with { simulation: { seed } }

SimPlane* simulated(Arguments& arguments) {
  Door* door = arguments.door();
  if (door != nullptr && door->sim == nullptr) arguments.fail("plane", "a simulated one");
  return arguments.ok() ? door->sim.get() : nullptr;
}

// simStep(plane, microseconds)
void sim_step(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simStep");
  SimPlane* sim = simulated(arguments);
  const int64_t by_us = arguments.int64(1, "microseconds");
  if (arguments.ok()) sim->step(by_us);
}

// simNow(plane) → microseconds
Napi::Value sim_now(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simNow");
  SimPlane* sim = simulated(arguments);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(sim->world().now_us()));
}

// simWall(plane) → milliseconds since 1970
Napi::Value sim_wall(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simWall");
  SimPlane* sim = simulated(arguments);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(sim->world().wall_ms()));
}

// simConnect(plane, port) → client
Napi::Value sim_connect(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simConnect");
  SimPlane* sim = simulated(arguments);
  const int32_t port = arguments.range(1, "port", 1, 65535);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), sim->world().connect_client(static_cast<uint16_t>(port)));
}

// simConnected(plane, client) → whether somebody listened
Napi::Value sim_connected(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simConnected");
  SimPlane* sim = simulated(arguments);
  const int32_t client = arguments.int32(1, "client");
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), sim->world().client_connected(client).ok());
}

// simSend(plane, client, bytes) → how many were taken, -1 when the connection is gone
Napi::Value sim_send(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simSend");
  SimPlane* sim = simulated(arguments);
  const int32_t client = arguments.int32(1, "client");
  const Bytes bytes = arguments.bytes(2, "bytes");
  if (!arguments.ok()) return info.Env().Undefined();
  size_t sent = 0;
  const Status status = sim->world().client_send(client, bytes, &sent);
  const bool is_alive = status.ok() || status.code == Code::kWouldBlock;
  return Napi::Number::New(info.Env(), is_alive ? static_cast<double>(sent) : -1);
}

// simReceive(plane, client, bytesMax) → bytes, null when the connection is over
Napi::Value sim_receive(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simReceive");
  SimPlane* sim = simulated(arguments);
  const int32_t client = arguments.int32(1, "client");
  std::vector<uint8_t> into(static_cast<size_t>(arguments.range(2, "bytesMax", 1, 1 << 30)));
  if (!arguments.ok()) return info.Env().Undefined();
  size_t got = 0;
  const Status status = sim->world().client_receive(client, into.data(), into.size(), &got);
  if (!status.ok() && status.code != Code::kWouldBlock) return info.Env().Null();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), into.data(), got);
}

// simClose(plane, client, how): 0 closes, 1 sends its end only, 2 resets
void sim_close(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simClose");
  SimPlane* sim = simulated(arguments);
  const int32_t client = arguments.int32(1, "client");
  const int32_t how = arguments.range(2, "how", 0, 2);
  if (!arguments.ok()) return;
  if (how == 0) sim->world().client_close(client);
  if (how == 1) sim->world().client_shutdown(client);
  if (how == 2) sim->world().client_abort(client);
}

// simCrash(plane, isPowerLost)
void sim_crash(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simCrash");
  SimPlane* sim = simulated(arguments);
  const bool is_power_lost = arguments.boolean(1, "isPowerLost");
  if (arguments.ok()) sim->crash(is_power_lost ? SimDeath::kPower : SimDeath::kKill);
}

// simRestart(plane): a new plane on what the old one left; its rings and tables are new too
void sim_restart(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simRestart");
  SimPlane* sim = simulated(arguments);
  if (!arguments.ok()) return;
  const Status status = sim->restart({ring_bell, arguments.door()});
  if (!status.ok()) arguments.fail("plane", "one that can be opened again");
}

// simRule(plane, { op, pathContains, skip, count, fault, error, stallUs }); null clears all
void sim_rule(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simRule");
  SimPlane* sim = simulated(arguments);
  if (arguments.ok() && info[1].IsNull()) return sim->world().clear_rules();
  const Napi::Object from = arguments.object(1, "rule");
  SimRule rule;
  rule.op = static_cast<SimOp>(
      arguments.field_or(from, "op", 0, static_cast<double>(SimOp::kSendFile), 0));
  rule.path_contains = arguments.text_field(from, "pathContains", "");
  rule.skip = static_cast<uint64_t>(arguments.field_or(from, "skip", 0, kSafeMax, 0));
  rule.count = static_cast<uint64_t>(arguments.field_or(from, "count", 0, kSafeMax, 1));
  rule.fault = static_cast<SimFault>(
      arguments.field_or(from, "fault", 0, static_cast<double>(SimFault::kFlipBit), 0));
  rule.error = static_cast<int>(arguments.field_or(from, "error", 0, 4096, EIO));
  rule.code = rule.error == ENOSPC ? Code::kNoSpace : Code::kIo;
  rule.stall_us = static_cast<int64_t>(arguments.field_or(from, "stallUs", 0, kSafeMax, 0));
  if (arguments.ok()) sim->world().add_rule(rule);
}

// simTrace(plane) → digest of everything the world was asked, as text
Napi::Value sim_trace(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "simTrace");
  SimPlane* sim = simulated(arguments);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), std::to_string(sim->world().trace()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Instance);
  auto add = [&](const char* name, auto* function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("open", open);
  add("rings", rings);
  add("takeBody", take_body);
  add("close", close);
  add("isClosed", is_closed);
  add("join", join);
  add("lockDirectory", lock_directory);
  add("unlockDirectory", unlock_directory);
  add("compress", compress);
  add("decompress", decompress);
  add("isAbandoned", is_abandoned);
  add("listen", listen);
  add("unlisten", unlisten);
  add("dial", dial);
  add("send", send);
  add("reply", reply);
  add("hangup", hangup);
  add("mute", mute);
  add("identify", identify);
  add("create", create);
  add("lead", lead);
  add("follow", follow);
  add("isr", isr);
  add("configure", configure);
  add("failDirectory", fail_directory);
  add("limitDirectory", limit_directory);
  add("trim", trim);
  add("cleanable", cleanable);
  add("clean", clean);
  add("copy", copy);
  add("retain", retain);
  add("truncate", truncate);
  add("retire", retire);
  add("append", append);
  add("mark", mark);
  add("admit", admit);
  add("flush", flush);
  add("setHighWatermark", set_high_watermark);
  add("read", read);
  add("lookup", look_up);
  add("producers", producers);
  add("limit", limit);
  add("route", route);
  add("forget", forget);
  add("brokers", brokers);
  add("verdict", verdict);
  add("partitionRows", partition_rows);
  add("counters", counters);
  add("simStep", sim_step);
  add("simNow", sim_now);
  add("simWall", sim_wall);
  add("simConnect", sim_connect);
  add("simConnected", sim_connected);
  add("simSend", sim_send);
  add("simReceive", sim_receive);
  add("simClose", sim_close);
  add("simCrash", sim_crash);
  add("simRestart", sim_restart);
  add("simRule", sim_rule);
  add("simTrace", sim_trace);
  return exports;
}

}  // namespace
}  // namespace ottla

using ottla::init;
NODE_API_MODULE(ottla, init)
