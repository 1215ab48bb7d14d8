// Requests: see requests.h.
#include "requests.h"

#include "../gen/layout.h"
#include "../partition/purgatory.h"
#include "fetch.h"
#include "produce.h"
#include "topics.h"
#include "verdicts.h"

namespace ottla {

namespace {

// What `old` said of a partition holds no more where `now`, null when there is none, says
// otherwise.
void wake_moved(Context& context, const TopicRoute* old, const TopicRoute* now) {
  if (old == nullptr) return;
  const bool is_same = now != nullptr && old->id == now->id && old->name == now->name;
  for (size_t i = 0; i < old->partitions.size(); i += 1) {
    const int32_t slot = old->partitions[i].slot;
    const bool stays = is_same && i < now->partitions.size() && now->partitions[i].slot == slot;
    if (slot >= 0 && !stays) context.purgatory().wake(slot);
  }
}

}  // namespace

struct Requests::State {
  explicit State(const RequestsOptions& options) : produces(options), fetches(options) {}
  Produces produces;
  Fetches fetches;
};

Requests::Requests(const RequestsOptions& options) : state_(std::make_unique<State>(options)) {}
Requests::~Requests() = default;

void Requests::produce(Context& context, const RequestFrame& frame) {
  state_->produces.start(context, frame);
}

void Requests::fetch(Context& context, const RequestFrame& frame) {
  state_->fetches.start(context, frame);
}

void Requests::disconnected(Context& context, uint64_t conn) {
  state_->produces.disconnected(context, conn);
  state_->fetches.disconnected(context, conn);
}

void Requests::verdict(Context& context, int32_t principal, int32_t topic_handle, int32_t operation,
                       bool is_allowed) {
  context.verdicts().set(principal, topic_handle, operation, is_allowed);
  if (operation == topic_operation::kWrite) state_->produces.release(context);
  if (operation == topic_operation::kRead) state_->fetches.release(context);
}

void Requests::route(Context& context, const TopicRoute& topic) {
  TopicTable& topics = context.topics();
  for (const TopicRoute* old :
       {topics.by_handle(topic.handle), topics.by_name(topic.name), topics.by_id(topic.id)}) {
    wake_moved(context, old, &topic);
  }
  topics.route(topic);
}

void Requests::forget(Context& context, int32_t topic_handle) {
  wake_moved(context, context.topics().by_handle(topic_handle), nullptr);
  context.topics().forget(topic_handle);
}

bool Requests::end_turn(Context& context) { return state_->fetches.end_turn(context); }

void Requests::close(Context& context) {
  state_->produces.close(context);
  state_->fetches.close(context);
}

}  // namespace ottla
