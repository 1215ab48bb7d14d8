// Requests as frames: the length, the header, the body. Bodies of Produce and Fetch come from the
// tables; the few requests of the set-up are written by hand in cluster.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../native/gen/messages.h"

namespace ottla::load {

inline constexpr std::string_view kClientId = "ottla-load";
inline constexpr size_t kCorrelationAt = 8;  // in a frame: length, api key, version

// Starts a frame in `*frame` (emptied); the caller writes the body, then ends it.
void begin_frame(std::vector<uint8_t>* frame, int16_t api_key, int16_t version,
                 int32_t correlation);
void end_frame(std::vector<uint8_t>* frame);
// Passes over a response's header; false when it is not the one of that request.
bool read_response_header(ByteReader& in, int16_t api_key, int16_t version, int32_t correlation);

struct TopicName {
  std::string name;
  gen::Uuid id;
};

// A Produce request of some batches, each of another partition, and where in it the partitions'
// numbers and the batches are.
struct ProduceFrame {
  struct Part {
    size_t partition_at = 0;
    size_t batch_at = 0;
  };
  std::vector<uint8_t> bytes;
  std::vector<Part> parts;
};
ProduceFrame produce_frame(const TopicName& topic, int16_t version, int16_t acks, Bytes batch,
                           int batches);

// A response to it: the first partition's error that is one, -1 when the frame makes no sense.
int produce_error(Bytes frame, int16_t version, int32_t correlation);

}  // namespace ottla::load
