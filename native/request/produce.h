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
// held while batches are patched in it and written from it. What waits for replicas after that
// keeps no frame but a copy of the topics' names, unless they are very many.
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
  ~Produces();
  Produces(const Produces&) = delete;
  Produces& operator=(const Produces&) = delete;

  void start(Context& context, const RequestFrame& frame);
  // A verdict has come: what is parked for it goes on, oldest first.
  void release(Context& context);
  // Parked batches of the connection end; what was launched goes on.
  void disconnected(Context& context, uint64_t conn);
  void close(Context& context);
  size_t in_flight() const { return in_flight_; }
  size_t entries_kept() const { return idle_entries_.size(); }

 private:
  struct Request;
  struct Entry;
  // Says at home that an entry's records were written elsewhere.
  struct Notice : PartitionWork {
    Entry* entry = nullptr;
    bool is_sent = false;  // the owner's word, read at home when the entry has come back
    bool is_back = false;
  };
  // One partition of a request.
  struct Entry : PartitionWork {
    ProduceOp op;
    Produces* produces = nullptr;
    Request* request = nullptr;
    Entry* following = nullptr;  // in the request
    int32_t index = -1;
    int32_t topic_handle = -1;
    bool is_internal = false;  // the topic is
    int64_t incarnation = 0;   // of the partition that `slot` meant
    bool needs_frame = false;
    bool is_early = false;  // came back before its notice, which it waits for
    Notice notice;
    ListLink parked_link;
  };
  // A topic of a request whose frame is gone.
  struct KeptTopic {
    uint32_t name_begin = 0;
    uint32_t name_bytes = 0;
    gen::Uuid id;
    int32_t partitions = 0;
  };
  struct Request {
    RequestFrame frame;
    gen::ProduceRequest parsed;  // views of the frame
    bool holds_frame = false;
    std::vector<KeptTopic> topics;  // else
    std::vector<char> names;
    Produces* produces = nullptr;
    Entry* first = nullptr;
    Entry* last = nullptr;
    int32_t unfinished = 0;
    int32_t framed = 0;  // entries that need the frame
    int32_t entries = 0;
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
  void written(Context& context, Entry* entry);
  void finished(Context& context, Entry* entry);
  static bool keep_topics(Request* request);
  static void let_go_of_frame(Context& context, Request* request);
  void answer(Context& context, Request* request);
  void write_response(Context& context, Request* request, Response* response);
  const Entry* write_topic(Context& context, Request* request, std::string_view name,
                           const gen::Uuid& id, int32_t partitions, const Entry* entry,
                           Response* response);
  void write_partition(Context& context, Request* request, const Entry& entry, Response* response);

  static void run_at_owner(PartitionWork* work, PartitionHost& host);
  static void run_at_home(PartitionWork* work, PartitionHost& host);
  static void notice_at_home(PartitionWork* work, PartitionHost& host);
  static void op_written(ProduceOp* op, PartitionHost& host);
  static void op_done(ProduceOp* op, PartitionHost& host);
  static void post_again(void* work, PartitionHost& host);
  static void send(PartitionWork* work, int reactor, PartitionHost& host);
  static void parked_too_long(void* request, PartitionHost& host);

  const RequestsOptions options_;
  std::vector<std::unique_ptr<Request>> all_requests_;
  std::vector<Request*> idle_requests_;
  std::vector<Entry*> idle_entries_;                  // ours; the others are their requests'
  IntrusiveList<Entry, &Entry::parked_link> parked_;  // oldest first
  std::vector<gen::ProduceResponse::NodeEndpoint> endpoints_;
  size_t in_flight_ = 0;
};

}  // namespace ottla
