// The header of a request that C++ serves: Produce 3–13 and Fetch 4–18. Kafka: RequestHeader,
// header versions 1 and 2 (KIP-482: tagged fields after the client id, whose own form stays).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ottla {

struct RequestHeader {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  bool is_served = false;        // the version is one of ours
  bool is_admin_client = false;  // the client id of Kafka's own admin client
  size_t bytes = 0;              // of the header
};

// False: malformed. An unserved version is read no further than its correlation id.
bool read_request_header(const uint8_t* frame, size_t frame_bytes, RequestHeader* header);

}  // namespace ottla
