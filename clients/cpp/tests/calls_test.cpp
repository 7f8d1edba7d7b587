// Calls, streams and their ends, while the server lives.
#include "rig.hpp"

using namespace rig;
using manus::Chunk;
using manus::json;
using manus::Outcome;
using manus::Response;

TEST(calls_a_whole_answer_comes_with_all_that_is_known) {
  manus::Client client(options());
  manus::Request asked = request("say 3");
  asked.temperature = 0.5;
  asked.options["seed"] = 7;
  const Response response = client.generate(asked).value();
  CHECK_EQUAL(response.content, "w0 w1 w2 ");
  CHECK_EQUAL(response.usage.output_tokens, 3);
  CHECK_EQUAL(*response.usage.cost_nano_usd, 21);
  CHECK_EQUAL(response.tool_calls.at(0).name, "lamp");
  CHECK_EQUAL(response.warnings.at(0), "dim");
  const json& sent = response.raw["asked"];
  CHECK_EQUAL(sent["seed"], 7);
  CHECK_EQUAL(sent["temperature"], 0.5);
  CHECK_EQUAL(sent["request_key"].get<std::string>().size(), 36u);
}

TEST(calls_every_method_finds_its_way) {
  manus::Client client(options());
  CHECK_EQUAL(client.wait_ready(PATIENCE).value().name, "peer");
  CHECK(client.ping().get().ok());
  CHECK_EQUAL(client.call("ping", {{"echo", "x"}}).value()["echo"], "x");
  const manus::Embedding embedding = client.embed({"a", "b"}).value();
  CHECK_EQUAL(embedding.vectors.at(1).at(0), 2.0f);
  manus::Request message = request("say 1");
  message.conversation_id = "c1";
  CHECK_EQUAL(client.chat(message).value().conversation_id, "c1");
  std::string heard;
  CHECK_EQUAL(client.chat_stream(message, [&](const Chunk& chunk) { heard += chunk.delta; }).value().content, "w0 ");
  CHECK_EQUAL(heard, "w0 ");
  CHECK(client.request_status("nobody's").value().state == manus::Books::unknown);
}

TEST(calls_a_stream_comes_whole_in_order_and_before_its_end) {
  for (const std::int64_t window : {1, 2, 7, 64}) {
    manus::Client client(options());
    manus::Request asked = request("say 500");
    asked.window = window;
    std::string heard;
    bool ended = false;
    auto call = client.stream(
        asked,
        [&](const Chunk& chunk) {
          CHECK(!ended);
          heard += chunk.delta;
        },
        [&](const Outcome<Response>& outcome) {
          CHECK(outcome.ok());
          ended = true;
        });
    const Response response = call.value();
    CHECK(ended);
    CHECK_EQUAL(heard, response.content);
    CHECK_EQUAL(client.statistics().malformed_lines, 0u);
  }
}

TEST(calls_a_stream_without_a_chunk_callback_flows_too) {
  manus::Client client(options());
  CHECK_EQUAL(client.stream(request("say 300"), {}).value().usage.output_tokens, 300);
}

TEST(calls_errors_of_the_server_carry_their_data) {
  manus::Client client(options());
  const manus::Error error = client.generate(request("error x")).get().error();
  CHECK_EQUAL(error.code, -32001);
  CHECK_EQUAL(error.kind, "rate_limited");
  CHECK(error.retryable);
  CHECK(!error.in_doubt);
  CHECK_EQUAL(*error.retry_after_ms, 1500);
  CHECK_EQUAL(error.attempts, 2);
  CHECK_EQUAL(error.request_id, "req-1");
  CHECK(!error.request_key.empty());
  try {
    client.generate(request("error x")).value();
    CHECK(false);
  } catch (const manus::Failure& failure) {
    CHECK_EQUAL(failure.error().kind, "rate_limited");
  }
}

TEST(calls_a_cancelled_stream_ends_with_what_it_used) {
  manus::Client client(options());
  manus::Request asked = request("say 1000000");
  asked.window = 4;
  std::atomic<int> heard{0};
  auto call = client.stream(asked, [&](const Chunk&) { ++heard; });
  eventually([&] { return heard > 10; }, "ten chunks");
  call.cancel();
  const Response response = call.value();
  CHECK(response.cancelled());
  CHECK(response.usage.output_tokens >= 10);
  const int then = heard;
  CHECK(client.ping().get().ok());
  CHECK_EQUAL(heard.load(), then);
}

TEST(calls_a_stream_can_be_cancelled_from_its_own_callback) {
  manus::Client client(options());
  int heard = 0;
  auto call = client.stream(request("say 1000000"), [&](const Chunk& chunk) {
    if (++heard == 5) client.cancel(chunk.call_id);
  });
  CHECK(call.value().cancelled());
  CHECK_EQUAL(heard, 5);
}

TEST(calls_cancelling_what_reached_nobody_is_an_error) {
  manus::Client client(options());
  auto call = client.generate(request("hang"));
  CHECK(client.ping().get().ok());  // lines are read in order: it has arrived
  call.cancel();
  const manus::Error error = call.get().error();
  CHECK_EQUAL(error.code, -32800);
  CHECK(error.retryable);
}

TEST(calls_what_was_never_sent_is_cancelled_at_once) {
  manus::Client client(options({"mute"}));
  auto call = client.generate(request("say 1"));
  call.cancel();
  const manus::Error error = call.get().error();
  CHECK_EQUAL(error.kind, "cancelled");
  CHECK(error.retryable);
  CHECK(!error.in_doubt);
}

TEST(calls_a_timeout_cancels_and_is_told_from_a_cancellation) {
  manus::Client client(options());
  const manus::Error hung = client.generate(request("hang", 20ms)).get().error();
  CHECK_EQUAL(hung.kind, "timeout");
  CHECK(!hung.in_doubt);  // the server confirmed that nothing had been sent
  CHECK(client.wait_ready(PATIENCE).ok());
  const auto cut_with_an_answer = [&] {
    const manus::Error cut = client.stream(request("say 100000000", 100ms), {}).get().error();
    CHECK_EQUAL(cut.kind, "timeout");
    return cut.usage.has_value() && cut.usage->output_tokens > 0;  // not so where it was cut before the first word
  };
  eventually(cut_with_an_answer, "an answer that is cut");
}

TEST(calls_a_server_that_never_answers_leaves_its_calls_in_doubt) {
  manus::Options made = options();
  made.cancel_grace = 20ms;
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  const manus::Error error = client.generate(request("coma", 500ms)).get().error();
  CHECK_EQUAL(error.kind, "timeout");
  CHECK(error.in_doubt);
  CHECK(!error.retryable);
  auto cancelled = client.generate(request("coma"));
  CHECK(client.ping().get().ok());
  cancelled.cancel();
  CHECK_EQUAL(cancelled.get().error().kind, "cancelled");
  CHECK(cancelled.get().error().in_doubt);
}

TEST(calls_a_pause_holds_the_stream_and_resume_goes_on) {
  manus::Client client(options());
  manus::Request asked = request("say 400");
  asked.window = 8;
  std::atomic<int> heard{0};
  auto call = client.stream(asked, [&](const Chunk&) { ++heard; });
  eventually([&] { return heard > 3; }, "a beginning");
  call.pause();
  CHECK(client.ping().get().ok());
  std::this_thread::sleep_for(20ms);  // whatever callback was running has returned
  const int held = heard;
  CHECK(!call.wait_for(50ms));
  CHECK_EQUAL(heard.load(), held);
  call.resume();
  CHECK_EQUAL(call.value().usage.output_tokens, 400);
  CHECK_EQUAL(heard.load(), 400);
}

TEST(calls_a_breach_of_the_stream_is_an_error_and_the_next_call_works) {
  for (const char* breach : {"flood", "gap", "twin"}) {
    manus::Client client(options());
    std::atomic<bool> go_on{false};
    const auto wait = [&](const Chunk&) { eventually([&] { return go_on.load(); }, "the word"); };
    auto call = client.stream(request(breach), wait);
    if (std::string(breach) != "flood") go_on = true;
    else eventually([&] { return client.statistics().lines_in > 1000; }, "a flood");
    go_on = true;
    CHECK_EQUAL(call.get().error().kind, "protocol");
    CHECK_EQUAL(client.generate(request("say 2")).value().content, "w0 w1 ");
  }
}

TEST(calls_lines_that_are_no_messages_are_counted_and_passed_over) {
  manus::Options made = options();
  made.frame_bytes_max = 4096;
  std::mutex mutex;
  std::vector<std::string> problems;
  made.on_event = [&](const manus::Event& event) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (event.kind == manus::Event::Kind::problem) problems.push_back(event.message);
  };
  manus::Client client(made);
  CHECK_EQUAL(client.generate(request("garbage")).value().content, "w0 ");
  CHECK_EQUAL(client.statistics().malformed_lines, 9u);
  CHECK(client.generate(request("deep")).get().ok());
  CHECK(client.generate(request("huge 5000000")).get().ok());
  CHECK_EQUAL(client.statistics().oversized_lines, 2u);  // a hundred thousand brackets are no frame either
  CHECK(client.generate(request("twice")).get().ok());
  CHECK(client.ping().get().ok());
  CHECK_EQUAL(client.statistics().late_messages, 1u);
  CHECK_EQUAL(client.generate(request("odd")).get().error().kind, "protocol");
  CHECK_EQUAL(client.statistics().starts, 1u);
  const auto count = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return problems.size();
  };
  eventually([&] { return count() >= 10; }, "the reports");
}

TEST(calls_text_that_is_not_utf8_is_refused_before_it_is_sent) {
  manus::Client client(options());
  const manus::Error error = client.generate(request("caf\xe9")).get().error();
  CHECK_EQUAL(error.kind, "invalid_params");
  CHECK(!error.retryable);
  CHECK(client.ping().get().ok());
}

TEST(calls_a_frame_beyond_the_servers_bound_is_refused) {
  manus::Client client(options({"small"}));
  CHECK_EQUAL(client.generate(request(std::string(2000, 'x'))).get().error().kind, "frame_too_large");
  CHECK(client.generate(request("say 1")).get().ok());
}

TEST(calls_a_server_that_does_not_read_holds_nobody_for_ever) {
  manus::Options made = options({"deaf"});
  made.send_queue_bytes_max = 100'000;
  made.send_timeout = 20ms;
  made.cancel_grace = 50ms;
  made.stop_grace = 50ms;
  made.shutdown_deadline = 50ms;
  manus::Client client(made);
  CHECK(client.wait_ready(PATIENCE).ok());
  int refused = 0;
  std::vector<manus::Call<Response>> calls;
  for (int times = 0; times < 10; ++times) calls.push_back(client.generate(request(std::string(60'000, 'x'), 300ms)));
  for (const auto& call : calls) {
    const manus::Error error = call.get().error();
    refused += error.kind == "send_timeout";
    CHECK(error.kind == "send_timeout" || error.kind == "timeout");
    CHECK(error.retryable || error.in_doubt);
  }
  CHECK(refused > 0);
  CHECK_EQUAL(client.statistics().queued_bytes, 0u);
}

TEST(calls_too_many_at_once_are_refused_and_not_queued) {
  manus::Options made = options();
  made.pending_max = 3;
  manus::Client client(made);
  std::vector<manus::Call<Response>> calls;
  for (int times = 0; times < 4; ++times) calls.push_back(client.generate(request("hang")));
  CHECK_EQUAL(calls[3].get().error().kind, "too_many_pending");
  CHECK(calls[3].get().error().retryable);
  for (const auto& call : calls) call.cancel();
  for (const auto& call : calls) CHECK(!call.get().ok());
  CHECK(client.ping().get().ok());
}

TEST(calls_futures_come_true) {
  manus::Client client(options());
  auto good = client.generate(request("say 2")).future();
  auto bad = client.generate(request("error x")).future();
  CHECK(good.get().ok());
  CHECK(!bad.get().ok());
  auto late = client.ping();
  CHECK(late.get().ok());
  CHECK(late.future().get().ok());
}

TEST(calls_over_a_unix_socket_work_and_the_server_stays) {
  const Scratch scratch;
  Server server;
  manus::Options serving = options({"--socket", scratch.path});
  CHECK_EQUAL(server.start(serving, STDIN_FILENO, STDOUT_FILENO, -1), "");
  eventually([&] { return ::access(scratch.path.c_str(), F_OK) == 0; }, "the socket");
  manus::Options made = options();
  made.command.clear();
  made.socket_path = scratch.path;
  made.start_timeout = PATIENCE;
  for (int times = 0; times < 2; ++times) {
    manus::Client client(made);
    int heard = 0;
    CHECK(client.stream(request("say 100"), [&](const Chunk&) { ++heard; }).get().ok());
    CHECK_EQUAL(heard, 100);
    CHECK_EQUAL(client.pid(), -1);
    auto lost = client.generate(request("close-stdout"));  // the peer drops the connection
    CHECK_EQUAL(lost.get().error().kind, "server_lost");
    CHECK(client.generate(request("say 1")).get().ok());
    auto hanging = client.generate(request("hang"));
    CHECK(client.ping().get().ok());
    client.shutdown();
    CHECK_EQUAL(hanging.get().error().kind, "cancelled");
  }
  CHECK(server.running());
  server.signal(SIGKILL);
  CHECK(server.reap(true));
}
