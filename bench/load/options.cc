// The command line of the load generator. What is not built is refused with a sentence, never
// ignored.
#include "options.h"

#include <cstdlib>
#include <string_view>

#include "batch.h"

namespace ottla::load {
namespace {

bool to_codec(std::string_view name, Codec* codec) {
  constexpr std::string_view kNames[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  for (uint8_t i = 0; i <= kCodecMax; ++i) {
    if (name != kNames[i]) continue;
    *codec = static_cast<Codec>(i);
    return true;
  }
  return false;
}

bool to_flag(std::string_view text, bool* flag) {
  *flag = text == "yes";
  return text == "yes" || text == "no";
}

bool to_number(const char* text, double* number) {
  char* end = nullptr;
  *number = std::strtod(text, &end);
  return end != text && *end == '\0' && *number >= 0;
}

struct Parser {
  Options* options;

  bool word(std::string_view name, const char* value) {
    Options& o = *options;
    if (name == "bootstrap") return o.bootstrap = value, true;
    if (name == "topic") return o.topic = value, true;
    if (name == "codec") return to_codec(value, &o.codec);
    if (name == "produce") return to_flag(value, &o.produce);
    if (name == "idempotent") return to_flag(value, &o.idempotent);
    if (name == "spread") return to_flag(value, &o.spread);
    if (name == "spin") return to_flag(value, &o.spin);
    if (name == "spin-closed") return to_flag(value, &o.spin_closed);
    if (name == "from") {
      o.from_earliest = std::string_view(value) == "earliest";
      return o.from_earliest || std::string_view(value) == "latest";
    }
    if (name == "acks") {
      o.acks = std::string_view(value) == "all" ? -1 : std::atoi(value);
      return o.acks >= -1 && o.acks <= 1;
    }
    return number(name, value);
  }

  bool number(std::string_view name, const char* value) {
    Options& o = *options;
    double n = 0;
    if (!to_number(value, &n)) return false;
    const auto whole = [&](int* out) { return *out = static_cast<int>(n), true; };
    if (name == "connections") return whole(&o.connections) && n >= 1;
    if (name == "in-flight") return whole(&o.in_flight) && n >= 1;
    if (name == "message-bytes") return o.message_bytes = static_cast<size_t>(n), true;
    if (name == "key-bytes") return o.key_bytes = static_cast<size_t>(n), true;
    if (name == "batch-records") return whole(&o.batch_records) && n >= 1;
    if (name == "request-batches") return whole(&o.request_batches) && n >= 1;
    if (name == "rate") return o.rate = n, true;
    if (name == "count") return o.count = static_cast<int64_t>(n), true;
    if (name == "groups") return whole(&o.groups);
    if (name == "group-connections") return whole(&o.group_connections) && n >= 1;
    if (name == "first-stream") return whole(&o.first_stream);
    if (name == "fetch-max-wait-ms") return whole(&o.fetch_max_wait_ms);
    if (name == "fetch-min-bytes") return whole(&o.fetch_min_bytes);
    if (name == "fetch-partition-bytes") return whole(&o.fetch_partition_bytes) && n >= 1;
    if (name == "fetch-bytes") return whole(&o.fetch_bytes) && n >= 1;
    if (name == "seconds") return o.seconds = n, true;
    if (name == "warmup") return o.warmup = n, true;
    if (name == "drain") return o.drain = n, true;
    if (name == "idle-connections") return whole(&o.idle_connections);
    if (name == "produce-version") return whole(&o.produce_version) && n >= 3;
    if (name == "fetch-version") return whole(&o.fetch_version) && n >= 4;
    return false;
  }
};

const char* judge(const Options& o) {
  if (o.bootstrap.empty() || o.topic.empty()) return "--bootstrap HOST:PORT and --topic are needed";
  if (!o.produce && o.groups == 0) return "--produce no needs --groups";
  if (!o.produce && o.count == 0) return "--produce no needs --count";
  if (o.message_bytes < kStampBytes) return "--message-bytes: a message holds a stamp of 24 bytes";
  if (o.idempotent && o.acks != -1) return "--idempotent yes needs --acks all";
  if (o.idempotent && o.in_flight > 5) return "--idempotent yes allows --in-flight 5 at most";
  if (o.request_batches > 1 && o.codec != Codec::kNone && o.groups > 0) {
    return "--request-batches: compressed batches that are read back go one in a request";
  }
  return nullptr;
}

}  // namespace

bool parse_options(int argc, char** argv, Options* options, std::string* problem) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view argument = argv[i];
    if (argument.size() < 3 || !argument.starts_with("--") || i + 1 >= argc) {
      *problem = "not an option with a value: " + std::string(argument);
      return false;
    }
    const std::string_view name = argument.substr(2);
    if (name == "security" || name.starts_with("tls") || name.starts_with("sasl")) {
      if (name == "security" && std::string_view(argv[i + 1]) == "plaintext") continue;
      *problem = "TLS and SASL are not built: only --security plaintext";
      return false;
    }
    if (!Parser{options}.word(name, argv[i + 1])) {
      *problem = "unknown, or not a value of it: " + std::string(argument) + " " + argv[i + 1];
      return false;
    }
  }
  const char* wrong = judge(*options);
  if (wrong != nullptr) *problem = wrong;
  return wrong == nullptr;
}

const char* usage() {
  return "load --bootstrap HOST:PORT --topic NAME [--OPTION VALUE]...\n"
         "  produce: --rate RECORDS/S (0: closed loop) --message-bytes --batch-records "
         "--key-bytes\n"
         "    --codec none|gzip|snappy|lz4|zstd --acks 0|1|all --idempotent yes|no --connections\n"
         "    --in-flight --request-batches --spread yes|no --count RECORDS --produce yes|no\n"
         "  consume: --groups --group-connections --from latest|earliest --first-stream\n"
         "    --fetch-max-wait-ms --fetch-min-bytes --fetch-partition-bytes --fetch-bytes\n"
         "  --seconds --warmup --drain --idle-connections\n"
         "  --spin yes|no (open loop) --spin-closed yes|no (closed loop)\n"
         "  --produce-version --fetch-version (at most) --security plaintext\n"
         "Prints one JSON object. Exit codes: 0 valid, 1 it could not run, 2 usage, 3 void.\n";
}

}  // namespace ottla::load
