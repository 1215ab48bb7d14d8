// Requests: see requests.h.
#include "requests.h"

#include "../gen/layout.h"
#include "fetch.h"
#include "produce.h"
#include "verdicts.h"

namespace ottla {

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

bool Requests::end_turn(Context& context) { return state_->fetches.end_turn(context); }

void Requests::close(Context& context) {
  state_->produces.close(context);
  state_->fetches.close(context);
}

}  // namespace ottla
