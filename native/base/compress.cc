// Each codec below is a pair: unpack into a Sink that knows the limit, pack with Kafka's
// parameters.
#include "compress.h"

#include <lz4frame.h>
#include <lz4hc.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "assert.h"

namespace ottla {

namespace {

constexpr char kWhere[] = "compress";

Status corrupt() { return Status::fail(Code::kCorrupt, kWhere); }
Status too_large() { return Status::fail(Code::kTooLarge, kWhere); }
Status invalid() { return Status::fail(Code::kInvalid, kWhere); }
Status no_memory() { return Status::fail(Code::kBusy, kWhere); }

// Output that grows by doubling up to the limit; the first guess is four times the input.
class Sink {
 public:
  Sink(std::vector<uint8_t>* out, size_t bytes_max, size_t in_bytes)
      : out_(out), bytes_max_(bytes_max) {
    out_->clear();
    out_->resize(std::min(bytes_max, std::max<size_t>(in_bytes * 4, 4096)));
  }

  uint8_t* at() { return out_->data() + used_; }
  size_t room() const { return out_->size() - used_; }
  void advance(size_t bytes) { used_ += bytes; }
  // Makes room for `bytes` more; false: over the limit.
  bool reserve(size_t bytes) {
    if (bytes > bytes_max_ - used_) return false;
    if (bytes > room())
      out_->resize(std::min(bytes_max_, std::max(out_->size() * 2, used_ + bytes)));
    return true;
  }
  bool grow() { return room() > 0 || reserve(1); }
  void finish() { out_->resize(used_); }

 private:
  std::vector<uint8_t>* out_;
  size_t bytes_max_;
  size_t used_ = 0;
};

// ---- gzip ----

bool is_gzip(Bytes in) { return in.size() >= 2 && in[0] == 0x1f && in[1] == 0x8b; }

// Members follow each other; what follows the last and is no member is ignored (as Java's
// GZIPInputStream). A full Sink is not yet too much: the end of the stream may follow, so one spare
// byte decides.
Status unpack_gzip(z_stream* stream, Bytes in, Sink* sink) {
  if (!is_gzip(in)) return corrupt();
  if (in.size() > UINT_MAX) return too_large();
  stream->next_in = const_cast<uint8_t*>(in.data());
  stream->avail_in = static_cast<unsigned>(in.size());
  uint8_t spare = 0;
  while (is_gzip({stream->next_in, stream->avail_in})) {
    if (inflateReset(stream) != Z_OK) return corrupt();
    for (int result = Z_OK; result != Z_STREAM_END;) {
      const bool is_full = !sink->grow();
      const unsigned room =
          is_full ? 1 : static_cast<unsigned>(std::min<size_t>(sink->room(), UINT_MAX));
      stream->next_out = is_full ? &spare : sink->at();
      stream->avail_out = room;
      result = inflate(stream, Z_NO_FLUSH);
      const unsigned made = room - stream->avail_out;
      if (result != Z_OK && result != Z_STREAM_END) return corrupt();
      if (is_full && made > 0) return too_large();
      if (!is_full) sink->advance(made);
      if (result == Z_OK && made == 0 && stream->avail_in == 0) return corrupt();  // cut short
    }
  }
  return Status::good();
}

Status pack_gzip(int level, Bytes in, std::vector<uint8_t>* out) {
  if (level != Z_DEFAULT_COMPRESSION && (level < 1 || level > 9)) return invalid();
  if (in.size() > UINT_MAX / 2) return too_large();
  constexpr int kWindowBits = 15, kGzipHeader = 16, kMemoryLevel = 8;
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, kWindowBits + kGzipHeader, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return no_memory();
  }
  out->resize(deflateBound(&stream, in.size()));
  stream.next_in = const_cast<uint8_t*>(in.data());
  stream.avail_in = static_cast<unsigned>(in.size());
  stream.next_out = out->data();
  stream.avail_out = static_cast<unsigned>(out->size());
  const int result = deflate(&stream, Z_FINISH);
  OTTLA_ASSERT(result == Z_STREAM_END, "deflateBound is a bound");
  out->resize(stream.total_out);
  deflateEnd(&stream);
  return Status::good();
}

// ---- snappy, in xerial's stream: magic, version, oldest compatible version, then (length, block)*
// ----

constexpr uint8_t kXerialMagic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t kXerialHeaderBytes = 16;
constexpr int32_t kXerialVersion = 1;
constexpr size_t kXerialBlockBytes = 32 * 1024;

bool is_xerial(Bytes in) {
  return in.size() >= kXerialHeaderBytes && std::memcmp(in.data(), kXerialMagic, 8) == 0;
}

Status unpack_snappy_block(Bytes block, Sink* sink) {
  const char* from = reinterpret_cast<const char*>(block.data());
  size_t bytes = 0;
  if (!snappy::GetUncompressedLength(from, block.size(), &bytes)) return corrupt();
  // A copy element of 3 bytes yields 64 at most: a larger claim is a lie and is not allocated for.
  if (bytes / 64 > block.size()) return corrupt();
  if (!sink->reserve(bytes)) return too_large();
  if (!snappy::RawUncompress(from, block.size(), reinterpret_cast<char*>(sink->at()))) {
    return corrupt();
  }
  sink->advance(bytes);
  return Status::good();
}

// Streams may be concatenated. Without the magic it is one raw block, as old producers sent. As in
// snappy-java, which Kafka's consumers read by, only a later stream's version counts.
Status unpack_snappy(Bytes in, Sink* sink) {
  if (!is_xerial(in)) return unpack_snappy_block(in, sink);
  in = in.subspan(kXerialHeaderBytes);
  while (!in.empty()) {
    if (is_xerial(in)) {
      if (load_i32(in.data() + 8) < kXerialVersion) return corrupt();
      in = in.subspan(kXerialHeaderBytes);
      continue;
    }
    ByteReader reader(in);
    const Bytes block = reader.take(reader.i32());
    if (!reader.ok()) return corrupt();
    OTTLA_TRY(unpack_snappy_block(block, sink));
    in = in.subspan(4 + block.size());
  }
  return Status::good();
}

Status pack_snappy(int level, Bytes in, std::vector<uint8_t>* out) {
  if (level != kDefaultLevel) return invalid();
  const size_t blocks = in.size() / kXerialBlockBytes + 1;
  out->resize(kXerialHeaderBytes + blocks * (4 + snappy::MaxCompressedLength(kXerialBlockBytes)));
  uint8_t* at = out->data();
  std::memcpy(at, kXerialMagic, 8);
  store_i32(at + 8, kXerialVersion);
  store_i32(at + 12, kXerialVersion);
  at += kXerialHeaderBytes;
  while (!in.empty()) {
    const Bytes block = in.first(std::min(in.size(), kXerialBlockBytes));
    size_t bytes = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                        reinterpret_cast<char*>(at + 4), &bytes);
    store_i32(at, static_cast<int32_t>(bytes));
    at += 4 + bytes;
    in = in.subspan(block.size());
  }
  out->resize(static_cast<size_t>(at - out->data()));
  return Status::good();
}

// ---- lz4: one frame; bytes after its end mark are ignored (as Kafka's Lz4BlockInputStream) ----

constexpr uint32_t kLz4Magic = 0x184d2204;

Status unpack_lz4(LZ4F_dctx* context, Bytes in, Sink* sink) {
  if (in.size() < 7 || load_u32_le(in.data()) != kLz4Magic) return corrupt();
  LZ4F_resetDecompressionContext(context);
  uint8_t spare = 0;
  for (;;) {
    const bool is_full = !sink->grow();
    size_t made = is_full ? 1 : sink->room(), taken = in.size();
    const size_t hint =
        LZ4F_decompress(context, is_full ? &spare : sink->at(), &made, in.data(), &taken, nullptr);
    if (LZ4F_isError(hint)) return corrupt();
    if (is_full && made > 0) return too_large();
    if (!is_full) sink->advance(made);
    in = in.subspan(taken);
    if (hint == 0) return Status::good();
    if (made == 0 && taken == 0) return corrupt();  // cut short
  }
}

// Kafka's frame: independent blocks of 64 KiB, no checksums but the header's. Its level 9, the
// default, is the fast compressor and not the ninth of the slow one.
Status pack_lz4(int level, Bytes in, std::vector<uint8_t>* out) {
  constexpr int kKafkaDefault = 9, kKafkaMin = 1, kKafkaMax = 17;
  if (level == kDefaultLevel) level = kKafkaDefault;
  if (level < kKafkaMin || level > kKafkaMax) return invalid();
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel =
      level == kKafkaDefault ? 0 : std::clamp<int>(level, LZ4HC_CLEVEL_MIN, LZ4HC_CLEVEL_MAX);
  out->resize(LZ4F_compressFrameBound(in.size(), &preferences));
  const size_t bytes =
      LZ4F_compressFrame(out->data(), out->size(), in.data(), in.size(), &preferences);
  if (LZ4F_isError(bytes)) return no_memory();
  out->resize(bytes);
  return Status::good();
}

// ---- zstd: frames follow each other. Windows up to the library's own limit of 128 MiB, touched
// only as far as output is made. ----

Status unpack_zstd(ZSTD_DCtx* context, Bytes in, Sink* sink) {
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  uint8_t spare = 0;
  for (size_t hint = 1; input.pos < input.size || hint != 0;) {
    const bool is_full = !sink->grow();
    ZSTD_outBuffer output{is_full ? &spare : sink->at(), is_full ? 1 : sink->room(), 0};
    const size_t before = input.pos;
    hint = ZSTD_decompressStream(context, &output, &input);
    if (ZSTD_isError(hint)) return corrupt();
    if (is_full && output.pos > 0) return too_large();
    if (!is_full) sink->advance(output.pos);
    if (hint != 0 && output.pos == 0 && input.pos == before) return corrupt();  // cut short
  }
  return Status::good();
}

Status pack_zstd(ZSTD_CCtx* context, int level, Bytes in, std::vector<uint8_t>* out) {
  constexpr int kKafkaDefault = 3;
  if (level == kDefaultLevel) level = kKafkaDefault;
  if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel()) return invalid();
  out->resize(ZSTD_compressBound(in.size()));
  const size_t bytes =
      ZSTD_compressCCtx(context, out->data(), out->size(), in.data(), in.size(), level);
  if (ZSTD_isError(bytes)) return no_memory();
  out->resize(bytes);
  return Status::good();
}

}  // namespace

struct Codecs::Contexts {
  ~Contexts() {
    if (has_inflate) inflateEnd(&inflate);
    LZ4F_freeDecompressionContext(lz4);
    ZSTD_freeDCtx(zstd_in);
    ZSTD_freeCCtx(zstd_out);
  }

  // Each is made when first needed; false: no memory.
  bool need_inflate() {
    constexpr int kWindowBits = 15, kGzipHeader = 16;
    has_inflate = has_inflate || inflateInit2(&inflate, kWindowBits + kGzipHeader) == Z_OK;
    return has_inflate;
  }
  bool need_lz4() {
    return lz4 != nullptr || !LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION));
  }
  bool need_zstd_in() { return zstd_in != nullptr || (zstd_in = ZSTD_createDCtx()) != nullptr; }
  bool need_zstd_out() { return zstd_out != nullptr || (zstd_out = ZSTD_createCCtx()) != nullptr; }

  z_stream inflate{};
  bool has_inflate = false;
  LZ4F_dctx* lz4 = nullptr;
  ZSTD_DCtx* zstd_in = nullptr;
  ZSTD_CCtx* zstd_out = nullptr;
};

Codecs::Codecs() : contexts_(std::make_unique<Contexts>()) {}
Codecs::~Codecs() = default;

Status Codecs::decompress(Codec codec, Bytes in, size_t out_bytes_max, std::vector<uint8_t>* out) {
  if (codec == Codec::kNone) {
    if (in.size() > out_bytes_max) return too_large();
    out->assign(in.begin(), in.end());
    return Status::good();
  }
  if (in.empty()) return corrupt();
  Sink sink(out, out_bytes_max, in.size());
  Status status = invalid();
  switch (codec) {
    case Codec::kNone:
      break;
    case Codec::kGzip:
      status =
          contexts_->need_inflate() ? unpack_gzip(&contexts_->inflate, in, &sink) : no_memory();
      break;
    case Codec::kSnappy:
      status = unpack_snappy(in, &sink);
      break;
    case Codec::kLz4:
      status = contexts_->need_lz4() ? unpack_lz4(contexts_->lz4, in, &sink) : no_memory();
      break;
    case Codec::kZstd:
      status = contexts_->need_zstd_in() ? unpack_zstd(contexts_->zstd_in, in, &sink) : no_memory();
      break;
  }
  sink.finish();
  return status;
}

Status Codecs::compress(Codec codec, int level, Bytes in, std::vector<uint8_t>* out) {
  switch (codec) {
    case Codec::kNone:
      out->assign(in.begin(), in.end());
      return Status::good();
    case Codec::kGzip:
      return pack_gzip(level == kDefaultLevel ? Z_DEFAULT_COMPRESSION : level, in, out);
    case Codec::kSnappy:
      return pack_snappy(level, in, out);
    case Codec::kLz4:
      return pack_lz4(level, in, out);
    case Codec::kZstd:
      if (!contexts_->need_zstd_out()) return no_memory();
      return pack_zstd(contexts_->zstd_out, level, in, out);
  }
  return invalid();
}

Status decompress(Codec codec, Bytes in, size_t out_bytes_max, std::vector<uint8_t>* out) {
  return Codecs().decompress(codec, in, out_bytes_max, out);
}

Status compress(Codec codec, int level, Bytes in, std::vector<uint8_t>* out) {
  return Codecs().compress(codec, level, in, out);
}

}  // namespace ottla
