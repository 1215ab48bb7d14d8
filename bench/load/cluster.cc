// The requests of the set-up, written and read by hand at the few versions that are needed.
#include "cluster.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace ottla::load {
namespace {

constexpr int64_t kLatest = -1, kEarliest = -2;
constexpr int16_t kListOffsetsVersion = 1;  // every broker has it, the bare pipe too
constexpr int16_t kMetadataMost = 12;
constexpr int16_t kMetadataFlexible = 9;
constexpr int16_t kMetadataIds = 10;
constexpr int64_t kTopicWithinNs = 10'000'000'000;
constexpr useconds_t kTopicAgainUs = 20'000;

std::string refused(const char* what, int error) {
  return std::string(what) + " was refused with error code " + std::to_string(error);
}

}  // namespace

bool split_address(const std::string& address, std::string* host, int* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  *host = address.substr(0, colon);
  if (host->size() > 2 && host->front() == '[') *host = host->substr(1, host->size() - 2);
  *port = std::atoi(address.c_str() + colon + 1);
  return *port > 0 && *port < 65536;
}

bool Bootstrap::open(const Options& options, Cluster* cluster, std::string* problem) {
  std::string host;
  int port = 0;
  if (!split_address(options.bootstrap, &host, &port)) {
    *problem = "not HOST:PORT: " + options.bootstrap;
    return false;
  }
  if (!connection_.open(host, port, true, problem) || !ask_versions(problem)) return false;
  const auto produce_most = static_cast<int16_t>(options.produce_version);
  const auto fetch_most = static_cast<int16_t>(options.fetch_version);
  return choose(gen::kProduceKey, produce_most, &cluster->produce_version, problem) &&
         choose(gen::kFetchKey, fetch_most, &cluster->fetch_version, problem) &&
         await_topic(options.topic, cluster, problem);
}

// Apache Kafka says that a topic was created before its leaders know of it.
bool Bootstrap::await_topic(const std::string& name, Cluster* cluster, std::string* problem) {
  const int64_t deadline = now_ns() + kTopicWithinNs;
  std::vector<int64_t> offsets;
  for (;;) {
    problem->clear();
    if (ask_topic(name, cluster, problem) && list_offsets(*cluster, false, &offsets, problem)) {
      return true;
    }
    if (now_ns() > deadline) return false;
    usleep(kTopicAgainUs);
  }
}

// The body is in request_ after the header; the response's body is left in response_.
bool Bootstrap::ask(int16_t api_key, int16_t version, std::string* problem) {
  end_frame(&request_);
  if (!connection_.ask(request_, &response_, problem)) return false;
  ByteReader in(response_);
  if (!read_response_header(in, api_key, version, 0)) {
    *problem = "a response that is none of ours";
    return false;
  }
  response_.erase(response_.begin(), response_.end() - static_cast<ptrdiff_t>(in.left()));
  return true;
}

bool Bootstrap::ask_versions(std::string* problem) {
  begin_frame(&request_, gen::kApiVersionsKey, 0, 0);
  if (!ask(gen::kApiVersionsKey, 0, problem)) return false;
  ByteReader in(response_);
  const int16_t error = in.i16();
  served_.assign(gen::kApiCount, {});
  for (int32_t left = in.i32(); left > 0 && in.ok(); --left) {
    const int16_t key = in.i16(), min = in.i16(), max = in.i16();
    if (key >= 0 && key < gen::kApiCount) served_[static_cast<size_t>(key)] = {min, max};
  }
  if (error != 0) *problem = refused("ApiVersions", error);
  return error == 0 && in.ok();
}

bool Bootstrap::choose(int16_t api_key, int16_t most, int16_t* version, std::string* problem) {
  const Range served = served_[static_cast<size_t>(api_key)];
  const int16_t ours = std::min(most, gen::kApis[api_key].version_max);
  *version = std::min(served.max, ours);
  if (*version >= std::max(served.min, gen::kApis[api_key].version_min)) return true;
  *problem = "no version in common of api " + std::to_string(api_key);
  return false;
}

bool Bootstrap::ask_topic(const std::string& name, Cluster* cluster, std::string* problem) {
  int16_t version = 0;
  if (!choose(gen::kMetadataKey, kMetadataMost, &version, problem)) return false;
  const bool flexible = version >= kMetadataFlexible;
  begin_frame(&request_, gen::kMetadataKey, version, 0);
  uint8_t body[64 + INT16_MAX];
  uint8_t* at = gen::put_length32(body, flexible, 1);
  if (version >= kMetadataIds) at = gen::put_uuid(at, {});
  at = gen::put_string(at, flexible, version >= kMetadataIds, name.substr(0, INT16_MAX));
  if (flexible) *at++ = 0;
  if (version >= 4) *at++ = 1;  // may create it: the bare pipe has no other way
  if (version >= 8) *at++ = 0;
  if (version >= 8 && version <= 10) *at++ = 0;
  if (flexible) *at++ = 0;
  request_.insert(request_.end(), body, at);
  if (!ask(gen::kMetadataKey, version, problem)) return false;

  ByteReader in(response_);
  const auto count = [&] { return flexible ? int64_t{in.uvarint()} - 1 : in.i32(); };
  const auto tags = [&] { flexible ? gen::skip_tags(in) : void(); };
  if (version >= 3) in.skip(4);
  std::map<int32_t, std::pair<std::string, int>> brokers;
  for (int64_t left = count(); left > 0 && in.ok(); --left) {
    const int32_t id = in.i32();
    const std::string host(gen::read_string(in, flexible, false));
    brokers[id] = {host, in.i32()};
    gen::read_string(in, flexible, true);
    tags();
  }
  if (version >= 2) gen::read_string(in, flexible, true);
  in.skip(4);  // the controller
  if (count() != 1) in.fail();
  const int16_t error = in.i16();
  cluster->topic.name = gen::read_string(in, flexible, true);
  if (version >= kMetadataIds) cluster->topic.id = gen::read_uuid(in);
  in.skip(1);  // internal
  cluster->partitions = static_cast<int>(count());
  int32_t leader = -1;
  bool is_one = true;
  for (int i = 0; i < cluster->partitions && in.ok(); ++i) {
    const int16_t partition_error = in.i16();
    in.skip(4);
    const int32_t its = in.i32();
    is_one = is_one && partition_error == 0 && (i == 0 || its == leader);
    leader = its;
    if (version >= 7) in.skip(4);
    for (int list = 0; list < (version >= 5 ? 3 : 2); ++list) in.skip(count() * 4);
    tags();
  }
  if (!in.ok() || error != 0 || cluster->partitions <= 0) {
    *problem = refused(("Metadata of topic " + name).c_str(), error);
    return false;
  }
  if (!is_one || !brokers.contains(leader)) {
    *problem = "all partitions must have one leader, and have it already";
    return false;
  }
  cluster->host = brokers[leader].first;
  cluster->port = brokers[leader].second;
  return true;
}

bool Bootstrap::list_offsets(const Cluster& cluster, bool earliest, std::vector<int64_t>* offsets,
                             std::string* problem) {
  begin_frame(&request_, gen::kListOffsetsKey, kListOffsetsVersion, 0);
  std::vector<uint8_t> body(4 + 4 + 2 + cluster.topic.name.size() + 4 +
                            static_cast<size_t>(cluster.partitions) * 12);
  uint8_t* at = gen::put_i32(body.data(), -1);
  at = gen::put_i32(at, 1);
  at = gen::put_string(at, false, false, cluster.topic.name);
  at = gen::put_i32(at, cluster.partitions);
  for (int32_t i = 0; i < cluster.partitions; ++i) {
    at = gen::put_i64(gen::put_i32(at, i), earliest ? kEarliest : kLatest);
  }
  request_.insert(request_.end(), body.begin(), body.end());
  if (!ask(gen::kListOffsetsKey, kListOffsetsVersion, problem)) return false;
  ByteReader in(response_);
  in.skip(4);
  gen::read_string(in, false, false);
  offsets->assign(static_cast<size_t>(cluster.partitions), -1);
  for (int32_t left = in.i32(); left > 0 && in.ok(); --left) {
    const int32_t partition = in.i32();
    const int16_t error = in.i16();
    in.skip(8);
    const int64_t offset = in.i64();
    if (error != 0) *problem = refused("ListOffsets", error);
    if (partition >= 0 && partition < cluster.partitions && error == 0) {
      (*offsets)[static_cast<size_t>(partition)] = offset;
    }
  }
  const bool has_all = std::find(offsets->begin(), offsets->end(), -1) == offsets->end();
  if (!has_all && problem->empty()) *problem = "ListOffsets did not answer for every partition";
  return in.ok() && has_all;
}

// The first id of a cluster waits for the topic that transactions are kept in.
bool Bootstrap::init_producer_id(ProducerId* id, std::string* problem) {
  int16_t version = 0;
  if (!choose(gen::kInitProducerIdKey, 1, &version, problem)) return false;
  const int64_t deadline = now_ns() + kTopicWithinNs;
  for (;;) {
    begin_frame(&request_, gen::kInitProducerIdKey, version, 0);
    uint8_t body[6];
    gen::put_i32(gen::put_i16(body, -1), INT32_MAX);
    request_.insert(request_.end(), body, body + sizeof body);
    if (!ask(gen::kInitProducerIdKey, version, problem)) return false;
    ByteReader in(response_);
    in.skip(4);
    const int16_t error = in.i16();
    id->id = in.i64();
    id->epoch = in.i16();
    if (error == 0) return in.ok();
    *problem = refused("InitProducerId", error);
    if (now_ns() > deadline) return false;
    usleep(kTopicAgainUs);
  }
}

}  // namespace ottla::load
