// See header.h.
#include "header.h"

#include <string_view>

#include "../base/bytes.h"

namespace ottla {

namespace {

struct Served {
  int16_t first;
  int16_t last;
  int16_t first_flexible;
};
constexpr std::string_view kAdminClient = "__admin_client";
constexpr Served kServed[] = {{3, 13, 9}, {4, 18, 12}};  // by api key

// Skips tagged fields; null: they do not fit.
const uint8_t* skip_tagged_fields(const uint8_t* at, const uint8_t* end) {
  uint32_t count = 0;
  at = read_uvarint(at, end, &count);
  for (uint32_t i = 0; at != nullptr && i < count; i += 1) {
    uint32_t tag = 0, bytes = 0;
    at = read_uvarint(at, end, &tag);
    if (at != nullptr) at = read_uvarint(at, end, &bytes);
    if (at == nullptr || bytes > static_cast<size_t>(end - at)) return nullptr;
    at += bytes;
  }
  return at;
}

}  // namespace

bool read_request_header(const uint8_t* frame, size_t frame_bytes, RequestHeader* header) {
  constexpr size_t kFixedBytes = 8;
  if (frame_bytes < kFixedBytes) return false;
  const uint8_t* end = frame + frame_bytes;
  header->api_key = load_i16(frame);
  header->api_version = load_i16(frame + 2);
  header->correlation_id = load_i32(frame + 4);
  if (header->api_key < 0 || header->api_key > 1) return true;
  const Served& served = kServed[header->api_key];
  if (header->api_version < served.first || header->api_version > served.last) return true;
  header->is_served = true;

  const uint8_t* at = frame + kFixedBytes;
  if (end - at < 2) return false;
  const int16_t client_id_bytes = load_i16(at);
  at += 2;
  if (client_id_bytes < -1 || client_id_bytes > end - at) return false;
  if (client_id_bytes > 0) {
    header->is_admin_client =
        std::string_view(reinterpret_cast<const char*>(at), static_cast<size_t>(client_id_bytes)) ==
        kAdminClient;
    at += client_id_bytes;
  }
  if (header->api_version >= served.first_flexible) {
    at = skip_tagged_fields(at, end);
    if (at == nullptr) return false;
  }
  header->bytes = static_cast<size_t>(at - frame);
  return true;
}

}  // namespace ottla
