// Spinner: whether a reactor that is out of work takes another turn at once instead of going to
// sleep. To wake a sleeping thread costs both sides tens of microseconds, more than a busy client
// needs for its next request; but who looks on takes a core from somebody.
//
// So it looks on only after some waits, one after the other, that were over within the bound, never
// for longer than the bound, and not again, once it did so in vain, until as many short waits were
// seen. Whoever asks for something now and then is waited for asleep. Where somebody else had the
// core meanwhile, there are more threads than cores: who sleeps is then run sooner than who looks
// on, so that it sleeps for a while. Pure: the clock is the caller's.
#pragma once

#include <cstdint>

namespace ottla {

class Spinner {
 public:
  static constexpr int kShortWaits = 4;
  // What a wait that was slept through takes longer, for the wake-up itself.
  static constexpr int64_t kWakeUs = 40;
  // Not run for so long between two looks: somebody else was. And for how long it then sleeps.
  static constexpr int64_t kGoneUs = 300;
  static constexpr int64_t kApartUs = 100 * 1000;

  explicit Spinner(int64_t us_max) : us_max_(us_max) {}

  // Nothing is to be done. False: sleep.
  bool looks_on(int64_t now_us) {
    if (us_max_ == 0) return false;
    if (state_ == State::kBusy) {
      since_us_ = now_us;
      const bool may = short_waits_ >= kShortWaits && now_us >= apart_until_us_;
      state_ = may ? State::kLooksOn : State::kSleeps;
    } else if (state_ == State::kLooksOn) {
      notice(now_us);
      if (now_us - since_us_ >= us_max_) state_ = State::kSleepsAfterAll;
    }
    looked_us_ = now_us;
    return state_ == State::kLooksOn;
  }

  // Something was to be done.
  void found(int64_t now_us) {
    if (state_ == State::kBusy) return;
    if (state_ == State::kLooksOn) notice(now_us);
    const int64_t most_us = state_ == State::kSleeps ? us_max_ + kWakeUs : us_max_;
    const bool is_short = state_ != State::kSleepsAfterAll && now_us - since_us_ <= most_us;
    if (!is_short) short_waits_ = 0;
    if (is_short && short_waits_ < kShortWaits) short_waits_ += 1;
    state_ = State::kBusy;
  }

 private:
  enum class State : uint8_t { kBusy, kLooksOn, kSleeps, kSleepsAfterAll };

  void notice(int64_t now_us) {
    if (now_us - looked_us_ > kGoneUs) apart_until_us_ = now_us + kApartUs;
  }

  const int64_t us_max_;  // 0: never looks on
  int64_t since_us_ = 0;
  int64_t looked_us_ = 0;
  int64_t apart_until_us_ = 0;
  int short_waits_ = 0;
  State state_ = State::kBusy;
};

}  // namespace ottla
