// Fuzzes what the plane reads of a stranger's frame: the request header and the generated cursors.
// The first byte chooses the message, the second its version; the rest is the frame. What is read
// is walked to its last element, so that a cursor that points outside is seen; a message that was
// read and written again must be read to the same element counts.
#include "../../../native/gen/messages.h"

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "../../../native/reactor/header.h"

namespace {

using namespace ottla;
using namespace ottla::gen;

uint64_t seen = 0;  // read by nobody, written so that nothing is optimized away

void touch(Bytes bytes) {
  for (const uint8_t byte : bytes) seen += byte;
}

int64_t walk(const ProduceRequest& request) {
  int64_t count = 0;
  auto topics = request.topic_data;
  for (ProduceRequest::TopicData topic; topics.next(&topic);) {
    auto partitions = topic.partition_data;
    for (ProduceRequest::PartitionData partition; partitions.next(&partition); ++count) {
      touch(partition.records);
    }
  }
  return count;
}

int64_t walk(const FetchRequest& request) {
  int64_t count = 0;
  auto topics = request.topics;
  for (FetchRequest::Topic topic; topics.next(&topic);) {
    auto partitions = topic.partitions;
    for (FetchRequest::Partition partition; partitions.next(&partition); ++count) {
      seen += static_cast<uint64_t>(partition.fetch_offset);
    }
  }
  auto forgotten = request.forgotten_topics_data;
  for (FetchRequest::ForgottenTopicsData topic; forgotten.next(&topic);) {
    auto partitions = topic.partitions;
    for (int32_t partition; partitions.next(&partition); ++count) {
      seen += static_cast<uint64_t>(partition);
    }
  }
  return count;
}

int64_t walk(const FetchResponse& response) {
  int64_t count = 0;
  auto topics = response.responses;
  for (FetchResponse::Response topic; topics.next(&topic);) {
    auto partitions = topic.partitions;
    for (FetchResponse::Partition partition; partitions.next(&partition); ++count) {
      touch(partition.records);
      auto aborted = partition.aborted_transactions;
      for (FetchResponse::AbortedTransaction one; aborted.next(&one);) ++count;
    }
  }
  auto nodes = response.node_endpoints;
  for (FetchResponse::NodeEndpoint node; nodes.next(&node);) ++count;
  return count;
}

int64_t walk(const OffsetForLeaderEpochRequest& request) {
  int64_t count = 0;
  auto topics = request.topics;
  for (OffsetForLeaderEpochRequest::Topic topic; topics.next(&topic);) {
    auto partitions = topic.partitions;
    for (OffsetForLeaderEpochRequest::Partition one; partitions.next(&one);) ++count;
  }
  return count;
}

template <typename Message>
void read(Bytes bytes, uint8_t version_byte) {
  constexpr int kVersions = Message::kVersionMax - Message::kVersionMin + 1;
  const auto version = static_cast<int16_t>(Message::kVersionMin + version_byte % kVersions);
  ByteReader in(bytes);
  Message message;
  if (!message.read(in, version)) return;
  // An element is at least a byte, so a frame cannot claim more of them than it has bytes.
  if (walk(message) > static_cast<int64_t>(bytes.size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  // A copy of exactly the right size: a byte read past the end is seen by the sanitizer.
  const std::vector<uint8_t> copy(data + 2, data + size);
  const Bytes bytes(copy);
  switch (data[0] % 5) {
    case 0: {
      ottla::RequestHeader header;
      if (read_request_header(copy.data(), copy.size(), &header) && header.bytes > copy.size()) {
        std::abort();
      }
      break;
    }
    case 1:
      read<ProduceRequest>(bytes, data[1]);
      break;
    case 2:
      read<FetchRequest>(bytes, data[1]);
      break;
    case 3:
      read<FetchResponse>(bytes, data[1]);
      break;
    default:
      read<OffsetForLeaderEpochRequest>(bytes, data[1]);
      break;
  }
  return 0;
}
