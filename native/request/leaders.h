// From a route to the replica here, and what an answer says of the leader a client should have
// asked (KIP-951): the leader of the partition, and each such broker's endpoint once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../partition/partition.h"
#include "context.h"
#include "topics.h"

namespace ottla {

// The replica here of one partition of a topic, null when there is none. Slots are used again, and
// this reactor may not have heard of it yet: the route's slot may hold another topic's by now.
inline Partition* replica_of(Context& context, const TopicRoute& topic, int32_t index) {
  const int32_t slot = topic.partitions[static_cast<size_t>(index)].slot;
  Partition* found = slot < 0 ? nullptr : context.partition(slot);
  if (found == nullptr) return nullptr;
  const PartitionOptions& is = found->options();
  const bool is_it =
      is.index == index && std::equal(is.topic_id.begin(), is.topic_id.end(), topic.id.bytes);
  return is_it ? found : nullptr;
}

struct LeaderIdAndEpoch {
  int32_t id = -1;
  int32_t epoch = -1;
};

// What we know best: our own replica, else the route.
inline LeaderIdAndEpoch current_leader(Context& context, const TopicRoute* topic, int32_t index) {
  if (topic == nullptr || index < 0 || static_cast<size_t>(index) >= topic->partitions.size()) {
    return {};
  }
  const PartitionRoute& route = topic->partitions[static_cast<size_t>(index)];
  const Partition* local = replica_of(context, *topic, index);
  if (local != nullptr) return {local->leader_id(), local->leader_epoch()};
  return {route.leader_id, route.leader_epoch};
}

// Adds the broker's endpoint as clients of the listener reach it, if it is known and not there yet.
// NodeEndpoint is the generated struct of the response. Its text points into the table.
template <typename NodeEndpoint>
void add_endpoint(Context& context, int32_t listener, int32_t broker_id,
                  std::vector<NodeEndpoint>* endpoints) {
  for (const NodeEndpoint& known : *endpoints) {
    if (known.node_id == broker_id) return;
  }
  const BrokerEndpoint* found = context.topics().endpoint(listener, broker_id);
  if (found == nullptr) return;
  NodeEndpoint endpoint;
  endpoint.node_id = broker_id;
  endpoint.host = found->host;
  endpoint.port = found->port;
  if (found->has_rack) endpoint.rack = found->rack;
  endpoints->push_back(endpoint);
}

// The start of a response body: the correlation id, and the header's empty tags where the version
// has them.
inline void begin_response(Response* response, int32_t correlation_id, bool is_flexible) {
  std::vector<uint8_t>& out = response->memory();
  out.resize(is_flexible ? 5 : 4);
  store_i32(out.data(), correlation_id);
  if (is_flexible) out[4] = 0;
}

}  // namespace ottla
