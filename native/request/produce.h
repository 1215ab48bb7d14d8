// Produce requests of one reactor, start to finish. Kafka: KafkaApis.handleProduceRequest,
// ReplicaManager .appendRecords. Versions 3 to 13.
//
//   start ─ parse, resolve, verdict ─┬─► launched ─ here, or posted to the partition's reactor and
//   back ─► done
//                                    └─► parked (a verdict is missing, or an older batch of that
//                                    producer is parked)
//   all partitions done ─► one response (acks=0: none, or the connection closes)
//
// A request lives in a pool and so do its partitions; both belong to the reactor of the connection.
// A partition's op is lent to the reactor that owns the partition until it comes back. The frame is
// held until the answer is written: batches are patched in it, topic names are read from it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../base/intrusive_list.h"
#include "../gen/messages.h"
#include "../partition/partition.h"
#include "requests.h"
#include "topics.h"

namespace ottla {

class Produces {
 public:
  explicit Produces(const RequestsOptions& options) : options_(options) {}
  Produces(const Produces&) = delete;
  Produces& operator=(const Produces&) = delete;

  void start(Context& context, const RequestFrame& frame);
  // A verdict has come: what is parked for it goes on, oldest first.
  void release(Context& context);
  // Parked batches of the connection end; what was launched goes on.
  void disconnected(Context& context, uint64_t conn);
  void close(Context& context);
  size_t in_flight() const { return in_flight_; }

 private:
  struct Request;
  // One partition of a request.
  struct Entry : PartitionWork {
    ProduceOp op;
    Produces* produces = nullptr;
    Request* request = nullptr;
    Entry* following = nullptr;  // in the request
    int32_t index = -1;
    int32_t topic_handle = -1;
    int64_t incarnation = 0;  // of the partition that `slot` meant
    ListLink parked_link;
  };
  struct Request {
    RequestFrame frame;
    gen::ProduceRequest parsed;
    Produces* produces = nullptr;
    Entry* first = nullptr;
    Entry* last = nullptr;
    int32_t unfinished = 0;
    int32_t parked = 0;
    uint64_t timer = 0;  // while something is parked
    int64_t deadline_us = 0;
    ListLink link;
  };

  Request* take_request();
  Entry* take_entry(Request* request);
  void recycle(Request* request);

  void admit(Context& context, Request* request, const TopicRoute* topic,
             const gen::ProduceRequest::PartitionData& data);
  void judge(Context& context, Entry* entry);
  bool is_behind_parked(const Entry* entry) const;
  void park(Context& context, Entry* entry);
  void settle_timer(Context& context, Request* request);
  void launch(Context& context, Entry* entry);
  void end(Context& context, Entry* entry, gen::ErrorCode error);
  void finished(Context& context, Entry* entry);
  void answer(Context& context, Request* request);
  void write_response(Context& context, Request* request, Response* response);
  void write_partition(Context& context, Request* request, const Entry& entry, Response* response);

  static void run_at_owner(PartitionWork* work, PartitionHost& host);
  static void run_at_home(PartitionWork* work, PartitionHost& host);
  static void op_done(ProduceOp* op, PartitionHost& host);
  static void post_again(void* entry, PartitionHost& host);
  static void send(Entry* entry, int reactor, PartitionHost& host);
  static void parked_too_long(void* request, PartitionHost& host);

  const RequestsOptions options_;
  std::vector<std::unique_ptr<Request>> all_requests_;
  std::vector<std::unique_ptr<Entry>> all_entries_;
  std::vector<Request*> idle_requests_;
  std::vector<Entry*> idle_entries_;
  IntrusiveList<Entry, &Entry::parked_link> parked_;  // oldest first
  std::vector<gen::ProduceResponse::NodeEndpoint> endpoints_;
  size_t in_flight_ = 0;
};

}  // namespace ottla
