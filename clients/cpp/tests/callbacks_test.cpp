// Callbacks: what they may do, and what they cannot do to the client.
#include "rig.hpp"

using namespace rig;
using manus::Chunk;
using manus::Outcome;
using manus::Response;

TEST(callbacks_one_that_throws_ends_its_own_stream_alone) {
  manus::Client client(options());
  int heard = 0;
  auto other = client.stream(request("say 200"), [](const Chunk&) {});
  auto call = client.stream(request("say 1000000"), [&](const Chunk&) {
    if (++heard == 3) throw std::runtime_error("no paper left");
  });
  const manus::Error error = call.get().error();
  CHECK_EQUAL(error.kind, "callback_failed");
  CHECK_EQUAL(error.message, "no paper left");
  CHECK(error.usage.has_value());
  CHECK_EQUAL(heard, 3);
  CHECK(other.get().ok());
}

TEST(callbacks_one_that_throws_at_the_last_chunk_is_told_too) {
  manus::Client client(options());
  std::atomic<bool> go_on{false};
  auto call = client.stream(request("say 1"), [&](const Chunk&) {
    eventually([&] { return go_on.load(); }, "the word");
    throw 7;
  });
  CHECK(client.ping().get().ok());
  std::this_thread::sleep_for(20ms);  // the reply has been read
  go_on = true;
  CHECK_EQUAL(call.get().error().kind, "callback_failed");
}

TEST(callbacks_one_that_throws_at_the_end_changes_nothing) {
  manus::Options made = options();
  std::atomic<int> problems{0};
  made.on_event = [&](const manus::Event& event) { problems += event.kind == manus::Event::Kind::problem; };
  manus::Client client(made);
  auto call = client.generate(request("say 1"), [](const Outcome<Response>&) { throw std::runtime_error("oh"); });
  CHECK(call.get().ok());
  CHECK(client.ping().get().ok());
  eventually([&] { return problems == 1; }, "the report");
}

TEST(callbacks_may_ask_and_wait) {
  manus::Client client(options());
  int inner = 0;
  auto call = client.stream(request("say 20"), [&](const Chunk&) {
    CHECK(client.ping().get().ok());
    const Response answer = client.stream(request("say 3"), [&](const Chunk&) { ++inner; }).value();
    CHECK_EQUAL(answer.content, "w0 w1 w2 ");
  });
  CHECK(call.get().ok());
  CHECK_EQUAL(inner, 60);
}

TEST(callbacks_two_streams_that_wait_for_each_other_are_told_not_to) {
  manus::Client client(options());
  std::string kind;
  std::optional<manus::Call<Response>> outer;
  std::atomic<bool> known{false};
  outer = client.stream(request("say 1"), [&](const Chunk&) {
    eventually([&] { return known.load(); }, "the handle");
    client.stream(request("say 1"), [&](const Chunk&) { kind = outer->get().error().kind; }).value();
  });
  known = true;
  CHECK(outer->get().ok());
  CHECK_EQUAL(kind, "would_deadlock");
}

TEST(callbacks_the_last_one_may_read_its_own_call) {
  manus::Client client(options());
  std::optional<manus::Call<Response>> call;
  std::atomic<bool> known{false};
  bool read = false;
  call = client.generate(request("say 1"), [&](const Outcome<Response>&) {
    eventually([&] { return known.load(); }, "the handle");
    read = call->get().ok();
  });
  known = true;
  CHECK(call->get().ok());
  CHECK(read);
}

TEST(callbacks_may_begin_the_next_call_for_ever) {
  manus::Client client(options());
  std::promise<void> done;
  int rounds = 0;
  std::function<void(const Outcome<Response>&)> next = [&](const Outcome<Response>& outcome) {
    CHECK(outcome.ok());
    if (++rounds == 50) done.set_value();
    else client.generate(request("say 1"), next);
  };
  client.generate(request("say 1"), next);
  done.get_future().wait();
  CHECK_EQUAL(rounds, 50);
}

TEST(callbacks_a_slow_one_does_not_hold_up_others_answers) {
  manus::Client client(options());
  std::atomic<bool> go_on{false};
  const auto wait = [&](const Chunk&) { eventually([&] { return go_on.load(); }, "the word"); };
  auto slow = client.stream(request("say 1000"), wait);
  for (int times = 0; times < 20; ++times) CHECK(client.generate(request("say 1")).get().ok());
  CHECK(!slow.finished());
  go_on = true;
  CHECK(slow.get().ok());
}

TEST(callbacks_run_where_the_host_wants_them) {
  manus::Options made = options();
  made.dispatch = manus::Dispatch::manual;
  manus::Client client(made);
  const std::thread::id here = std::this_thread::get_id();
  int heard = 0;
  bool ended = false;
  auto call = client.stream(
      request("say 30"),
      [&](const Chunk&) {
        CHECK(std::this_thread::get_id() == here);
        ++heard;
      },
      [&](const Outcome<Response>&) { ended = true; });
  while (!ended) {
    CHECK(client.run_callbacks(4) <= 4u);
    std::this_thread::sleep_for(1ms);
  }
  CHECK_EQUAL(heard, 30);
  CHECK(call.get().ok());
  CHECK_EQUAL(client.run_callbacks(), 0u);
  auto waited = client.stream(request("say 30"), [&](const Chunk&) { ++heard; });
  CHECK(waited.get().ok());  // whoever runs the callbacks may wait
  CHECK_EQUAL(heard, 60);
}

TEST(callbacks_all_come_before_the_client_is_gone) {
  for (const manus::Dispatch dispatch : {manus::Dispatch::thread, manus::Dispatch::manual}) {
    int ends = 0;
    std::optional<manus::Call<Response>> kept;
    {
      manus::Options made = options();
      made.dispatch = dispatch;
      manus::Client client(made);
      const auto on_done = [&](const Outcome<Response>&) { ++ends; };
      for (int times = 0; times < 20; ++times) client.generate(request("hang"), on_done);
      kept = client.stream(request("say 1000000"), [](const Chunk&) {}, on_done);
      kept->pause();
      CHECK(client.wait_ready(PATIENCE).ok());
    }
    CHECK_EQUAL(ends, 21);
    CHECK(kept->finished());
    kept->cancel();
    kept->resume();
  }
}

TEST(callbacks_may_destroy_the_client) {
  auto client = std::make_unique<manus::Client>(options());
  std::promise<void> done;
  std::atomic<bool> known{false};
  client->generate(request("say 1"), [&](const Outcome<Response>&) {
    eventually([&] { return known.load(); }, "the word");
    client.reset();
    done.set_value();
  });
  known = true;
  done.get_future().wait();
  CHECK(!client);
}
