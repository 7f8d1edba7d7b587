// Many threads ask, stream, cancel, pause, throw and kill at once: every call has one end, nothing is left behind.
#include "rig.hpp"

using namespace rig;
using manus::Chunk;
using manus::Outcome;
using manus::Response;

namespace {

/// What happened, over all threads.
struct Tally {
  std::atomic<int> begun{0}, ended{0}, answered{0}, lost{0}, asked_about{0}, chunks{0};
};

void check_error(const manus::Error& error, Tally& tally) {
  static const std::set<std::string> expected{"server_lost", "cancelled", "callback_failed", "timeout", "send_timeout"};
  CHECK(expected.count(error.kind) == 1);
  CHECK(!(error.retryable && error.in_doubt));
  if (error.kind != "server_lost") return;
  ++tally.lost;
  tally.asked_about += error.status.has_value();
  CHECK(error.retryable || error.in_doubt || (error.status && error.status->state == manus::Books::settled));
}

void work(manus::Client& client, unsigned seed, int rounds, bool deadly, Tally& tally) {
  std::minstd_rand random(seed);
  for (int round = 0; round < rounds; ++round) {
    const unsigned what = static_cast<unsigned>(random() % 100);
    const std::string words = std::to_string(random() % 60);
    ++tally.begun;
    const auto on_done = [&](const Outcome<Response>&) { ++tally.ended; };
    std::optional<manus::Call<Response>> call;
    if (deadly && what < 4) {
      call = client.stream(request("die-after " + words), [&](const Chunk&) { ++tally.chunks; }, on_done);
    } else if (what < 40) {
      call = client.generate(request("say " + words), on_done);
    } else {
      manus::Request asked = request(what < 60 ? "say 100000" : "say " + words);
      asked.window = 1 + static_cast<std::int64_t>(random() % 8);
      const bool throws = what >= 95;
      int heard = 0;
      call = client.stream(asked, [&tally, throws, heard](const Chunk&) mutable {
        ++tally.chunks;
        if (throws && ++heard == 5) throw std::runtime_error("enough");
      }, on_done);
      if (what >= 60 && what < 70) {
        call->pause();
        call->resume();
      }
      if (what < 60) {
        if (what < 50) std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        call->cancel();
      }
    }
    const Outcome<Response> outcome = call->get();
    if (outcome.ok()) ++tally.answered;
    else check_error(outcome.error(), tally);
  }
}

Tally& run(manus::Client& client, int threads, int rounds, bool deadly, Tally& tally) {
  std::vector<std::future<void>> workers;
  for (int each = 0; each < threads; ++each)
    workers.push_back(std::async(std::launch::async, [&, each] {
      work(client, static_cast<unsigned>(each) + 1, rounds, deadly, tally);
    }));
  for (auto& worker : workers) worker.get();
  CHECK_EQUAL(tally.begun.load(), threads * rounds);
  CHECK_EQUAL(tally.ended.load(), threads * rounds);
  return tally;
}

int rounds_of(int usual) {
  const char* times = std::getenv("MANUS_STRESS");
  return usual * (times == nullptr ? 1 : std::max(1, std::atoi(times)));
}

}  // namespace

TEST(stress_a_healthy_server_answers_everybody) {
  Tally tally;
  {
    manus::Client client(options());
    run(client, 8, rounds_of(60), false, tally);
    CHECK_EQUAL(client.statistics().malformed_lines, 0u);
    CHECK_EQUAL(client.statistics().pending, 0u);
    CHECK_EQUAL(client.statistics().starts, 1u);
  }
  CHECK_EQUAL(tally.lost.load(), 0);
  CHECK(!has_children());
}

TEST(stress_a_server_that_keeps_dying_loses_no_call) {
  const Scratch ledger;
  Tally tally;
  std::uint64_t starts = 0;
  {
    manus::Client client(options({"--ledger", ledger.path}));
    run(client, 8, rounds_of(60), true, tally);
    starts = client.statistics().starts;
    CHECK_EQUAL(client.statistics().pending, 0u);
  }
  CHECK(starts > 5);
  CHECK(tally.asked_about > 0);
  CHECK(tally.answered > 0);
  CHECK(!has_children());
  std::cout << "     " << tally.begun << " calls, " << tally.answered << " answered, " << tally.lost
            << " lost, of these " << tally.asked_about << " asked about, " << tally.chunks << " chunks, " << starts
            << " starts" << std::endl;
}

TEST(stress_clients_come_and_go_with_calls_under_way) {
  const int before = open_descriptors();
  std::vector<std::future<void>> workers;
  std::atomic<int> ends{0};
  const int rounds = rounds_of(10);
  for (int each = 0; each < 4; ++each)
    workers.push_back(std::async(std::launch::async, [&, each] {
      for (int round = 0; round < rounds; ++round) {
        manus::Client client(options());
        for (int times = 0; times < 5; ++times)
          client.stream(request("say 100000"), [](const Chunk&) {}, [&](const Outcome<Response>&) { ++ends; });
        if ((round + each) % 2 == 0) client.ping().get();
      }
    }));
  for (auto& worker : workers) worker.get();
  CHECK_EQUAL(ends.load(), 4 * rounds * 5);
  CHECK(!has_children());
  CHECK_EQUAL(open_descriptors(), before);
}
