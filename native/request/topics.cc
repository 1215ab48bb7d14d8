// TopicTable: see topics.h.
#include "topics.h"

#include <utility>

namespace ottla {

void TopicTable::route(const TopicRoute& topic) {
  forget(topic.handle);
  auto kept = std::make_unique<TopicRoute>(topic);
  by_name_[kept->name] = kept.get();
  by_id_[kept->id] = kept.get();
  by_handle_[topic.handle] = std::move(kept);
}

void TopicTable::forget(int32_t handle) {
  const auto found = by_handle_.find(handle);
  if (found == by_handle_.end()) return;
  const TopicRoute* old = found->second.get();
  // A recreated topic may have taken the name over already: its route stays.
  const auto name = by_name_.find(std::string_view(old->name));
  if (name != by_name_.end() && name->second == old) by_name_.erase(name);
  const auto id = by_id_.find(old->id);
  if (id != by_id_.end() && id->second == old) by_id_.erase(id);
  by_handle_.erase(found);
}

void TopicTable::brokers(int32_t listener, const std::vector<BrokerEndpoint>& endpoints) {
  endpoints_[listener] = endpoints;
}

const TopicRoute* TopicTable::by_name(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

const TopicRoute* TopicTable::by_id(const gen::Uuid& id) const {
  if (id.is_zero()) return nullptr;
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

const TopicRoute* TopicTable::by_handle(int32_t handle) const {
  const auto found = by_handle_.find(handle);
  return found == by_handle_.end() ? nullptr : found->second.get();
}

const BrokerEndpoint* TopicTable::endpoint(int32_t listener, int32_t broker_id) const {
  const auto found = endpoints_.find(listener);
  if (found == endpoints_.end()) return nullptr;
  for (const BrokerEndpoint& endpoint : found->second) {
    if (endpoint.id == broker_id) return &endpoint;
  }
  return nullptr;
}

}  // namespace ottla
