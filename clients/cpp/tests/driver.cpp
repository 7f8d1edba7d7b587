// A client of the server that is itself driven by lines, so that a test suite in another language can try it.
//
//     manus_driver [--restart] [--socket PATH | COMMAND ...]
//
// Reads one JSON object per line and writes one per line, answers as they are ready:
//
//     {"call": 1, "op": METHOD, "params": {...}}                                any method of the server
//     {"call": 2, "op": "stream" | "chat_stream", "params": {...}, "window"?: N}  also {"call": 2, "event": {...}} each
//     {"call": 3, "op": "cancel" | "pause" | "resume", "target": 2}             call 2 has its own end
//     {"call": 4, "op": "shutdown", "params": {"deadline_ms"?: N}}              the client's orderly end
//     {"call": 5, "op": "pid"}                                                  {"call": 5, "result": {"pid": N}}
//
// Every call has exactly one {"call": N, "result": ...} or {"call": N, "error": {code, message, data}}. It may have a
// `timeout_ms`. The end of stdin destroys the client; then all ends that were owed have been written.
#include <iostream>

#include "../manus.hpp"

namespace {

using manus::json;

std::mutex output;

void say(const json& line) {
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  const std::lock_guard<std::mutex> lock(output);
  std::cout << text << std::flush;
}

json data_of(const manus::Error& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
  json data = error.data.is_object() ? error.data : json::object();
  data["kind"] = error.kind;
  data["retryable"] = error.retryable;
  data["in_doubt"] = error.in_doubt;
  data["retry_after_ms"] = error.retry_after_ms ? json(*error.retry_after_ms) : json();
  data["provider"] = or_null(error.provider);
  data["model"] = or_null(error.model);
  data["attempts"] = error.attempts;
  data["request_id"] = or_null(error.request_id);
  data["request_key"] = or_null(error.request_key);
  data["books"] = error.status ? json(manus::name_of(error.status->state)) : json();
  if (!error.partial.empty()) data["partial"] = error.partial;
  if (error.usage && !data.contains("usage"))
    data["usage"] = {{"input_tokens", error.usage->input_tokens}, {"output_tokens", error.usage->output_tokens}};
  return data;
}

template <class T>
json raw_of(const T& value) {
  return value.raw;
}
json raw_of(const json& value) { return value; }

template <class T>
void say_end(const json& number, const manus::Outcome<T>& outcome) {
  if (outcome.ok()) {
    say({{"call", number}, {"result", raw_of(outcome.value())}});
    return;
  }
  const manus::Error& error = outcome.error();
  say({{"call", number}, {"error", {{"code", error.code}, {"message", error.message}, {"data", data_of(error)}}}});
}

class Driver {
 public:
  explicit Driver(manus::Options options) : client_(std::move(options)) {}
  ~Driver() {
    client_.shutdown();
    for (std::thread& each : waiting_) each.join();
  }

  void take(const json& line) {
    const json number = line.value("call", json());
    const std::string op = line.value("op", "");
    if (op == "cancel" || op == "pause" || op == "resume") {
      steer(op, line.value("target", json()));
      say({{"call", number}, {"result", json::object()}});
    } else if (op == "stream" || op == "chat_stream") {
      stream(number, op, line);
    } else if (op == "shutdown") {
      const auto deadline = std::chrono::milliseconds(line.value("params", json::object()).value("deadline_ms", 5000));
      later([this, number, deadline] {
        const manus::ShutdownReport report = client_.shutdown(deadline);
        say({{"call", number}, {"result", {{"status", report.status}}}});
      });
    } else if (op == "pid") {
      say({{"call", number}, {"result", {{"pid", client_.pid()}}}});
    } else {
      // `call` takes the parameters of every method as they stand, so that the suite sees what the wire does.
      auto call = client_.call(op, line.value("params", json::object()), timeout_of(line));
      remember(number, call);
      later([number, call] { say_end(number, call.get()); });
    }
  }

 private:
  static manus::Milliseconds timeout_of(const json& line) { return manus::Milliseconds(line.value("timeout_ms", 0)); }

  void stream(const json& number, const std::string& op, const json& line) {
    manus::Request request;
    request.options = line.value("params", json::object());
    if (request.options.contains("messages")) request.messages = request.options["messages"];
    request.prompt = request.options.value(op == "stream" ? "prompt" : "message", "");
    request.window = line.value("window", 0);
    request.timeout = timeout_of(line);
    const auto on_chunk = [number](const manus::Chunk& chunk) { say({{"call", number}, {"event", chunk.raw}}); };
    const auto on_done = [number](const manus::Outcome<manus::Response>& outcome) { say_end(number, outcome); };
    if (op == "stream") remember(number, client_.stream(request, on_chunk, on_done));
    else remember(number, client_.chat_stream(request, on_chunk, on_done));
  }

  template <class T>
  void remember(const json& number, const manus::Call<T>& call) {
    targets_[number] = [call](const std::string& how) {
      if (how == "cancel") call.cancel();
      else if (how == "pause") call.pause();
      else call.resume();
    };
  }

  void steer(const std::string& how, const json& target) {
    if (auto found = targets_.find(target); found != targets_.end()) found->second(how);
  }

  void later(std::function<void()> job) { waiting_.emplace_back(std::move(job)); }

  std::vector<std::thread> waiting_;
  std::map<json, std::function<void(const std::string&)>> targets_;
  manus::Client client_;
};

}  // namespace

int main(int count, char** words) {
  manus::Options options;
  options.restart.enabled = false;
  int at = 1;
  if (at < count && std::string(words[at]) == "--restart") {
    options.restart.enabled = true;
    options.restart.deaths_max = 1'000'000;  // a suite that kills it has its reasons
    options.restart.backoff_max = options.restart.backoff_min;
    ++at;
  }
  if (at + 1 < count && std::string(words[at]) == "--socket") options.socket_path = words[at + 1];
  else options.command.assign(words + at, words + count);
  Driver driver(std::move(options));
  for (std::string line; std::getline(std::cin, line);) {
    const json command = json::parse(line, nullptr, false);
    if (command.is_object()) driver.take(command);
    else say({{"error", "not a JSON object: " + line}});
  }
  return 0;
}
