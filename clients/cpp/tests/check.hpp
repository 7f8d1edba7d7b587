// Owns how tests are written and run: TEST(name) { ... CHECK(condition); ... }, all of them in one executable.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace check {

struct Test {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registered {
  Registered(std::string name, std::function<void()> body) { tests().push_back({std::move(name), std::move(body)}); }
};

/// What a test that found something wrong throws.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class A, class B>
void equal(const A& found, const B& expected, const char* text, const char* file, int line) {
  if (found == expected) return;
  std::ostringstream said;
  said << file << ":" << line << ": " << text << ": found " << found << ", expected " << expected;
  throw Wrong(said.str());
}

inline void true_that(bool holds, const char* text, const char* file, int line) {
  if (holds) return;
  std::ostringstream said;
  said << file << ":" << line << ": not so: " << text;
  throw Wrong(said.str());
}

/// Runs the tests whose name begins with `prefix`. @return how many failed, or -1 where there was none to run.
inline int run(const std::string& prefix) {
  int ran = 0, failed = 0;
  for (const Test& test : tests()) {
    if (test.name.compare(0, prefix.size(), prefix) != 0) continue;
    ++ran;
    const auto began = std::chrono::steady_clock::now();
    try {
      test.body();
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
      std::cout << "ok   " << test.name << "  " << static_cast<long>(took.count()) << " ms" << std::endl;
    } catch (const std::exception& error) {
      ++failed;
      std::cout << "FAIL " << test.name << "\n     " << error.what() << std::endl;
    }
  }
  std::cout << ran << " tests, " << failed << " failed" << std::endl;
  return ran == 0 ? -1 : failed;
}

}  // namespace check

#define TEST(name)                                                       \
  static void name();                                                    \
  static const ::check::Registered registered_##name(#name, name);       \
  static void name()
#define CHECK(condition) ::check::true_that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(found, expected) ::check::equal(found, expected, #found, __FILE__, __LINE__)
