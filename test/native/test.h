// The native tests' whole framework: TEST registers, CHECK reports, RUN_TESTS is main.
//
// Each *_test.cc is a program of its own: zero when every check held, one otherwise. A failed check
// prints file:line and the values and the test goes on; REQUIRE leaves the test at once. Names are
// paths, `TEST("log: recovery: torn batch at the tail is cut") { ... }`. An argument runs only the
// tests whose name contains it. Checks may be made from any thread; REQUIRE only from the test's
// own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../../native/base/status.h"

namespace ottla::test {

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline std::atomic<int>& failures() {
  static std::atomic<int> count{0};
  return count;
}

struct Register {
  Register(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

// Text of a value for a failure's message; types it does not know print as "?".
template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, Code>) {
    return "Code " + std::to_string(static_cast<int>(value));
  } else if constexpr (std::is_same_v<T, Status>) {
    return std::string("Status{code ") + std::to_string(static_cast<int>(value.code)) + ", errno " +
           std::to_string(value.error) + ", " + value.where + "}";
  } else if constexpr (std::is_null_pointer_v<T>) {
    return "null";
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return "\"" + std::string(std::string_view(value)) + "\"";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", static_cast<double>(value));
    return text;
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_pointer_v<T>) {
    return value ? "pointer" : "null";
  } else {
    return "?";
  }
}

inline void fail(const char* file, int line, const std::string& what) {
  failures().fetch_add(1);
  std::fprintf(stderr, "    %s:%d: %s\n", file, line, what.c_str());
}

// Equality that does not let signedness decide: -1 and SIZE_MAX differ.
template <typename A, typename B>
bool equal(const A& a, const B& b) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {
    if constexpr (std::is_signed_v<A> && std::is_unsigned_v<B>) {
      return a >= 0 && static_cast<std::make_unsigned_t<A>>(a) == b;
    } else if constexpr (std::is_unsigned_v<A> && std::is_signed_v<B>) {
      return b >= 0 && a == static_cast<std::make_unsigned_t<B>>(b);
    } else {
      return a == b;
    }
  } else {
    return a == b;
  }
}

template <typename A, typename B>
bool check_eq(const char* file, int line, const char* text, const A& a, const B& b) {
  if (equal(a, b)) return true;
  fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
  return false;
}

inline bool check_ok(const char* file, int line, const char* text, const Status& status) {
  if (status.ok()) return true;
  fail(file, line, std::string(text) + ": " + show(status));
  return false;
}

inline int run_all(int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  int ran = 0, failed = 0;
  for (const Case& test : cases()) {
    if (std::strstr(test.name, filter) == nullptr) continue;
    const int before = failures().load();
    test.body();
    const bool passed = failures().load() == before;
    std::printf("%s %s\n", passed ? "ok  " : "FAIL", test.name);
    std::fflush(stdout);
    ran += 1;
    failed += passed ? 0 : 1;
  }
  std::printf("%d tests, %d failed\n", ran, failed);
  return failed == 0 && ran > 0 ? 0 : 1;
}

}  // namespace ottla::test

#define OTTLA_TEST_JOIN_(a, b) a##b
#define OTTLA_TEST_JOIN(a, b) OTTLA_TEST_JOIN_(a, b)
#define OTTLA_TEST_(name, id)                                                 \
  static void OTTLA_TEST_JOIN(test_body_, id)();                              \
  static const ::ottla::test::Register OTTLA_TEST_JOIN(test_registered_, id)( \
      name, &OTTLA_TEST_JOIN(test_body_, id));                                \
  static void OTTLA_TEST_JOIN(test_body_, id)()

#define TEST(name) OTTLA_TEST_(name, __COUNTER__)
#define CHECK(condition) \
  ((condition) ? (void)0 : ::ottla::test::fail(__FILE__, __LINE__, "CHECK(" #condition ")"))
#define CHECK_EQ(a, b) \
  ((void)::ottla::test::check_eq(__FILE__, __LINE__, "CHECK_EQ(" #a ", " #b ")", (a), (b)))
#define CHECK_OK(status) \
  ((void)::ottla::test::check_ok(__FILE__, __LINE__, "CHECK_OK(" #status ")", (status)))
#define REQUIRE(condition)                                                \
  do {                                                                    \
    if (!(condition)) {                                                   \
      ::ottla::test::fail(__FILE__, __LINE__, "REQUIRE(" #condition ")"); \
      return;                                                             \
    }                                                                     \
  } while (0)
#define RUN_TESTS() \
  int main(int argc, char** argv) { return ::ottla::test::run_all(argc, argv); }
