// Owns what the tests of the client share: options that start the misbehaving peer, and looking at processes.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "../manus.hpp"
#include "check.hpp"

namespace rig {

using namespace std::chrono_literals;
using manus::Milliseconds;

/// No test waits longer than this for anything; what takes longer is hung.
inline constexpr Milliseconds PATIENCE{60'000};

/// The peer's executable.
inline std::string& peer() {
  static std::string path;
  return path;
}

/// Options with short times, for a peer with these habits.
inline manus::Options options(std::vector<std::string> habits = {}) {
  manus::Options made;
  made.command = {peer()};
  for (std::string& habit : habits) made.command.push_back(std::move(habit));
  made.stderr_to = manus::Stderr::discard;
  made.restart.backoff_min = 1ms;
  made.restart.backoff_max = 4ms;
  made.restart.deaths_max = 1'000'000;
  made.stop_grace = 500ms;
  return made;
}

inline manus::Request request(const std::string& prompt, Milliseconds timeout = PATIENCE) {
  manus::Request made(prompt);
  made.timeout = timeout;
  return made;
}

/// Waits until something is so.
template <class Condition>
void eventually(Condition&& condition, const char* what) {
  const auto give_up_at = std::chrono::steady_clock::now() + PATIENCE;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up_at) throw check::Wrong(std::string("never came about: ") + what);
    std::this_thread::sleep_for(1ms);
  }
}

/// Tells whether this process has a child of this id, dead or alive.
inline bool is_child(pid_t pid) {
  siginfo_t found{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &found, WEXITED | WNOHANG | WNOWAIT) == 0;
}

inline bool has_children() {
  siginfo_t found{};
  return ::waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// A peer that is started by the test itself, and gone at its end however that comes.
struct Server : manus::detail::Child {
  ~Server() {
    signal(SIGKILL);
    reap(true);
  }
};

/// A file name that nobody else uses; the file is removed at the end.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "manus-cpp-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory: " + name);
    directory_ = name;
    path = name + "/scratch";
  }
  ~Scratch() {
    std::error_code ignored;  // what cannot be removed is left: a test that failed may still be using it
    std::filesystem::remove_all(directory_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path;

 private:
  std::string directory_;
};

/// How many descriptors this process has open.
inline int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

}  // namespace rig
