// base/compress.h: round trips, limits to the byte, every truncation and many corruptions, Kafka's
// frames.
#include "../../native/base/compress.h"

#include <string>
#include <vector>

#include "test.h"

using namespace ottla;

namespace {

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr size_t kNoLimit = 64 << 20;

std::vector<uint8_t> text(size_t bytes) {
  std::vector<uint8_t> out;
  uint32_t x = 12345;
  while (out.size() < bytes) {
    x = x * 1664525 + 1013904223;
    const std::string word = "offset " + std::to_string(x >> 22) + ", ";
    out.insert(out.end(), word.begin(), word.end());
  }
  out.resize(bytes);
  return out;
}

std::vector<uint8_t> packed(Codec codec, const std::vector<uint8_t>& in,
                            int level = kDefaultLevel) {
  std::vector<uint8_t> out;
  CHECK_OK(compress(codec, level, Bytes(in), &out));
  return out;
}

Code unpack(Codec codec, Bytes in, size_t limit, std::vector<uint8_t>* out) {
  return decompress(codec, in, limit, out).code;
}

}  // namespace

TEST("base: compress: every codec and level gives back what went in") {
  Codecs codecs;
  const std::pair<Codec, std::vector<int>> levels[] = {{Codec::kNone, {kDefaultLevel}},
                                                       {Codec::kGzip, {kDefaultLevel, -1, 1, 9}},
                                                       {Codec::kSnappy, {kDefaultLevel}},
                                                       {Codec::kLz4, {kDefaultLevel, 1, 9, 12, 17}},
                                                       {Codec::kZstd, {kDefaultLevel, -5, 1, 19}}};
  for (const auto& [codec, list] : levels) {
    for (const int level : list) {
      for (const size_t bytes : {0, 1, 100, 32768, 32769, 65536, 300000}) {
        const std::vector<uint8_t> in = text(bytes);
        std::vector<uint8_t> middle, out;
        CHECK_OK(codecs.compress(codec, level, Bytes(in), &middle));
        CHECK_OK(codecs.decompress(codec, Bytes(middle), kNoLimit, &out));
        CHECK(out == in);
        if (bytes > 1000 && codec != Codec::kNone) CHECK(middle.size() < bytes / 2);
      }
    }
  }
}

TEST("base: compress: levels outside the codec's range are refused") {
  std::vector<uint8_t> out;
  const std::vector<uint8_t> in = text(10);
  CHECK_EQ(compress(Codec::kGzip, 0, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(compress(Codec::kGzip, 10, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(compress(Codec::kLz4, 0, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(compress(Codec::kLz4, 18, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(compress(Codec::kZstd, 23, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(compress(static_cast<Codec>(7), 1, Bytes(in), &out).code, Code::kInvalid);
  CHECK_EQ(decompress(static_cast<Codec>(7), Bytes(in), 100, &out).code, Code::kInvalid);
}

TEST("base: compress: the limit is exact") {
  for (const Codec codec : kCodecs) {
    for (const size_t bytes : {1, 4096, 65536, 200000}) {
      const std::vector<uint8_t> in = text(bytes), middle = packed(codec, in);
      std::vector<uint8_t> out;
      CHECK_EQ(unpack(codec, Bytes(middle), bytes, &out), Code::kOk);
      CHECK(out == in);
      CHECK_EQ(unpack(codec, Bytes(middle), bytes - 1, &out), Code::kTooLarge);
      CHECK(out.capacity() <= bytes * 4 + 8192);
    }
  }
}

TEST("base: compress: a bomb costs no more than the limit") {
  const std::vector<uint8_t> zeros(16 << 20);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const std::vector<uint8_t> bomb = packed(codec, zeros);
    std::vector<uint8_t> out;
    CHECK_EQ(unpack(codec, Bytes(bomb), 100000, &out), Code::kTooLarge);
    CHECK(out.capacity() <= 200000);
  }
  // A raw snappy block that claims 2 GiB in five bytes.
  const uint8_t liar[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0};
  std::vector<uint8_t> out;
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(liar), SIZE_MAX, &out), Code::kCorrupt);
  CHECK(out.capacity() < 10000);
}

TEST("base: compress: every truncation is noticed") {
  const std::vector<uint8_t> in = text(600);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const std::vector<uint8_t> middle = packed(codec, in);
    std::vector<uint8_t> out;
    for (size_t cut = 0; cut < middle.size(); cut += 1) {
      // The xerial stream has no end mark: a cut between blocks is an emptier stream.
      if (codec == Codec::kSnappy && cut == 16) continue;
      const std::vector<uint8_t> piece(middle.begin(), middle.begin() + static_cast<long>(cut));
      CHECK_EQ(unpack(codec, Bytes(piece), kNoLimit, &out), Code::kCorrupt);
    }
  }
}

TEST("base: compress: flipped bits are an error or other bytes, never more") {
  const std::vector<uint8_t> in = text(400);
  Codecs codecs;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    std::vector<uint8_t> middle = packed(codec, in), out;
    for (size_t bit = 0; bit < middle.size() * 8; bit += 1) {
      middle[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
      const Status status = codecs.decompress(codec, Bytes(middle), 10000, &out);
      CHECK(status.ok() || status.code == Code::kCorrupt || status.code == Code::kTooLarge);
      CHECK(out.size() <= 10000);
      middle[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    }
    CHECK_OK(codecs.decompress(codec, Bytes(middle), 10000, &out));
    CHECK(out == in);
  }
}

TEST("base: compress: snappy: raw blocks, xerial streams and streams in a row") {
  // "ab" as a raw block: length 2, literal of 2.
  const std::vector<uint8_t> raw = {2, 4, 'a', 'b'};
  std::vector<uint8_t> out;
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(raw), 10, &out), Code::kOk);
  CHECK_EQ(as_text(Bytes(out)), "ab");
  std::vector<uint8_t> stream = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0,   1,
                                 0,    0,   0,   1,   0,   0,   0,   4, 2, 4, 'a', 'b'};
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(stream), 10, &out), Code::kOk);
  CHECK_EQ(as_text(Bytes(out)), "ab");
  CHECK(packed(Codec::kSnappy, {'a', 'b'}) == stream);
  const std::vector<uint8_t> once = stream;
  stream.insert(stream.end(), once.begin(), once.end());
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(stream), 10, &out), Code::kOk);
  CHECK_EQ(as_text(Bytes(out)), "abab");
  stream[11] = 0;  // a version that never was: nobody looks at the first
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(stream), 10, &out), Code::kOk);
  stream[once.size() + 11] = 0;
  CHECK_EQ(unpack(Codec::kSnappy, Bytes(stream), 10, &out), Code::kCorrupt);
}

TEST("base: compress: gzip members and zstd frames in a row are one stream") {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    std::vector<uint8_t> both = packed(codec, {'a', 'b'}), out;
    const std::vector<uint8_t> second = packed(codec, {'c'});
    both.insert(both.end(), second.begin(), second.end());
    CHECK_EQ(unpack(codec, Bytes(both), 10, &out), Code::kOk);
    CHECK_EQ(as_text(Bytes(out)), "abc");
    CHECK_EQ(unpack(codec, Bytes(both), 2, &out), Code::kTooLarge);
  }
}

TEST("base: compress: lz4: Kafka's frame descriptor, and nothing after the end mark counts") {
  std::vector<uint8_t> frame = packed(Codec::kLz4, text(1000)), out;
  CHECK_EQ(load_u32_le(frame.data()), 0x184d2204u);
  CHECK_EQ(frame[4], 0x60);  // version 1, independent blocks, no checksums, no content size
  CHECK_EQ(frame[5], 0x40);  // blocks of 64 KiB
  frame.push_back(0xff);
  CHECK_EQ(unpack(Codec::kLz4, Bytes(frame), 1000, &out), Code::kOk);
  CHECK(out == text(1000));
}

// What Apache Kafka 4.3.1 writes at its default levels for one short text.
TEST("base: compress: Kafka's own bytes are read") {
  const std::string plain =
      "first light, first light, first light: a batch of records, a batch of records";
  const std::pair<Codec, const char*> golden[] = {
      {Codec::kGzip,
       "1f8b08000000000000ff4bcb2c2a2e51c8c94ccf28d15148c3c1b1524854484a2c49ce50c84f53284a4d"
       "ce2f4a29d6c12206003ab9430a4d000000"},
      {Codec::kSnappy,
       "82534e415050590000000001000000010000002b4d306669727374206c696768742c205e0d00503a2061"
       "206261746368206f66207265636f7264732c4a1400"},
      {Codec::kLz4,
       "04224d1860408230000000df6669727374206c696768742c200d0005fa063a2061206261746368206f66"
       "207265636f7264732c140050636f72647300000000"},
      {Codec::kZstd,
       "28b52ffd005864010024026669727374206c696768742c203a2061206261746368206f66207265636f72"
       "64732c02006f260c80f30b010000"}};
  for (const auto& [codec, hex] : golden) {
    std::vector<uint8_t> in, out;
    for (const char* at = hex; *at != 0; at += 2) {
      in.push_back(static_cast<uint8_t>(std::stoi(std::string(at, 2), nullptr, 16)));
    }
    CHECK_EQ(unpack(codec, Bytes(in), plain.size(), &out), Code::kOk);
    CHECK_EQ(as_text(Bytes(out)), plain);
  }
}

RUN_TESTS()
