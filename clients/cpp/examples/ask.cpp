// Asks a model and streams its answer to the terminal.
//
//     ask "Why do actors restart?" [COMMAND ...]      the command is `manus serve --stdio` where none is given
//
// stdout has the answer and nothing else; stderr the route, the usage and the cost. Ctrl-C cancels the request and
// still says what it used; a second Ctrl-C ends at once.
#include <cstdio>
#include <iostream>

#include "manus.hpp"

namespace {

// A signal handler may lock no mutex, so that `cancel` is not for it to call: it tells a thread through a pipe.
int signals[2];
constexpr char INTERRUPT = 'i', END = 'e';

void tell(char what) {
  if (::write(signals[1], &what, 1) != 1) ::_exit(1);
}

void on_interrupt(int) {
  tell(INTERRUPT);
  ::signal(SIGINT, SIG_DFL);  // the second one ends us
}

void describe(const manus::Response& response) {
  const manus::Usage& usage = response.usage;
  std::cerr << "\n[" << response.provider << "/" << response.model << ", " << response.finish_reason << ": "
            << usage.input_tokens << " tokens in, " << usage.output_tokens << " out";
  if (usage.cost_nano_usd) std::fprintf(stderr, ", $%.6f", static_cast<double>(*usage.cost_nano_usd) / 1e9);
  std::cerr << ", " << static_cast<long>(response.latency_ms) << " ms]" << std::endl;
  for (const std::string& warning : response.warnings) std::cerr << "[warning: " << warning << "]" << std::endl;
}

int complain(const manus::Error& error) {
  std::cerr << "\nask: " << error.message << " [" << error.kind << (error.retryable ? ", may be tried again" : "")
            << (error.in_doubt ? ", in doubt" : "") << "]" << std::endl;
  if (error.status) std::cerr << "the ledger says: " << manus::name_of(error.status->state) << std::endl;
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: ask PROMPT [COMMAND ...]" << std::endl;
    return 2;
  }
  manus::Options options;
  options.command.assign(words + 2, words + count);
  if (options.command.empty()) options.command = {"manus", "serve", "--stdio"};
  options.stderr_to = std::getenv("MANUS_LOG") != nullptr ? manus::Stderr::inherit : manus::Stderr::callback;
  manus::Client client(options);
  if (const auto ready = client.wait_ready(); !ready.ok()) return complain(ready.error());

  if (::pipe(signals) != 0) return 1;
  ::signal(SIGINT, on_interrupt);
  const auto print = [](const manus::Chunk& chunk) { std::cout << chunk.delta << std::flush; };
  auto call = client.stream(manus::Request(words[1]), print);
  std::thread watcher([&call] {
    char what = END;
    while (::read(signals[0], &what, 1) == 1 && what == INTERRUPT) call.cancel();
  });
  const manus::Outcome<manus::Response> outcome = call.get();
  tell(END);
  watcher.join();
  if (!outcome.ok()) return complain(outcome.error());
  describe(outcome.value());
  return outcome.value().cancelled() ? 130 : 0;
}
