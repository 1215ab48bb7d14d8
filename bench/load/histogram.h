// A latency histogram of fixed size in the layout of HdrHistogram: exact below 2,048, then 1,024
// buckets per power of two, so that a value is known to one part in a thousand at any magnitude.
// Recording is an index and an increment.
//
// Values are microseconds up to 2^32 - 1 (71 minutes); larger ones count as that. Percentiles give
// the highest value of the bucket, as HdrHistogram does: never less than what was recorded.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ottla::load {

class Histogram {
 public:
  static constexpr uint64_t kValueMax = UINT32_MAX;

  Histogram() : counts_(kLinear + (32 - kLinearBits) * kPerPower, 0) {}

  void record(int64_t value) {
    const uint64_t at = std::min(static_cast<uint64_t>(std::max<int64_t>(value, 0)), kValueMax);
    counts_[index_of(at)] += 1;
    count_ += 1;
    sum_ += at;
    min_ = std::min(min_, at);
    max_ = std::max(max_, at);
  }

  void add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }

  uint64_t count() const { return count_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  // The value that a share of 0..1 of all values does not exceed; 0 when there are none.
  uint64_t at(double share) const {
    if (count_ == 0) return 0;
    const double wanted = std::ceil(share * static_cast<double>(count_));
    const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(highest_of(i), max_);
    }
    return max_;
  }

  static size_t index_of(uint64_t value) {
    if (value < kLinear) return static_cast<size_t>(value);
    const int shift = static_cast<int>(std::bit_width(value)) - kLinearBits;
    return kLinear + static_cast<size_t>(shift - 1) * kPerPower + (value >> shift) - kPerPower;
  }
  static uint64_t highest_of(size_t index) {
    if (index < kLinear) return index;
    const size_t shift = (index - kLinear) / kPerPower + 1;
    const uint64_t part = (index - kLinear) % kPerPower + kPerPower;
    return ((part + 1) << shift) - 1;
  }

 private:
  static constexpr int kLinearBits = 11;
  static constexpr size_t kLinear = size_t{1} << kLinearBits;
  static constexpr size_t kPerPower = kLinear / 2;

  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace ottla::load
