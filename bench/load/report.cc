// Judges a run by its gates and prints it.
#include "report.h"

#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace ottla::load {
namespace {

constexpr double kBusyMax = 0.9, kStealMax = 0.01;
constexpr uint64_t kLagMaxUs = 1000;
constexpr int kCurvePoints = 24;  // four per power of ten, to six nines

class Json {
 public:
  [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out_ += text;
  }
  void drop_comma() {
    if (!out_.empty() && out_.back() == ',') out_.pop_back();
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

void add_histogram(Json& json, const char* name, const Histogram& histogram) {
  const auto at = [&](double share) { return histogram.at(share); };
  json.add("\"%s\":{\"count\":%" PRIu64 ",\"min\":%" PRIu64 ",\"mean\":%.1f,\"p50\":%" PRIu64
           ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"p9999\":%" PRIu64
           ",\"max\":%" PRIu64 ",\"curve\":[",
           name, histogram.count(), histogram.min(), histogram.mean(), at(0.5), at(0.9), at(0.99),
           at(0.999), at(0.9999), histogram.max());
  for (int i = 0; i <= kCurvePoints && histogram.count() > 0; ++i) {
    const double share = 1 - std::pow(10, -i / 4.0);
    json.add("[%.7f,%" PRIu64 "],", share, at(share));
  }
  json.drop_comma();
  json.add("]}");
}

void add_asked(Json& json, const Run& run) {
  const Options& o = run.options;
  const char* codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  json.add("\"asked\":{\"rate\":%.3f,\"messageBytes\":%zu,\"keyBytes\":%zu,\"batchRecords\":%d,",
           o.rate, o.message_bytes, o.key_bytes, o.batch_records);
  json.add("\"requestBatches\":%d,", o.request_batches);
  json.add("\"codec\":\"%s\",\"acks\":%d,\"idempotent\":%s,\"connections\":%d,\"inFlight\":%d,",
           codecs[static_cast<int>(o.codec)], o.acks, o.idempotent ? "true" : "false",
           o.connections, o.in_flight);
  json.add("\"partitions\":%d,\"groups\":%d,\"groupConnections\":%d,\"idleConnections\":%d,",
           run.cluster.partitions, o.groups, o.group_connections, o.idle_connections);
  json.add("\"seconds\":%.3f,\"warmup\":%.3f,\"spins\":%s,\"batchBytes\":%zu,", o.seconds, o.warmup,
           run.spins() ? "true" : "false", run.batch.bytes().size());
  json.add("\"produceVersion\":%d,\"fetchVersion\":%d},", run.cluster.produce_version,
           run.cluster.fetch_version);
}

struct Gates {
  Json json;
  bool all = true;

  void add(const char* name, bool holds, double value) {
    json.add("\"%s\":{\"holds\":%s,\"value\":%.6f},", name, holds ? "true" : "false", value);
    all = all && holds;
  }
};

void judge_reading(const Run& run, Gates* gates) {
  double missing = 0, duplicates = 0, corrupt = 0, unread = 0;
  for (const Group& group : run.groups) {
    missing += static_cast<double>(group.missing);
    duplicates += static_cast<double>(group.duplicates);
    corrupt += static_cast<double>(group.corrupt);
    const int64_t wanted = run.options.produce ? run.acked : run.options.count;
    unread += std::abs(static_cast<double>(wanted - group.records));
  }
  gates->add("nothingMissing", missing == 0, missing);
  gates->add("nothingTwice", duplicates == 0, duplicates);
  gates->add("nothingCorrupt", corrupt == 0, corrupt);
  gates->add("readBack", unread == 0, unread);
}

Gates judge(const Run& run, const Health& health) {
  Gates gates;
  double errors = 0;
  for (const auto& [code, count] : run.errors) errors += static_cast<double>(count);
  gates.add("noErrors", errors == 0 && run.failed == 0, errors);
  gates.add("connected", !health.connection_lost, 0);
  gates.add("acknowledged", run.sent == run.acked, static_cast<double>(run.sent - run.acked));
  judge_reading(run, &gates);
  gates.add("finished", health.finished, 0);
  gates.add("clock", !health.clock_went_back, 0);
  gates.add("steal", health.steal_share < kStealMax, health.steal_share);
  if (run.is_open_loop()) {  // a closed loop goes as fast as the slower of the two
    const uint64_t lag = run.lag.at(0.999);
    gates.add("sendLag", lag < kLagMaxUs, static_cast<double>(lag) / 1000);
    gates.add("generatorIdle", health.busy_share < kBusyMax, health.busy_share);
  }
  return gates;
}

}  // namespace

bool report(const Run& run, const Health& health) {
  Json json;
  json.add("{");
  add_asked(json, run);
  const double window = static_cast<double>(run.window_end_ns - run.window_begin_ns) / 1e9;
  json.add("\"windowSeconds\":%.6f,\"sent\":%" PRId64 ",\"acked\":%" PRId64 ",\"failed\":%" PRId64
           ",",
           window, run.sent, run.acked, run.failed);
  json.add("\"ackedPerSecond\":%.3f,\"consumedPerSecond\":%.3f,\"backlogMax\":%" PRId64 ",",
           window > 0 ? static_cast<double>(run.acked_in_window) / window : 0,
           window > 0 ? static_cast<double>(run.consumed_in_window) / window : 0, run.backlog_max);
  int64_t consumed = 0;
  Histogram end_to_end;
  for (const Group& group : run.groups) {
    consumed += group.records + group.backlog;
    end_to_end.add(group.end_to_end);
  }
  json.add("\"consumed\":%" PRId64 ",\"errors\":{", consumed);
  for (const auto& [code, count] : run.errors) json.add("\"%d\":%" PRId64 ",", code, count);
  json.drop_comma();
  json.add("},");
  add_histogram(json, "ackUs", run.ack);
  json.add(",");
  add_histogram(json, "endToEndUs", end_to_end);
  json.add(",");
  add_histogram(json, "sendLagUs", run.lag);
  json.add(",\"timeline\":[");
  for (const Second& second : run.timeline) {
    json.add("[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "],", second.acked, second.consumed,
             second.ack_max_us, second.end_to_end_max_us);
  }
  json.drop_comma();
  json.add("],\"generator\":{\"busyShare\":%.4f,\"cpuSeconds\":%.4f,\"wallSeconds\":%.4f,",
           health.busy_share, health.cpu_seconds, health.wall_seconds);
  json.add("\"stealShare\":%.5f,\"longestGapUs\":%" PRId64 "},", health.steal_share,
           health.longest_gap_us);
  Gates gates = judge(run, health);
  gates.json.drop_comma();
  std::printf("%s\"valid\":%s,\"gates\":{%s}}\n", json.text().c_str(), gates.all ? "true" : "false",
              gates.json.text().c_str());
  return gates.all;
}

}  // namespace ottla::load
