// The server's lives and deaths: starting, dying, coming back, ending; what becomes of calls, processes, descriptors.
#include "rig.hpp"

using namespace rig;
using manus::Books;
using manus::Chunk;
using manus::Response;

namespace {

manus::Options with_ledger(const Scratch& ledger) { return options({"--ledger", ledger.path}); }

}  // namespace

TEST(lives_a_command_that_is_not_there_is_a_definite_error) {
  manus::Options made;
  made.command = {"/nowhere/manus"};
  manus::Client client(made);
  CHECK_EQUAL(client.wait_ready(PATIENCE).error().kind, "not_started");
  const manus::Error error = client.generate(request("say 1")).get().error();
  CHECK_EQUAL(error.kind, "not_started");
  CHECK(error.retryable);
  CHECK(error.message.find("/nowhere/manus") != std::string::npos);
  eventually([&] { return client.state() == manus::State::failed; }, "the failed state");
}

TEST(lives_one_that_ends_before_it_greets_is_not_tried_again) {
  manus::Options made = options({"quit"});
  made.stderr_to = manus::Stderr::callback;
  manus::Client client(made);
  auto waiting = client.generate(request("say 1"));
  const manus::Error error = waiting.get().error();
  CHECK_EQUAL(error.kind, "not_started");
  CHECK(error.message.find("exit status 3") != std::string::npos);
  CHECK(error.message.find("no such configuration") != std::string::npos);
  CHECK_EQUAL(client.statistics().starts, 0u);
}

TEST(lives_one_that_speaks_another_version_or_nothing_is_refused) {
  manus::Client old(options({"old"}));
  CHECK_EQUAL(old.wait_ready(PATIENCE).error().kind, "not_started");
  manus::Options made = options({"mute"});
  made.start_timeout = 50ms;
  manus::Client mute(made);
  CHECK(mute.wait_ready(PATIENCE).error().message.find("start_timeout") != std::string::npos);
}

TEST(lives_calls_that_died_with_the_server_are_asked_about) {
  const Scratch ledger;
  manus::Client client(with_ledger(ledger));
  int heard = 0;
  auto stream = client.stream(request("die-after 7"), [&](const Chunk&) { ++heard; });
  const manus::Error error = stream.get().error();
  CHECK_EQUAL(heard, 7);
  CHECK_EQUAL(error.kind, "server_lost");
  CHECK(error.message.find("signal 9") != std::string::npos);
  CHECK(error.status.has_value());
  CHECK(error.status->state == Books::in_doubt);
  CHECK(error.in_doubt);
  CHECK(!error.retryable);
  CHECK_EQUAL(error.status->request_key, stream.request_key());
  CHECK(client.generate(request("say 1")).get().ok());
  CHECK_EQUAL(client.statistics().starts, 2u);
}

TEST(lives_what_the_ledger_says_decides_what_may_be_repeated) {
  const Scratch ledger;
  {
    std::ofstream file(ledger.path);
    file << "mine settled\nyours released\n";
  }
  manus::Client client(with_ledger(ledger));
  CHECK(client.request_status("mine").value().state == Books::settled);
  CHECK(client.request_status("yours").value().state == Books::released);
  const manus::Error half = client.generate(request("die-midline")).get().error();
  CHECK(half.status->state == Books::in_doubt);
  // Sent, but read by nobody: the ledger does not know it, so it may be repeated; unless books die with the server.
  for (const bool forgetful : {false, true}) {
    manus::Options made = with_ledger(ledger);
    if (forgetful) made.command = {peer(), "forgetful"};
    manus::Client other(made);
    auto killer = other.generate(request("die"));
    std::vector<manus::Call<Response>> behind;
    for (int times = 0; times < 5; ++times) behind.push_back(other.generate(request("say 1")));
    CHECK(!killer.get().ok());
    for (const auto& call : behind) {
      const auto outcome = call.get();
      if (outcome.ok()) continue;  // it had not left, and was sent to the next server
      CHECK(outcome.error().status->state == Books::unknown);
      CHECK_EQUAL(outcome.error().retryable, !forgetful);
      CHECK_EQUAL(outcome.error().in_doubt, forgetful);
    }
  }
}

TEST(lives_what_had_not_left_is_sent_to_the_next_server) {
  const Scratch ledger;
  manus::Options made = with_ledger(ledger);
  made.command.push_back("deaf-once");
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  // The pipe takes the first line, and the beginning of the second.
  std::vector<manus::Call<Response>> calls;
  const std::string prompt = "say 1 " + std::string(60'000, 'x');
  for (int times = 0; times < 6; ++times) calls.push_back(client.generate(request(prompt)));
  eventually([&] { return client.statistics().queued_bytes < 5 * 60'000; }, "two lines on their way");
  ::kill(client.pid(), SIGKILL);
  const manus::Outcome<Response> first = calls[0].get();
  CHECK(first.ok() || first.error().status->state == Books::unknown);
  for (std::size_t number = 1; number < calls.size(); ++number) CHECK(calls[number].get().ok());
}

TEST(lives_books_that_are_still_open_are_asked_again) {
  const Scratch ledger;
  manus::Client client(with_ledger(ledger));
  const manus::Error error = client.generate(request("die-open")).get().error();
  CHECK(error.status.has_value());
  CHECK(error.status->state == Books::in_doubt);
}

TEST(lives_a_second_death_while_the_books_are_asked_delays_the_answer_alone) {
  const Scratch ledger;
  manus::Client client(with_ledger(ledger));
  const manus::Error error = client.generate(request("die-twice")).get().error();
  CHECK(error.status.has_value());
  CHECK(error.status->state == Books::in_doubt);
  CHECK_EQUAL(client.statistics().starts, 3u);
}

TEST(lives_without_restart_every_call_ends_at_once) {
  manus::Options made = options();
  made.restart.enabled = false;
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  auto hanging = client.generate(request("hang"));
  auto asked = client.generate(request("die"));
  CHECK(hanging.get().error().in_doubt);
  CHECK(asked.get().error().in_doubt);
  CHECK(!hanging.get().error().status.has_value());
  const manus::Error later = client.generate(request("say 1")).get().error();
  CHECK_EQUAL(later.kind, "server_lost");
  CHECK(later.retryable);
  CHECK(client.state() == manus::State::failed || client.state() == manus::State::restarting);
}

TEST(lives_questions_that_bill_nothing_may_be_repeated) {
  manus::Options made = options();
  made.restart.enabled = false;
  manus::Client client(made);
  auto dead = client.generate(request("die"));
  auto question = client.call("ping", {{"echo", "x"}});
  const auto outcome = question.get();
  CHECK(!outcome.ok());
  CHECK(outcome.error().retryable);
  CHECK(!outcome.error().in_doubt);
  CHECK(!dead.get().ok());
}

TEST(lives_a_server_that_dies_too_often_is_given_up) {
  manus::Options made = options();
  made.restart.deaths_max = 3;
  std::mutex mutex;
  std::vector<manus::Event::Kind> events;
  made.on_event = [&](const manus::Event& event) {
    const std::lock_guard<std::mutex> lock(mutex);
    events.push_back(event.kind);
  };
  manus::Client client(made);
  for (int times = 0; times < 4; ++times) CHECK(!client.generate(request("die")).get().ok());
  CHECK_EQUAL(client.generate(request("say 1")).get().error().kind, "server_lost");
  eventually([&] { return client.state() == manus::State::failed; }, "giving up");
  CHECK_EQUAL(client.statistics().starts, 4u);
  const auto count = [&](manus::Event::Kind kind) {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::count(events.begin(), events.end(), kind);
  };
  eventually([&] { return count(manus::Event::Kind::failed) == 1; }, "the event");
  CHECK_EQUAL(count(manus::Event::Kind::started), 4);
  CHECK_EQUAL(count(manus::Event::Kind::lost), 4);
  CHECK_EQUAL(count(manus::Event::Kind::restarting), 3);
}

TEST(lives_a_server_that_closes_a_pipe_or_leaves_is_lost_too) {
  for (const char* prompt : {"close-stdin", "close-stdout", "stop"}) {
    manus::Client client(options());
    const manus::Error error = client.generate(request(prompt)).get().error();
    CHECK_EQUAL(error.kind, "server_lost");
    CHECK(client.generate(request("say 1")).get().ok());
  }
}

TEST(lives_a_timeout_is_kept_while_the_server_is_away) {
  manus::Options made = options();
  made.restart.backoff_min = made.restart.backoff_max = 3'600'000ms;
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  auto lost = client.generate(request("die", 1000ms));
  const manus::Error error = lost.get().error();
  CHECK(error.in_doubt);
  CHECK(!error.status.has_value());
  const manus::Error queued = client.generate(request("say 1", 20ms)).get().error();
  CHECK_EQUAL(queued.kind, "timeout");
  CHECK(queued.retryable);
  CHECK(client.state() == manus::State::restarting);
}

TEST(lives_an_orderly_end_reports_itself_and_refuses_what_comes_later) {
  manus::Client client(options());
  auto hanging = client.generate(request("hang"));
  CHECK(client.wait_ready(PATIENCE).ok());
  const manus::ShutdownReport report = client.shutdown();
  CHECK(report.how == manus::ShutdownReport::How::orderly);
  CHECK_EQUAL(report.status, "exit status 0");
  CHECK(!hanging.get().ok());
  CHECK_EQUAL(client.ping().get().error().kind, "closed");
  CHECK(client.state() == manus::State::closed);
  CHECK(client.shutdown().how == manus::ShutdownReport::How::orderly);
}

TEST(lives_closing_before_it_is_ready_ends_what_waits) {
  manus::Client client(options({"mute"}));
  auto waiting = client.generate(request("say 1"));
  CHECK(client.shutdown().how == manus::ShutdownReport::How::orderly);
  CHECK_EQUAL(waiting.get().error().kind, "closed");
  CHECK(waiting.get().error().retryable);
}

TEST(lives_a_stubborn_server_is_killed) {
  manus::Options made = options({"stubborn"});
  made.stop_grace = 20ms;
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  const pid_t pid = client.pid();
  CHECK(is_child(pid));
  auto coma = client.generate(request("coma"));
  CHECK(client.ping().get().ok());
  CHECK(client.shutdown(10ms).how == manus::ShutdownReport::How::killed);
  CHECK(!is_child(pid));
  CHECK_EQUAL(coma.get().error().kind, "closed");
  CHECK(coma.get().error().in_doubt);
}

TEST(lives_nothing_is_left_behind) {
  const int before = open_descriptors();
  for (int times = 0; times < 10; ++times) {
    manus::Client client(options());
    if (times % 3 == 0) client.generate(request("die")).get();
    if (times % 3 == 1) client.ping().get();
  }
  CHECK(!has_children());
  CHECK_EQUAL(open_descriptors(), before);
}

TEST(lives_descriptors_of_ours_are_not_inherited) {
  const int ours = ::dup(STDIN_FILENO);  // below it stands what the host had open
  ::close(ours);
  manus::Client one(options()), two(options());
  CHECK(one.ping().get().ok());
  CHECK(two.ping().get().ok());
  int pipes = 0;
  for (int fd = ours; fd < 64; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    char name[64];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(link.c_str(), name, sizeof name);
    if (flags < 0 || length < 5 || std::string(name, 5) != "pipe:") continue;
    ++pipes;
    CHECK((flags & FD_CLOEXEC) != 0);
  }
  CHECK(pipes >= 8);  // four of each client
}

TEST(lives_the_hosts_signals_are_left_alone) {
  struct sigaction before {}, after {};
  ::signal(SIGPIPE, SIG_DFL);  // whoever started us may have it ignored, and then nothing would be shown
  sigset_t mask_before, mask_after;
  ::sigaction(SIGPIPE, nullptr, &before);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  {
    // Both wait for the greeting, and so are written as one; the pipe does not hold all of it when its reader goes.
    manus::Client client(options());
    auto closing = client.generate(request("close-stdin"));
    auto behind = client.generate(request("say 1 " + std::string(400'000, 'x')));
    CHECK(!closing.get().ok());
    CHECK(behind.get().ok());
  }
  ::sigaction(SIGPIPE, nullptr, &after);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_after);
  CHECK(before.sa_handler == after.sa_handler);
  for (int signal = 1; signal < 32; ++signal)
    CHECK_EQUAL(::sigismember(&mask_before, signal), ::sigismember(&mask_after, signal));
}

TEST(lives_the_server_has_no_signal_blocked_and_none_ignored) {
  sigset_t block, before;
  ::sigfillset(&block);
  ::pthread_sigmask(SIG_SETMASK, &block, &before);
  struct sigaction ignore {}, was {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR1, &ignore, &was);
  manus::Client client(options({"deaf"}));
  const bool ready = client.wait_ready(PATIENCE).ok();
  std::ifstream status("/proc/" + std::to_string(client.pid()) + "/status");
  std::string line, blocked, ignored;
  while (std::getline(status, line)) {
    if (line.rfind("SigBlk:", 0) == 0) blocked = line.substr(8);
    if (line.rfind("SigIgn:", 0) == 0) ignored = line.substr(8);
  }
  ::sigaction(SIGUSR1, &was, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(ready);
  CHECK_EQUAL(std::stoull(blocked, nullptr, 16), 0ull);
  CHECK_EQUAL(std::stoull(ignored, nullptr, 16) & (1ull << (SIGUSR1 - 1)), 0ull);
  const pid_t group = ::getpgid(client.pid());
  CHECK_EQUAL(group, client.pid());
  client.shutdown(0ms);
}

TEST(lives_stderr_goes_where_it_is_wanted) {
  const Scratch scratch;
  manus::Options to_file = options({"chatty"});
  to_file.stderr_to = manus::Stderr::file;
  to_file.stderr_path = scratch.path;
  { CHECK(manus::Client(to_file).ping().get().ok()); }
  std::ifstream file(scratch.path);
  std::string first;
  std::getline(file, first);
  CHECK_EQUAL(first, "first");
  std::vector<std::string> lines;
  {
    manus::Options called = options({"chatty"});
    called.stderr_to = manus::Stderr::callback;
    called.on_stderr = [&](const std::string& line) { lines.push_back(line); };
    CHECK(manus::Client(called).ping().get().ok());
  }
  std::string all;
  for (const std::string& line : lines) all += line;
  CHECK_EQUAL(all, "firstsecond" + std::string(40'000, 'y') + "last");
  CHECK_EQUAL(lines.at(1), "second");
}

TEST(lives_the_environment_is_the_hosts_with_changes) {
  manus::Options made = options();
  ::setenv("MANUS_TEST_TAKEN", "away", 1);
  const std::string tests = "test \"$MANUS_TEST_GIVEN\" = yes && test -z \"$MANUS_TEST_TAKEN\"";
  made.command = {"/bin/sh", "-c", tests + " && exec " + peer()};
  made.environment = {{"MANUS_TEST_GIVEN", "yes"}, {"MANUS_TEST_TAKEN", std::nullopt}};
  CHECK(manus::Client(made).ping().get().ok());
  ::unsetenv("MANUS_TEST_TAKEN");
}

TEST(lives_a_forks_copy_does_no_harm) {
  manus::Client client(options());
  CHECK(client.ping().get().ok());
  const pid_t copy = ::fork();
  if (copy == 0) {
    client.~Client();  // as `exit` would do to a static one
    ::_exit(0);
  }
  int status = 0;
  CHECK_EQUAL(::waitpid(copy, &status, 0), copy);
  CHECK_EQUAL(status, 0);
  CHECK(client.ping().get().ok());
}
