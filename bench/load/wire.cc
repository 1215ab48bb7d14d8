// Frames from the message tables.
#include "wire.h"

#include <cstring>

namespace ottla::load {
namespace {

constexpr int32_t kTimeoutMs = 30'000;

}  // namespace

void begin_frame(std::vector<uint8_t>* frame, int16_t api_key, int16_t version,
                 int32_t correlation) {
  frame->assign(4, 0);
  gen::VectorSink sink(*frame);
  const gen::RequestHeader header{api_key, version, correlation, kClientId};
  header.write(sink, gen::request_header_version(api_key, version));
}

void end_frame(std::vector<uint8_t>* frame) {
  store_u32(frame->data(), static_cast<uint32_t>(frame->size() - 4));
}

bool read_response_header(ByteReader& in, int16_t api_key, int16_t version, int32_t correlation) {
  gen::ResponseHeader header;
  return header.read(in, gen::response_header_version(api_key, version)) &&
         header.correlation_id == correlation;
}

ProduceFrame produce_frame(const TopicName& topic, int16_t version, int16_t acks, Bytes batch,
                           int batches) {
  ProduceFrame frame;
  begin_frame(&frame.bytes, gen::kProduceKey, version, 0);
  gen::VectorSink sink(frame.bytes);
  gen::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = kTimeoutMs;
  request.topic_data.count = 1;
  request.write_to_topic_data(sink, version);
  gen::ProduceRequest::TopicData data;
  data.name = topic.name;
  data.topic_id = topic.id;
  data.partition_data.count = batches;
  data.write_to_partition_data(sink, version);
  const gen::ProduceRequest::PartitionData partition;
  for (int i = 0; i < batches; ++i) {
    const size_t partition_at = frame.bytes.size();
    partition.write_to_records(sink, version, static_cast<int32_t>(batch.size()));
    frame.parts.push_back({partition_at, frame.bytes.size()});
    frame.bytes.insert(frame.bytes.end(), batch.begin(), batch.end());
    partition.write_rest(sink, version);
  }
  data.write_rest(sink, version);
  request.write_rest(sink, version);
  end_frame(&frame.bytes);
  return frame;
}

int produce_error(Bytes frame, int16_t version, int32_t correlation) {
  ByteReader in(frame);
  if (!read_response_header(in, gen::kProduceKey, version, correlation)) return -1;
  gen::ProduceResponse response;
  gen::ProduceResponse::Response topic;
  gen::ProduceResponse::PartitionResponse partition;
  if (!response.read(in, version) || !response.responses.next(&topic)) return -1;
  int error = -1;
  while (topic.partition_responses.next(&partition)) {
    if (error <= 0) error = partition.error_code;
  }
  return error;
}

}  // namespace ottla::load
