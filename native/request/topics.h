// TopicTable: one reactor's copy of what TypeScript said of topics: where each partition is and who
// leads it, and how clients of a listener reach the brokers. Kafka: MetadataCache; KIP-516 topic
// ids, KIP-951 leaders in answers.
//
// A name and an id lead to the same route; looking up allocates nothing. Routes stay where they are
// until they are replaced or forgotten, which happens between requests: hold a handle across turns,
// not a pointer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../gen/messages.h"

namespace ottla {

constexpr int32_t kUnservedSlot = -2;  // a replica here whose directory or files cannot be used

struct PartitionRoute {
  int32_t slot = -1;  // here; -1: no replica on this node; or kUnservedSlot
  int32_t leader_id = -1;
  int32_t leader_epoch = -1;
};

struct TopicRoute {
  int32_t handle = -1;  // TypeScript's number for it
  std::string name;
  gen::Uuid id;
  bool is_internal = false;                // of clients only Kafka's admin client may produce to it
  std::vector<PartitionRoute> partitions;  // by index
};

struct BrokerEndpoint {
  int32_t id = -1;
  std::string host;
  int32_t port = 0;
  std::string rack;
  bool has_rack = false;
};

class TopicTable {
 public:
  void route(const TopicRoute& topic);  // a new topic, or all of a known handle
  void forget(int32_t handle);
  void brokers(int32_t listener, const std::vector<BrokerEndpoint>& endpoints);  // all of them

  // Null when unknown.
  const TopicRoute* by_name(std::string_view name) const;
  const TopicRoute* by_id(const gen::Uuid& id) const;
  const TopicRoute* by_handle(int32_t handle) const;
  const BrokerEndpoint* endpoint(int32_t listener, int32_t broker_id) const;

 private:
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  struct IdHash {
    size_t operator()(const gen::Uuid& id) const {
      return std::hash<std::string_view>{}(
          {reinterpret_cast<const char*>(id.bytes), sizeof id.bytes});
    }
  };

  std::unordered_map<int32_t, std::unique_ptr<TopicRoute>> by_handle_;
  std::unordered_map<std::string, const TopicRoute*, NameHash, std::equal_to<>> by_name_;
  std::unordered_map<gen::Uuid, const TopicRoute*, IdHash> by_id_;
  std::unordered_map<int32_t, std::vector<BrokerEndpoint>> endpoints_;  // by listener
};

}  // namespace ottla
