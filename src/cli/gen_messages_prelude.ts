// The hand-written head of native/gen/messages.h: how to use it, and the few words that the generated
// structs are made of. Kept apart from the emitter because it is C++ text and nothing else.

export const messagesPrelude = `// Written by \`npm run gen\` from src/protocol/. Do not edit.
//
// Reading. Give a ByteReader over the body and the version; everything is checked in one pass:
//
//   ByteReader in(body);
//   FetchRequest request;
//   if (!request.read(in, version)) return close_connection();
//   FetchRequest::Topic topic;
//   FetchRequest::Partition partition;
//   for (auto topics = request.topics; topics.next(&topic);)
//     for (auto partitions = topic.partitions; partitions.next(&partition);) use(partition);
//
// Views (strings, Bytes, arrays) point into the body; null has data() == nullptr, a null array has
// count -1. Fields that a version lacks have their defaults. Unknown tagged fields are passed over.
//
// Writing. A struct is written in parts, write_to_X up to and with the count (X.count, -1 for null)
// or length of X, then the caller writes the X, then the next part; write_rest ends the struct:
//
//   response.responses.count = 1;            response.write_to_responses(sink, version);
//   topic.partitions.count = 1;              topic.write_to_partitions(sink, version);
//   partition.aborted_transactions.count = -1;
//   partition.write_to_aborted_transactions(sink, version);
//   partition.write_to_records(sink, version, slice_bytes);   // then the records themselves
//   partition.write_rest(sink, version);     // tags
//   topic.write_rest(sink, version);         response.write_rest(sink, version, node_endpoints);
//
// A Sink has \`uint8_t* reserve(size_t)\` (null: no room) and \`void commit(uint8_t* end)\`; here are one
// over a vector and one over a fixed span. Every writer returns false when there was no room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "../base/bytes.h"

namespace ottla::gen {

struct Uuid {
  uint8_t bytes[16] = {};
  bool operator==(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
};

// Appends to a vector, which keeps its capacity from response to response.
class VectorSink {
 public:
  explicit VectorSink(std::vector<uint8_t>& out) : out_(out), used_(out.size()) {}
  uint8_t* reserve(size_t bytes) {
    used_ = out_.size();
    out_.resize(used_ + bytes);
    return out_.data() + used_;
  }
  void commit(uint8_t* end) { out_.resize(static_cast<size_t>(end - out_.data())); }

 private:
  std::vector<uint8_t>& out_;
  size_t used_;
};

// Fills a fixed span and refuses what does not fit.
class SpanSink {
 public:
  explicit SpanSink(MutableBytes out) : at_(out.data()), left_(out.size()) {}
  uint8_t* reserve(size_t bytes) { return bytes <= left_ ? at_ : nullptr; }
  void commit(uint8_t* end) {
    left_ -= static_cast<size_t>(end - at_);
    at_ = end;
  }
  uint8_t* end() const { return at_; }

 private:
  uint8_t* at_;
  size_t left_;
};

// ---- reading ----

inline constexpr int64_t kStringBytesMax = INT16_MAX;

inline std::string_view read_string(ByteReader& in, bool flexible, bool nullable) {
  const int64_t length = flexible ? int64_t{in.uvarint()} - 1 : in.i16();
  if (length < 0 || length > kStringBytesMax) {
    if (length > 0 || !nullable) in.fail();
    return {};
  }
  return as_text(in.take(length));
}

inline Bytes read_bytes(ByteReader& in, bool flexible, bool nullable) {
  const int64_t length = flexible ? int64_t{in.uvarint()} - 1 : in.i32();
  if (length < 0) {
    if (!nullable) in.fail();
    return {};
  }
  return in.take(length);
}

inline Uuid read_uuid(ByteReader& in) {
  Uuid uuid;
  const Bytes bytes = in.take(sizeof uuid.bytes);
  if (in.ok()) std::memcpy(uuid.bytes, bytes.data(), sizeof uuid.bytes);
  return uuid;
}

inline void skip_tags(ByteReader& in) {
  for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
    (void)in.uvarint();
    in.skip(in.uvarint());
  }
}

inline bool read_element(ByteReader& in, int16_t, int32_t* element) {
  *element = in.i32();
  return in.ok();
}
template <typename T>
bool read_element(ByteReader& in, int16_t version, T* element) {
  return element->read(in, version);
}

// The elements of an array where they lie. Copies iterate on their own.
template <typename T>
struct Array {
  int32_t count = 0;  // -1: null
  int16_t version = 0;
  Bytes bytes;  // all elements

  // The next element, or false at the end. The bytes were checked when the message was read.
  bool next(T* element) {
    if (count <= 0) return false;
    ByteReader in(bytes);
    if (!read_element(in, version, element)) return false;
    --count;
    bytes = bytes.last(in.left());
    return true;
  }
};

// Checks every element. A count that cannot fit into what is left is refused before the first.
template <typename T>
void read_array(ByteReader& in, int16_t version, bool flexible, bool nullable, size_t bytes_min,
                Array<T>* array) {
  const int64_t count = flexible ? int64_t{in.uvarint()} - 1 : in.i32();
  *array = Array<T>{-1, version, {}};
  if (!in.ok() || (count < 0 && nullable)) return;
  if (count < 0 || static_cast<uint64_t>(count) > in.left() / bytes_min) return in.fail();
  const uint8_t* begin = in.at();
  T element;
  for (int64_t i = 0; i < count; ++i) {
    if (!read_element(in, version, &element)) return in.fail();
  }
  array->count = static_cast<int32_t>(count);
  array->bytes = Bytes(begin, static_cast<size_t>(in.at() - begin));
}

// ---- writing: the caller has reserved the room ----

inline uint8_t* put_i8(uint8_t* p, int8_t value) {
  *p = static_cast<uint8_t>(value);
  return p + 1;
}
inline uint8_t* put_i16(uint8_t* p, int16_t value) {
  store_i16(p, value);
  return p + 2;
}
inline uint8_t* put_u16(uint8_t* p, uint16_t value) {
  store_u16(p, value);
  return p + 2;
}
inline uint8_t* put_i32(uint8_t* p, int32_t value) {
  store_i32(p, value);
  return p + 4;
}
inline uint8_t* put_u32(uint8_t* p, uint32_t value) {
  store_u32(p, value);
  return p + 4;
}
inline uint8_t* put_i64(uint8_t* p, int64_t value) {
  store_i64(p, value);
  return p + 8;
}
inline uint8_t* put_uvarint(uint8_t* p, uint32_t value) {
  for (; value >= 0x80; value >>= 7) *p++ = static_cast<uint8_t>(value | 0x80);
  *p++ = static_cast<uint8_t>(value);
  return p;
}
inline uint8_t* put_uuid(uint8_t* p, const Uuid& uuid) {
  std::memcpy(p, uuid.bytes, sizeof uuid.bytes);
  return p + sizeof uuid.bytes;
}
// A count or a length; -1 is null.
inline uint8_t* put_length32(uint8_t* p, bool flexible, int32_t length) {
  return flexible ? put_uvarint(p, static_cast<uint32_t>(length + 1)) : put_i32(p, length);
}
inline uint8_t* put_raw(uint8_t* p, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(p, from, bytes);
  return p + bytes;
}
inline uint8_t* put_string(uint8_t* p, bool flexible, bool nullable, std::string_view text) {
  const bool is_null = nullable && text.data() == nullptr;
  const int16_t length = is_null ? int16_t{-1} : static_cast<int16_t>(text.size());
  p = flexible ? put_uvarint(p, static_cast<uint32_t>(length + 1)) : put_i16(p, length);
  return put_raw(p, text.data(), text.size());
}
inline uint8_t* put_array(uint8_t* p, bool flexible, std::span<const int32_t> values) {
  p = put_length32(p, flexible, static_cast<int32_t>(values.size()));
  for (const int32_t value : values) p = put_i32(p, value);
  return p;
}
template <typename T>
size_t size_of_all(std::span<const T> elements) {
  size_t total = 0;
  for (const T& element : elements) total += element.size();
  return total;
}

// ---- apis ----
`
