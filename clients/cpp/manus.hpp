// manus.hpp: the C++17 client of `manus serve`, whole in this one header.
//
//     #include "manus.hpp"
//
//     manus::Options options;
//     options.command = {"manus", "serve", "--stdio"};
//     manus::Client client(options);                        // starts the server, waits for nothing
//     manus::Request request("Why do actors restart?");
//     auto call = client.stream(request, [](const manus::Chunk& chunk) { std::cout << chunk.delta; });
//     manus::Outcome<manus::Response> outcome = call.get();  // a value, never an exception
//
// Needs POSIX, a C++17 compiler, nlohmann/json 3.x and threads; link with -pthread.
//
// What it promises:
// - Every call has exactly one end, by its own timeout (plus the grace of a cancelled one), whatever the server does:
//   a result or an `Error` that says whether the call may be repeated (`retryable`) or may have been carried out and
//   billed unseen (`in_doubt`). If the server dies and is started anew, its ledger is asked about every call that was
//   on its way (`Error::status`).
// - No call blocks for ever: what is to be sent waits in a bounded queue, and its caller no longer than `send_timeout`.
// - A callback may call the client and wait for other calls; one that throws ends its own stream and nothing else.
// - The host's signal handlers, its signal mask, its other children and its descriptors are left alone.
// - `~Client` leaves no process and no thread behind.
//
// How it is built, from the top of the file down:
//   1. Vocabulary      Error, Outcome, Usage, Response, Chunk, Request, Options: plain data.
//   2. Reading         JSON of a peer that is not trusted to keep to the protocol; pure.
//   3. Lines           LineSplitter: bytes to lines, bounded; pure.
//   4. Processes       Fd, Child: descriptors, starting, signalling, reaping; the only system calls besides poll.
//   5. Calls           CallState: one request from its submission to its end.
//   6. Ends            Which outcome a call is given; pure.
//   7. The link        Link: one life of the connection; bytes and lines, run by the I/O thread alone.
//   8. Callbacks       Callbacks: what is to be handed to the host, run by a thread of ours or by the host itself.
//   9. The session     Session: the state machine over it all, across the server's lives. One mutex guards it.
//  10. The face        Call<T> and Client: what programs use.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <nlohmann/json.hpp>

extern char** environ;

namespace manus {

using json = nlohmann::json;
using Milliseconds = std::chrono::milliseconds;

inline constexpr int PROTOCOL_VERSION = 1;

// ===================================================================================================================
// 1. Vocabulary
// ===================================================================================================================

/// What the server's ledger says of a request.
enum class Books {
  unknown,   ///< Nothing is known under its key: with a ledger on disk, nothing was ever sent to a provider.
  open,      ///< It is still being worked on.
  settled,   ///< It was billed; what it used is booked.
  released,  ///< It was begun, and nothing was billed.
  in_doubt,  ///< It was sent and its end was not seen; an upper bound is booked.
};

inline const char* name_of(Books books) {
  switch (books) {
    case Books::open: return "open";
    case Books::settled: return "settled";
    case Books::released: return "released";
    case Books::in_doubt: return "in_doubt";
    case Books::unknown: break;
  }
  return "unknown";
}

/// The answer to `request.status`.
struct RequestStatus {
  std::string request_key;
  Books state = Books::unknown;
  std::string request_id;
  std::int64_t attempts = 0;
  std::optional<std::int64_t> cost_nano_usd;  ///< In 1e-9 USD; empty where a price is unknown.
  json raw;                                   ///< The whole answer.
};

/// What a request used, over all its attempts.
struct Usage {
  std::int64_t input_tokens = 0;   ///< The whole prompt; what was read from and written to a cache is part of it.
  std::int64_t output_tokens = 0;  ///< The whole answer; `reasoning_tokens` is a part of it.
  std::int64_t cache_read_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::optional<std::int64_t> cost_nano_usd;  ///< In 1e-9 USD, exact; empty where a price is unknown, which is not 0.
  std::string source = "missing";             ///< Who says so: reported, estimated, bound or missing.
  bool durable = true;                        ///< False where the ledger's disk could not confirm in time.
};

/// Why a call has no result.
///
/// `code` is the server's (JSON-RPC's, or -32000 and below), and 0 for what the client itself found. Its own kinds:
///
/// | kind             | what happened                                                                  |
/// |------------------|--------------------------------------------------------------------------------|
/// | not_started      | the server could not be started, or ended before it was ready                  |
/// | server_lost      | the server died, or its connection broke, before it had answered               |
/// | closed           | the client was shut down                                                       |
/// | timeout          | the call's own timeout passed                                                  |
/// | cancelled        | cancelled before it was sent, or the server did not confirm in `cancel_grace`  |
/// | callback_failed  | the stream's callback threw; the message is the exception's                    |
/// | too_many_pending | `Options::pending_max` calls are open                                          |
/// | send_timeout     | the send queue had no room for `send_timeout`: the server does not read        |
/// | frame_too_large  | larger than the server's `frame_bytes_max`                                     |
/// | invalid_params   | it cannot be written as JSON: text that is not UTF-8                           |
/// | protocol         | the server broke the protocol                                                  |
/// | would_deadlock   | a stream's own callback waited for that stream                                 |
struct Error {
  int code = 0;
  std::string kind;
  std::string message;
  bool retryable = false;  ///< It may be sent again: it was not carried out, or the server says that this may help.
  bool in_doubt = false;   ///< It may have been carried out and billed; nobody saw its end.
  std::optional<std::int64_t> retry_after_ms;  ///< When to come back, where somebody said so.
  std::string provider;
  std::string model;
  std::int64_t attempts = 0;
  std::string request_id;
  std::string request_key;              ///< The key to ask `request.status` about.
  std::optional<RequestStatus> status;  ///< What the ledger said after the server was lost and came back.
  std::optional<Usage> usage;           ///< What it used all the same.
  std::string partial;                  ///< The text that had come.
  json data;                            ///< The server's whole `data`.
};

/// What `Outcome::value` throws where there is none.
class Failure : public std::runtime_error {
 public:
  explicit Failure(Error error) : std::runtime_error(error.kind + ": " + error.message), error_(std::move(error)) {}
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

/// The one end of a call: a value or an `Error`.
template <class T>
class Outcome {
 public:
  static Outcome success(T value) { return Outcome(std::in_place_index<0>, std::move(value)); }
  static Outcome failure(Error error) { return Outcome(std::in_place_index<1>, std::move(error)); }

  bool ok() const noexcept { return either_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// Gives the value.
  /// @throws Failure if there is none.
  const T& value() const {
    if (!ok()) throw Failure(std::get<1>(either_));
    return std::get<0>(either_);
  }

  /// Gives the error; to be asked only where `ok()` is false.
  const Error& error() const { return std::get<1>(either_); }

 private:
  template <std::size_t I, class U>
  Outcome(std::in_place_index_t<I> which, U&& given) : either_(which, std::forward<U>(given)) {}

  std::variant<T, Error> either_;
};

/// A tool that the model wants run. One with `valid` false was cut short and must never be run.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  ///< JSON text.
  bool valid = true;
};

/// A whole answer.
struct Response {
  std::string content;
  std::string finish_reason;  ///< stop, length, tool_calls, content_filter, refusal, pause; or cancelled.
  std::string provider;
  std::string model;
  std::string request_id;
  std::string conversation_id;  ///< Of `chat`.
  std::string reasoning;
  std::string refusal;
  std::vector<ToolCall> tool_calls;
  std::vector<std::string> warnings;
  Usage usage;
  double latency_ms = 0.0;
  json raw;  ///< Everything the server said, the route included.

  bool cancelled() const { return finish_reason == "cancelled"; }
};

/// One piece of a streamed answer. Only kind `delta` has a `delta`, so that appending it is always right, except after
/// a `reset` (asked for with `on_interrupt: "restart"`), where the answer begins anew.
struct Chunk {
  std::int64_t call_id = 0;  ///< Whose chunk it is: for `Client::cancel` from within the callback.
  std::string kind;          ///< delta, reasoning, refusal, tool_call, tool_arguments, warning, reset; more may come.
  std::string delta;
  std::string text;  ///< Of reasoning, refusal and warning; of a reset its reason.
  std::int64_t index = 0;
  ToolCall tool_call;  ///< A beginning (`tool_call`), or a piece of the arguments (`tool_arguments`).
  json raw;
};

/// Vectors, one per text.
struct Embedding {
  std::vector<std::vector<float>> vectors;
  std::string provider;
  std::string model;
  std::string request_id;
  Usage usage;
  json raw;
};

/// What the server said of itself in the handshake.
struct ServerInfo {
  std::string name;
  std::string version;
  json capabilities;
  json limits;
};

/// One thing to ask of a model.
struct Request {
  Request() = default;
  explicit Request(std::string text) : prompt(std::move(text)) {}

  std::string prompt;  ///< Of `chat` the next message of the conversation.
  json messages;       ///< Instead of the prompt: [{"role": ..., "content": ...}, ...].
  std::string conversation_id;
  std::string provider;
  std::string model;
  std::string system_prompt;
  std::optional<double> temperature;
  std::optional<std::int64_t> max_tokens;
  json options = json::object();  ///< Every other option of the server, by its name (see docs/ipc.md).
  std::string request_key;        ///< Your name for it in the ledger; one is made if it is left empty.
  Milliseconds timeout{0};        ///< Until its end; 0 is `Options::call_timeout`.
  std::int64_t window = 0;        ///< Chunks on their way at once; 0 is `Options::window`.
};

using ChunkHandler = std::function<void(const Chunk&)>;
using ResponseHandler = std::function<void(const Outcome<Response>&)>;

/// What happens to the server, for the host's log.
struct Event {
  enum class Kind {
    started,     ///< It is ready.
    lost,        ///< It died or its connection broke; the message says how.
    restarting,  ///< It will be started again; the message says when.
    failed,      ///< It will not be started again.
    problem,     ///< It sent what cannot be understood, or a callback threw.
  };
  Kind kind;
  std::string message;
};

enum class State { starting, ready, restarting, closing, closed, failed };

/// What becomes of the server's stderr, on which it logs one JSON object per line.
enum class Stderr { inherit, discard, file, callback };

/// Who runs callbacks: a thread of the client's, or the host in `Client::run_callbacks` (an engine's main loop).
enum class Dispatch { thread, manual };

/// How a dead server is started again.
struct Restart {
  bool enabled = true;
  int deaths_max = 5;                     ///< One death more than these within `period` is the end: `State::failed`.
  Milliseconds period{60'000};
  Milliseconds backoff_min{100};          ///< Before the first restart; doubled for every further death in `period`.
  Milliseconds backoff_max{5'000};
};

/// How to reach the server, and all that is bounded. The defaults are meant to be kept.
struct Options {
  std::vector<std::string> command;  ///< Started with pipes for stdin and stdout; looked up in PATH.
  std::string socket_path;           ///< Instead of a command: the Unix socket of a server that runs already.
  /// Set for the server over the host's environment; an empty optional takes a variable away.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;

  Stderr stderr_to = Stderr::inherit;
  std::string stderr_path;                                   ///< Of `Stderr::file`; appended to.
  std::function<void(const std::string& line)> on_stderr;    ///< Of `Stderr::callback`; longer lines come in pieces.
  std::function<void(const Event&)> on_event;
  Dispatch dispatch = Dispatch::thread;

  Restart restart;
  bool make_request_keys = true;  ///< So that the ledger can be asked about every request whose end was not seen.
  std::string client_name = "manus.hpp";

  Milliseconds start_timeout{60'000};      ///< From the start to the handshake.
  Milliseconds call_timeout{300'000};      ///< Of a call that names none.
  Milliseconds send_timeout{10'000};       ///< How long a caller waits for room in the send queue.
  Milliseconds cancel_grace{10'000};       ///< How long a cancelled call waits for the server's last word.
  Milliseconds recovery_timeout{30'000};   ///< From a death until the ledger has said what became of the calls.
  Milliseconds shutdown_deadline{5'000};   ///< What the destructor gives to calls that are under way.
  Milliseconds stop_grace{2'000};          ///< From the end of stdin to SIGTERM, and from there to SIGKILL.

  std::size_t frame_bytes_max = 64u << 20;       ///< Of one line from the server; a longer one is skipped and counted.
  std::size_t send_queue_bytes_max = 32u << 20;  ///< Of what waits to be sent.
  std::size_t pending_max = 1024;                ///< Calls that have not ended.
  std::int64_t window = 64;                      ///< Chunks of one stream on their way to its callback.
};

/// Counts since the client was made, and what there is now.
struct Statistics {
  std::uint64_t lines_in = 0;
  std::uint64_t lines_out = 0;
  std::uint64_t malformed_lines = 0;  ///< From the server: no JSON, no message of the protocol, nested too deep.
  std::uint64_t oversized_lines = 0;
  std::uint64_t late_messages = 0;  ///< For calls that had ended: a timeout that was faster than its answer.
  std::uint64_t starts = 0;         ///< Handshakes made.
  std::uint64_t notices_dropped = 0;  ///< Lines of stderr and events that nobody took in time.
  std::size_t pending = 0;
  std::size_t queued_bytes = 0;
};

/// How the server ended.
struct ShutdownReport {
  enum class How { orderly, terminated, killed, gone };  ///< By itself; by SIGTERM; by SIGKILL; there was none.
  How how = How::gone;
  std::string status;  ///< "exit status 0", "signal 9".
};

// ===================================================================================================================
// 2. Reading: JSON of a peer that is not trusted to keep to the protocol
// ===================================================================================================================

namespace detail {

inline constexpr int DEPTH_MAX = 256;
inline constexpr int INTERNAL_ERROR = -32603;
inline constexpr int CANCELLED = -32800;

inline const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

inline std::string text(const json& object, const char* name, std::string otherwise = {}) {
  const json* found = member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::move(otherwise);
}

inline std::optional<std::int64_t> whole(const json& object, const char* name) {
  const json* found = member(object, name);
  if (found == nullptr || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

inline double real(const json& object, const char* name) {
  const json* found = member(object, name);
  return found != nullptr && found->is_number() ? found->get<double>() : 0.0;
}

inline bool truth(const json& object, const char* name, bool otherwise) {
  const json* found = member(object, name);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : otherwise;
}

/// Tells whether brackets outside of strings nest deeper than is safe to handle recursively.
inline bool nests_too_deep(std::string_view line, int depth_max = DEPTH_MAX) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (in_string) {
      if (c == '\\') ++at;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > depth_max) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// Gives the line's JSON object, or a discarded value.
inline json parsed(std::string_view line) {
  if (nests_too_deep(line)) return json(json::value_t::discarded);
  json value = json::parse(line.begin(), line.end(), nullptr, false);
  return value.is_object() ? value : json(json::value_t::discarded);
}

inline Usage usage_of(const json& told) {
  Usage usage;
  usage.input_tokens = whole(told, "input_tokens").value_or(0);
  usage.output_tokens = whole(told, "output_tokens").value_or(0);
  usage.cache_read_tokens = whole(told, "cache_read_tokens").value_or(0);
  usage.cache_write_tokens = whole(told, "cache_write_tokens").value_or(0);
  usage.reasoning_tokens = whole(told, "reasoning_tokens").value_or(0);
  usage.cost_nano_usd = whole(told, "cost_nano_usd");
  usage.source = text(told, "source", "missing");
  usage.durable = truth(told, "durable", true);
  return usage;
}

inline Usage usage_in(const json& told) {
  const json* usage = member(told, "usage");
  return usage == nullptr ? Usage{} : usage_of(*usage);
}

inline ToolCall tool_call_of(const json& told) {
  return {text(told, "id"), text(told, "name"), text(told, "arguments"), truth(told, "valid", true)};
}

inline Error error_of(const json& told) {
  Error error;
  error.code = static_cast<int>(whole(told, "code").value_or(INTERNAL_ERROR));
  error.message = text(told, "message", "the server gave no reason");
  const bool cancelled = error.code == CANCELLED;  // and nothing of it had reached a provider
  error.kind = cancelled ? "cancelled" : "error";
  error.retryable = cancelled;
  const json* data = member(told, "data");
  if (data == nullptr || !data->is_object()) return error;
  error.kind = text(*data, "kind", error.kind);
  error.in_doubt = error.kind == "in_doubt";
  error.retryable = truth(*data, "retryable", error.retryable);
  error.retry_after_ms = whole(*data, "retry_after_ms");
  error.provider = text(*data, "provider");
  error.model = text(*data, "model");
  error.attempts = whole(*data, "attempts").value_or(0);
  error.request_id = text(*data, "request_id");
  error.partial = text(*data, "partial");
  const json* usage = member(*data, "usage");
  if (usage != nullptr && usage->is_object()) error.usage = usage_of(*usage);
  error.data = *data;
  return error;
}

inline Error own_error(const char* kind, std::string message, bool retryable) {
  Error error;
  error.kind = kind;
  error.message = std::move(message);
  error.retryable = retryable;
  return error;
}

inline Chunk chunk_of(std::int64_t call_id, json event) {
  Chunk chunk;
  chunk.call_id = call_id;
  chunk.kind = text(event, "kind", "delta");
  chunk.delta = text(event, "delta");
  chunk.text = text(event, "text");
  chunk.index = whole(event, "index").value_or(0);
  if (const json* call = member(event, "tool_call")) chunk.tool_call = tool_call_of(*call);
  chunk.raw = std::move(event);
  return chunk;
}

// What a result is read as: false where it is none of this kind.

inline bool read(json told, json& value) {
  value = std::move(told);
  return true;
}

inline bool read(json told, Response& response) {
  if (!told.is_object()) return false;
  response.content = text(told, "content");
  response.finish_reason = text(told, "finish_reason");
  response.provider = text(told, "provider");
  response.model = text(told, "model");
  response.request_id = text(told, "request_id");
  response.conversation_id = text(told, "conversation_id");
  response.reasoning = text(told, "reasoning");
  response.refusal = text(told, "refusal");
  response.latency_ms = real(told, "latency_ms");
  response.usage = usage_in(told);
  if (const json* calls = member(told, "tool_calls"); calls != nullptr && calls->is_array())
    for (const json& call : *calls) response.tool_calls.push_back(tool_call_of(call));
  if (const json* warnings = member(told, "warnings"); warnings != nullptr && warnings->is_array())
    for (const json& warning : *warnings)
      if (warning.is_string()) response.warnings.push_back(warning.get<std::string>());
  response.raw = std::move(told);
  return true;
}

inline bool read(json told, Embedding& embedding) {
  const json* vectors = member(told, "vectors");
  if (vectors == nullptr || !vectors->is_array()) return false;
  for (const json& vector : *vectors) {
    if (!vector.is_array()) return false;
    std::vector<float>& floats = embedding.vectors.emplace_back();
    floats.reserve(vector.size());
    for (const json& number : vector) {
      if (!number.is_number()) return false;
      floats.push_back(number.get<float>());
    }
  }
  embedding.provider = text(told, "provider");
  embedding.model = text(told, "model");
  embedding.request_id = text(told, "request_id");
  embedding.usage = usage_in(told);
  embedding.raw = std::move(told);
  return true;
}

inline bool read(json told, RequestStatus& status) {
  const std::string state = text(told, "state");
  bool known = state == "unknown";
  for (Books books : {Books::open, Books::settled, Books::released, Books::in_doubt}) {
    if (state != name_of(books)) continue;
    status.state = books;
    known = true;
  }
  status.request_key = text(told, "request_key");
  status.request_id = text(told, "request_id");
  status.attempts = whole(told, "attempts").value_or(0);
  status.cost_nano_usd = whole(told, "cost_nano_usd");
  status.raw = std::move(told);
  return known;
}

inline bool read(json told, ServerInfo& info) {
  const json* server = member(told, "server");
  if (server == nullptr || whole(told, "protocolVersion") != PROTOCOL_VERSION) return false;
  info.name = text(*server, "name");
  info.version = text(*server, "version");
  if (const json* capabilities = member(told, "capabilities")) info.capabilities = *capabilities;
  if (const json* limits = member(told, "limits")) info.limits = *limits;
  return true;
}

// ===================================================================================================================
// 3. Lines
// ===================================================================================================================

/// Cuts a stream of bytes into lines; one that is longer than `bytes_max` is skipped up to its end.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Calls `on_line(std::string_view)` for every line that is whole now, without its LF or CR LF.
  /// @return how many lines were skipped.
  template <class OnLine>
  std::size_t feed(const char* bytes, std::size_t count, OnLine&& on_line) {
    std::size_t skipped = 0;
    while (count > 0) {
      const void* found = std::memchr(bytes, '\n', count);
      const char* end = found == nullptr ? bytes + count : static_cast<const char*>(found);
      const std::size_t length = static_cast<std::size_t>(end - bytes);
      if (!skipping_ && held_.size() + length > bytes_max_) {
        skipping_ = true;
        std::string().swap(held_);
        ++skipped;
      }
      if (found == nullptr) {
        if (!skipping_) held_.append(bytes, length);
        return skipped;
      }
      if (skipping_) {
        skipping_ = false;
      } else if (held_.empty()) {
        on_line(without_cr(std::string_view(bytes, length)));
      } else {
        held_.append(bytes, length);
        std::string line;
        line.swap(held_);
        on_line(without_cr(line));
      }
      bytes += length + 1;
      count -= length + 1;
    }
    return skipped;
  }

  /// Gives what has come of a line whose end has not.
  const std::string& held() const { return held_; }

 private:
  static std::string_view without_cr(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }

  std::size_t bytes_max_;
  std::string held_;
  bool skipping_ = false;
};

// ===================================================================================================================
// 4. Processes
// ===================================================================================================================

inline std::string system_message(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

/// Owns one descriptor, which is closed on exec and is none of 0, 1 and 2 (a host may have closed those).
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void make_nonblocking() const { ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK); }

  /// Takes over a new descriptor, moved away from 0, 1 and 2. Fails with an invalid one.
  static Fd adopt(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) return Fd(fd);
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ::close(fd);
    return Fd(moved);
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read_end;
  Fd write_end;

  /// Makes a pipe; false leaves the reason in errno.
  bool open() {
    int ends[2];
#if defined(__linux__)
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
#else
    // Without pipe2 another thread's fork can come between the two steps and inherit the ends.
    if (::pipe(ends) != 0) return false;
    for (int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
    read_end = Fd::adopt(ends[0]);
    write_end = Fd::adopt(ends[1]);
    return read_end && write_end;
  }
};

/// The server's process: started once, watched, signalled, reaped exactly once.
///
/// Where the kernel has pidfds its end is an event and no signal can hit a stranger; elsewhere it is polled for.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Starts it, with the three descriptors as its stdin, stdout and stderr (-1: ours).
  ///
  /// It has a process group of its own (Ctrl-C at the host's terminal is the host's business), no signal blocked, and
  /// the default disposition of those that hosts are known to ignore.
  /// @return what went wrong; empty where nothing did.
  std::string start(const Options& options, int in, int out, int err) {
    std::vector<std::string> environment = environment_for(options);
    std::vector<char*> argv = pointers_to(options.command);
    std::vector<char*> envp = pointers_to(environment);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (err >= 0) posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (int number : {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2})
      sigaddset(&defaults, number);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    const int error = ::posix_spawnp(&pid_, argv[0], &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      pid_ = -1;
      return system_message("cannot start " + options.command[0], error);
    }
#if defined(__linux__) && defined(SYS_pidfd_open)
    pidfd_ = Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
#endif
    return {};
  }

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  /// Gives a descriptor that becomes readable at its end, or -1 where that has to be polled for.
  int end_fd() const { return pidfd_.get(); }
  const std::string& status() const { return status_; }

  void signal(int number) const {
    if (!running()) return;
#if defined(__linux__) && defined(SYS_pidfd_send_signal)
    if (pidfd_) {
      ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
      return;
    }
#endif
    ::kill(pid_, number);
  }

  /// Reaps it if it has ended; with `wait` waits for that. True once there is no such process any more.
  bool reap(bool wait = false) {
    if (!running()) return true;
    int status = 0;
    pid_t found;
    do found = ::waitpid(pid_, &status, wait ? 0 : WNOHANG);
    while (found < 0 && errno == EINTR);
    if (found == 0) return false;
    if (found < 0) status_ = "status unknown: the host reaped it";  // SIGCHLD ignored, or a waitpid(-1) of the host's
    else if (WIFSIGNALED(status)) status_ = "signal " + std::to_string(WTERMSIG(status));
    else status_ = "exit status " + std::to_string(WEXITSTATUS(status));
    pid_ = -1;
    pidfd_.close();
    return true;
  }

 private:
  static std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& each : texts) pointers.push_back(const_cast<char*>(each.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  static std::vector<std::string> environment_for(const Options& options) {
    std::map<std::string, std::string> variables;
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
      const std::string_view line(*each);
      const std::size_t equals = line.find('=');
      if (equals != std::string_view::npos) variables.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    for (const auto& [name, value] : options.environment) {
      if (value) variables[name] = *value;
      else variables.erase(name);
    }
    std::vector<std::string> lines;
    for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
    return lines;
  }

  pid_t pid_ = -1;
  Fd pidfd_;
  std::string status_;
};

/// Connects to a Unix socket; on failure gives the reason.
inline std::string connect_to(const std::string& path, Fd& connected) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return "the socket's path is too long: " + path;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd = Fd::adopt(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!fd) return system_message("cannot make a socket", errno);
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  fd.make_nonblocking();  // before connecting: a server whose backlog is full must not hold us
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_message("cannot connect to " + path, errno);
  connected = std::move(fd);
  return {};
}

/// Blocks every signal that can be blocked without hiding a crash, for threads that are begun while it lives: the
/// host's handlers never run on our threads, and a SIGPIPE of our writing stays where it arose.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, signal);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// ===================================================================================================================
// 5. Calls
// ===================================================================================================================

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// The end of a call before anybody has read it: the server's result, or an error.
using RawOutcome = Outcome<json>;

/// One request from its submission to its end. Everything below `frame` belongs to the session's mutex.
///
///     queued ──> sent ──> ended
///        │         └──> recovering ──> ended     the server died; its successor is asked what became of it
///        └──────────────────────────> ended
struct CallState {
  enum class Stage { queued, sent, recovering, ended };

  // Fixed before it is submitted.
  std::int64_t id = 0;
  std::string method;
  bool bills = false;     ///< To send it twice may cost twice.
  bool streams = false;
  std::int64_t window = 0;
  Milliseconds timeout{0};
  std::string request_key;
  ChunkHandler on_chunk;
  std::function<void(const RawOutcome&)> on_done;
  std::function<void(const RawOutcome&)> internal;  ///< The session's own, called under its mutex.

  std::string frame;  ///< Its line, until it is sent.
  Stage stage = Stage::queued;
  std::optional<TimePoint> timer;  ///< When `expire` looks at it next.
  TimePoint recover_until{};

  // What the next writing is to tell the server about it.
  bool announced = false;  ///< It stands in the session's `to_announce`.
  bool cancel_wanted = false, cancel_sent = false;
  bool pause_wanted = false, pause_sent = false;
  std::int64_t credit_due = 0;

  // The stream, as far as it has come.
  std::int64_t next_seq = 0;
  std::int64_t unacknowledged = 0;
  std::deque<json> events;
  std::optional<Error> spoiled;  ///< Why its end will be this error whatever the server says.

  std::optional<RawOutcome> outcome;
  bool runnable = false;         ///< It stands in the session's queue of callbacks, or one of them runs.
  bool running = false;
  bool done_running = false;     ///< `on_done` has begun.
  bool finished = false;         ///< The outcome is there and every callback has returned.
  std::vector<std::function<void()>> on_finished;
  std::condition_variable changed;

  bool has_callbacks() const { return on_chunk != nullptr || on_done != nullptr; }
};

using CallPtr = std::shared_ptr<CallState>;
using Lock = std::unique_lock<std::mutex>;

inline std::string random_key() {
  static constexpr char digits[] = "0123456789abcdef";
  std::random_device source;
  std::string key = "cpp-";
  for (int word = 0; word < 4; ++word) {
    std::uint32_t bits = source();
    for (int nibble = 0; nibble < 8; ++nibble, bits >>= 4) key += digits[bits & 15];
  }
  return key;
}

/// Writes a message as a line. False where its text is not UTF-8.
inline bool written(const json& message, std::string& line) {
  try {
    line = message.dump();
  } catch (const json::exception&) {
    return false;
  }
  line += '\n';
  return true;
}

inline json request_line(const CallState& call, json params) {
  return {{"jsonrpc", "2.0"}, {"id", call.id}, {"method", call.method}, {"params", std::move(params)}};
}

inline std::string notification(const char* method, json params) {
  return json{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}}.dump() + "\n";
}

/// Gives the beginning of a line for a report, without what a terminal might obey.
inline std::string quoted(std::string_view line) {
  constexpr std::size_t bytes_max = 200;
  std::string text;
  for (const char c : line.substr(0, bytes_max)) text += c >= ' ' && c <= '~' ? c : '?';
  return line.size() > bytes_max ? text + "..." : text;
}

// ===================================================================================================================
// 6. Ends: which outcome a call is given; pure
// ===================================================================================================================

/// What is said of a call that may have been carried out, if it is one that bills.
inline Error doubt(const CallState& call, const char* kind, const std::string& reason) {
  if (!call.bills) return own_error(kind, reason + "; it may be sent again", true);
  Error error = own_error(kind, reason + "; whether it was carried out is not known", false);
  error.in_doubt = true;
  return error;
}

/// What is said of a call whose server died, once the ledger has been asked. `ledger` is where that is kept.
inline Error recovered(const CallState& call, const std::string& reason, RequestStatus status,
                       const std::string& ledger) {
  Error error = own_error("server_lost", reason + "; the ledger says " + name_of(status.state), false);
  // Unknown proves that nothing was sent only where the ledger outlives the process.
  const bool never_sent = status.state == Books::unknown && ledger != "memory";
  error.retryable = status.state == Books::released || never_sent;
  error.in_doubt = !error.retryable && status.state != Books::settled;
  error.request_id = status.request_id;
  error.attempts = status.attempts;
  error.request_key = call.request_key;
  error.status = std::move(status);
  return error;
}

/// Gives the outcome that a call ends with, of the one that it was about to end with.
inline RawOutcome as_it_ends(const CallState& call, RawOutcome outcome) {
  if (!call.spoiled) {
    if (outcome.ok()) return outcome;
    Error error = outcome.error();
    error.request_key = call.request_key;
    return RawOutcome::failure(std::move(error));
  }
  Error error = *call.spoiled;
  error.request_key = call.request_key;
  if (outcome.ok()) {
    const json& told = outcome.value();
    // Whole all the same: the answer was faster than our cancelling.
    if (error.kind == "timeout" && text(told, "finish_reason") != "cancelled") return outcome;
    error.retryable = false;
    error.usage = usage_in(told);
    error.partial = text(told, "content");
    error.provider = text(told, "provider");
    error.model = text(told, "model");
    error.request_id = text(told, "request_id");
    return RawOutcome::failure(std::move(error));
  }
  const Error& told = outcome.error();
  error.in_doubt = told.in_doubt;
  error.retryable = told.retryable;
  error.request_id = told.request_id;
  error.usage = told.usage;
  error.partial = told.partial;
  error.status = told.status;
  error.data = told.data;
  return RawOutcome::failure(std::move(error));
}

// ===================================================================================================================
// 7. The link: one life of the connection
// ===================================================================================================================

/// Wakes the I/O thread out of its waiting.
class Waker {
 public:
  Waker() {
    if (!pipe_.open()) throw std::system_error(errno, std::generic_category(), "manus: cannot make a pipe");
    pipe_.read_end.make_nonblocking();
    pipe_.write_end.make_nonblocking();
  }
  void wake() {
    if (woken_.exchange(true)) return;
    const char byte = 0;
    while (::write(pipe_.write_end.get(), &byte, 1) < 0 && errno == EINTR) {
    }
  }
  int fd() const { return pipe_.read_end.get(); }
  /// Forgets what came. Whoever calls this looks at everything afterwards.
  void clear() {
    char bytes[64];
    while (::read(pipe_.read_end.get(), bytes, sizeof bytes) > 0) {
    }
    woken_ = false;
    while (::read(pipe_.read_end.get(), bytes, sizeof bytes) > 0) {
    }
  }

 private:
  Pipe pipe_;
  std::atomic<bool> woken_{false};
};

/// The server's process or socket, and the bytes that come and go. Knows lines, but not what stands in them. It is the
/// I/O thread's alone.
class Link {
 public:
  /// What it hands on. `on_words` gets what the server writes to stderr.
  struct Hooks {
    std::function<void(std::string_view line)> on_line;
    std::function<void(std::string_view line)> on_words;
    std::function<void(std::size_t lines)> on_skipped;
  };

  Link(const Options& options, Hooks hooks)
      : options_(options), hooks_(std::move(hooks)), lines_(options.frame_bytes_max), buffer_(READ_BYTES) {}

  /// Starts the server, or connects to it. @return what went wrong; empty where nothing did.
  std::string open() { return options_.socket_path.empty() ? start() : connect(); }

  Child& child() { return child_; }

  /// Says no more and hears no more: for the server the end of its input.
  void hang_up() {
    in_.close();
    out_.close();
  }

  /// From now on the server may close its input and is heard out all the same.
  void expect_end() { ending_ = true; }

  /// Tells whether everything was written, so that `refill` may be used.
  bool idle() const { return in_ && written_ == outbox_.size(); }

  /// Gives the outbox, empty, to be filled with what is written next.
  std::string& refill() {
    if (outbox_.capacity() > 4 * OUTBOX_BYTES) std::string().swap(outbox_);
    outbox_.clear();
    written_ = 0;
    return outbox_;
  }
  const std::string& outbox() const { return outbox_; }
  std::size_t written() const { return written_; }

  /// Waits for something to do, but not longer than `patience`, and does it.
  /// @return why the connection is of no more use; empty where it is.
  std::string exchange(Waker& waker, Milliseconds patience) {
    const bool writes = in_ && written_ < outbox_.size();
    // poll passes over negative descriptors. `in` is watched for errors even while there is nothing to write.
    pollfd watched[5] = {{waker.fd(), POLLIN, 0},
                         {out_.get(), POLLIN, 0},
                         {err_.get(), POLLIN, 0},
                         {in_.get(), static_cast<short>(writes ? POLLOUT : 0), 0},
                         {child_.end_fd(), POLLIN, 0}};
    if (child_.running() && child_.end_fd() < 0) patience = std::min(patience, END_POLL);
    const int found = ::poll(watched, 5, static_cast<int>(std::min<std::int64_t>(patience.count(), 1 << 30)));
    if (found < 0) return errno == EINTR ? std::string() : system_message("poll", errno);
    if (watched[0].revents != 0) waker.clear();
    if (watched[2].revents != 0) read_words();
    std::string broken;
    if (watched[1].revents != 0) broken = read_lines();
    if (broken.empty() && watched[3].revents != 0) {
      broken = writes ? write_outbox() : "the server closed its input";
      if (!broken.empty()) read_lines();  // what it said before
      if (!broken.empty() && ending_) {
        in_.close();
        broken.clear();
      }
    }
    if (child_.running() && child_.reap()) {
      read_lines();
      read_words();
      broken = "the server ended (" + child_.status() + ")";
    }
    return broken;
  }

  static constexpr std::size_t OUTBOX_BYTES = 65536;  ///< About so much is written at once.

 private:
  static constexpr std::size_t READ_BYTES = 65536;
  static constexpr int READS_AT_ONCE = 16;
  static constexpr std::size_t WORDS_BYTES_MAX = 16384;  ///< Of one line of stderr.
  static constexpr Milliseconds END_POLL{50};            ///< Where there are no pidfds.

  std::string connect() {
    const std::string failure = connect_to(options_.socket_path, in_);
    if (failure.empty()) out_ = Fd(::fcntl(in_.get(), F_DUPFD_CLOEXEC, 0));
    return failure;
  }

  std::string start() {
    if (options_.command.empty()) return "there is no command and no socket_path in the options";
    Pipe in, out, err;
    if (!in.open() || !out.open()) return system_message("cannot make a pipe", errno);
    if (options_.stderr_to == Stderr::callback) {
      if (!err.open()) return system_message("cannot make a pipe", errno);
    } else if (options_.stderr_to != Stderr::inherit) {
      const char* path = options_.stderr_to == Stderr::discard ? "/dev/null" : options_.stderr_path.c_str();
      err.write_end = Fd::adopt(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      if (!err.write_end) return system_message(std::string("cannot open ") + path, errno);
    }
    const std::string failure = child_.start(options_, in.read_end.get(), out.write_end.get(), err.write_end.get());
    if (!failure.empty()) return failure;
    in_ = std::move(in.write_end);
    out_ = std::move(out.read_end);
    err_ = std::move(err.read_end);
    in_.make_nonblocking();
    out_.make_nonblocking();
    if (err_) err_.make_nonblocking();
    return {};
  }

  static bool is_passing(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

  std::string read_lines() {
    for (int times = 0; out_ && times < READS_AT_ONCE; ++times) {
      const ssize_t count = ::read(out_.get(), buffer_.data(), buffer_.size());
      if (count < 0) return is_passing(errno) ? std::string() : system_message("read", errno);
      if (count == 0) return "the server closed its output";
      const std::size_t skipped = lines_.feed(buffer_.data(), static_cast<std::size_t>(count), hooks_.on_line);
      if (skipped > 0) hooks_.on_skipped(skipped);
    }
    return {};
  }

  void read_words() {
    for (int times = 0; err_ && times < READS_AT_ONCE; ++times) {
      const ssize_t count = ::read(err_.get(), buffer_.data(), buffer_.size());
      if (count < 0) return;
      if (count == 0) {
        if (!words_.held().empty()) hooks_.on_words(words_.held());
        err_.close();
        return;
      }
      // A longer line comes in pieces: cut where the splitter would give it up.
      for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
        const std::size_t room = WORDS_BYTES_MAX - words_.held().size();
        const std::size_t piece = std::min(room, static_cast<std::size_t>(count) - at);
        words_.feed(buffer_.data() + at, piece, hooks_.on_words);
        at += piece;
        if (words_.held().size() >= WORDS_BYTES_MAX) words_.feed("\n", 1, hooks_.on_words);
      }
    }
  }

  std::string write_outbox() {
    const ssize_t count = ::write(in_.get(), outbox_.data() + written_, outbox_.size() - written_);
    if (count >= 0) {
      written_ += static_cast<std::size_t>(count);
      return {};
    }
    if (is_passing(errno)) return {};
    return errno == EPIPE ? "the server closed its input" : system_message("write", errno);
  }

  const Options& options_;
  const Hooks hooks_;
  Child child_;
  Fd in_, out_, err_;  ///< Of the server: we write to `in_`, and read from the others.
  LineSplitter lines_;
  LineSplitter words_{WORDS_BYTES_MAX};
  std::vector<char> buffer_;
  std::string outbox_;
  std::size_t written_ = 0;
  bool ending_ = false;
};

// ===================================================================================================================
// 8. Callbacks: the host's code, one call of it at a time for each call of ours
// ===================================================================================================================

/// What is to be handed to the host, and who hands it out. Guarded by the session's mutex, which is free while the
/// host's code runs.
class Callbacks {
 public:
  /// Who is told that the host's code has returned, with what it threw.
  class Owner {
   public:
    virtual void chunk_returned(const CallPtr& call, const std::optional<std::string>& thrown) = 0;
    virtual void end_returned(Lock& lock, const CallPtr& call, const std::optional<std::string>& thrown) = 0;

   protected:
    ~Owner() = default;
  };

  Callbacks(const Options& options, Owner& owner) : options_(options), owner_(owner) {}

  /// Makes this thread the one that runs callbacks.
  void belong_here() { thread_ = std::this_thread::get_id(); }
  bool belong_to_this_thread() const { return std::this_thread::get_id() == thread_; }

  /// Has the call's next chunk or its end handed out, if there is one and it is not paused.
  void schedule(const CallPtr& call) {
    if (call->runnable || call->finished || call->pause_wanted) return;
    if (call->events.empty() && !call->outcome) return;
    call->runnable = true;
    runnable_.push_back(call);
    changed_.notify_all();
  }

  /// Has an event told.
  void notice(Event::Kind kind, std::string message) {
    if (options_.on_event) add({kind, std::move(message)});
  }
  /// Has a line of stderr told.
  void notice_words(std::string line) {
    if (options_.on_stderr) add({std::nullopt, std::move(line)});
  }
  std::uint64_t dropped() const { return dropped_; }

  /// Runs one callback, if one is due.
  bool run_one(Lock& lock) {
    if (!notices_.empty() && !noticing_) {
      run_notice(lock);
      return true;
    }
    if (runnable_.empty()) return false;
    const CallPtr call = runnable_.front();
    runnable_.pop_front();
    call->running = true;
    if (!call->pause_wanted && !call->events.empty()) run_chunk(lock, call);
    else if (!call->pause_wanted && call->outcome) run_done(lock, call);
    call->running = false;
    call->runnable = false;
    schedule(call);
    return true;
  }

  /// Waits until there may be something to run, or what the waiter waits for has come about.
  void wait(Lock& lock) { changed_.wait(lock); }
  bool wait_until(Lock& lock, TimePoint until) {
    return changed_.wait_until(lock, until) == std::cv_status::no_timeout;
  }
  void wake_waiters() { changed_.notify_all(); }

 private:
  static constexpr std::size_t NOTICES_MAX = 1024;

  struct Notice {
    std::optional<Event::Kind> kind;  ///< None: a line of stderr.
    std::string text;
  };

  void add(Notice notice) {
    notices_.push_back(std::move(notice));
    if (notices_.size() > NOTICES_MAX) {
      notices_.pop_front();
      ++dropped_;
    }
    changed_.notify_all();
  }

  void run_notice(Lock& lock) {
    const Notice notice = std::move(notices_.front());
    notices_.pop_front();
    noticing_ = true;  // one at a time and in order, also where a callback waits for a call
    lock.unlock();
    // What it throws has nobody to be told to: events are the way by which such things are told.
    if (notice.kind) guarded([&] { options_.on_event({*notice.kind, notice.text}); });
    else guarded([&] { options_.on_stderr(notice.text); });
    lock.lock();
    noticing_ = false;
  }

  void run_chunk(Lock& lock, const CallPtr& call) {
    json event = std::move(call->events.front());
    call->events.pop_front();
    lock.unlock();
    const auto thrown = guarded([&] { call->on_chunk(chunk_of(call->id, std::move(event))); });
    lock.lock();
    owner_.chunk_returned(call, thrown);
  }

  void run_done(Lock& lock, const CallPtr& call) {
    call->done_running = true;
    std::optional<std::string> thrown;
    if (call->on_done) {
      lock.unlock();
      thrown = guarded([&] { call->on_done(*call->outcome); });
      lock.lock();
    }
    owner_.end_returned(lock, call, thrown);
  }

  /// Calls the host's code; what it throws does not get further.
  template <class Callback>
  static std::optional<std::string> guarded(Callback&& callback) noexcept {
    try {
      callback();
      return std::nullopt;
    } catch (const std::exception& error) {
      return error.what();
    } catch (...) {
      return "something that is no std::exception";
    }
  }

  const Options& options_;
  Owner& owner_;
  std::thread::id thread_;
  std::condition_variable changed_;
  std::deque<CallPtr> runnable_;
  std::deque<Notice> notices_;
  bool noticing_ = false;
  std::uint64_t dropped_ = 0;
};

// ===================================================================================================================
// 9. The session
// ===================================================================================================================

/// The connection and all calls over it, across the lives of the server.
///
///     starting ──> ready ──> ending ──> resting ──> starting     the server was lost and comes back
///                    │         │  └──> over                      it does not, or the client is closed
///                    └──> closing ──> ending
///
/// The I/O thread runs `run`; it alone touches what `Connection` holds. Members below `mutex_` are guarded by it. No
/// callback of the host's is ever called with the mutex held, nor on the I/O thread.
class Session final : public std::enable_shared_from_this<Session>, private Callbacks::Owner {
 public:
  explicit Session(Options options)
      : options_(std::move(options)), owner_pid_(::getpid()), callbacks_(options_, *this) {
    if (options_.dispatch == Dispatch::manual) callbacks_.belong_here();
  }

  void start_threads() {
    const SignalsBlocked blocked;
    std::shared_ptr<Session> self = shared_from_this();  // a destructor on our own thread cannot wait for it
    if (options_.dispatch == Dispatch::thread) dispatcher_ = std::thread([self] { self->dispatch(); });
    try {
      io_thread_ = std::thread([self] { self->run(); });
    } catch (const std::system_error&) {
      {
        Lock lock(mutex_);
        abandoned_ = true;
        enter(Phase::over, std::nullopt);
      }
      if (dispatcher_.joinable()) dispatcher_.join();
      throw;
    }
  }

  const Options& options() const { return options_; }

  // --- what callers do ---------------------------------------------------------------------------------------------

  /// Takes a call in hand. Waits for room in the send queue, no longer than `send_timeout`.
  void submit(const CallPtr& call, json params) {
    Lock lock(mutex_);
    call->id = next_id_++;
    lock.unlock();
    // May take long: not with the mutex held.
    const bool is_utf8 = written(request_line(*call, std::move(params)), call->frame);
    lock.lock();
    ++unfinished_;
    if (!is_utf8)
      return refuse(lock, call, own_error("invalid_params", "a text in the parameters is not UTF-8", false));
    if (unfinished_ > options_.pending_max)
      return refuse(lock, call, own_error("too_many_pending", "too many calls are open (pending_max)", true));
    const std::size_t size = call->frame.size();
    const auto has_room = [&] {
      return !accepts() || queued_bytes_ == 0 || queued_bytes_ + size <= options_.send_queue_bytes_max;
    };
    if (!room_.wait_until(lock, Clock::now() + options_.send_timeout, has_room))
      return refuse(lock, call, own_error("send_timeout", "the server does not read; nothing of this was sent", true));
    if (!accepts()) return refuse(lock, call, why_not());
    calls_[call->id] = call;
    queue_.push_back(call);
    queued_bytes_ += size;
    set_timer(*call, Clock::now() + call->timeout);
    waker_.wake();
  }

  /// Asks for the call's end; it still comes by itself, with what it used. No chunk is handed out any more.
  void cancel(const CallPtr& call) {
    Lock lock(mutex_);
    call->events.clear();
    call->pause_wanted = false;
    switch (call->stage) {
      case CallState::Stage::queued:
        withdraw(*call);
        end(lock, call, RawOutcome::failure(own_error("cancelled", "cancelled before it was sent", true)));
        break;
      case CallState::Stage::sent:
        announce_cancel(call);
        break;
      case CallState::Stage::recovering:
        break;
      case CallState::Stage::ended:
        callbacks_.schedule(call);
        break;
    }
  }

  void cancel(std::int64_t id) {
    CallPtr call;
    {
      Lock lock(mutex_);
      auto found = calls_.find(id);
      if (found == calls_.end()) return;
      call = found->second;
    }
    cancel(call);
  }

  /// Stops the stream at its source and its callbacks here, or lets both go on.
  void pause(const CallPtr& call, bool paused) {
    Lock lock(mutex_);
    if (call->pause_wanted == paused || call->cancel_wanted || call->finished) return;
    if (paused && !accepts()) return;  // at the end nothing is held back
    call->pause_wanted = paused;
    if (call->stage == CallState::Stage::sent) announce(call);
    if (!paused) callbacks_.schedule(call);
  }

  /// Waits until the call has ended and its callbacks have returned. On the callback thread others' callbacks run
  /// meanwhile, so that this cannot be a deadlock.
  /// @return whether it has, by `until`.
  bool wait(const CallPtr& call, std::optional<TimePoint> until) {
    Lock lock(mutex_);
    const bool on_callback_thread = callbacks_.belong_to_this_thread();
    const auto done = [&] { return call->finished || (on_callback_thread && call->running); };
    if (!on_callback_thread) {
      if (until) call->changed.wait_until(lock, *until, done);
      else call->changed.wait(lock, done);
      return call->finished;
    }
    while (!done()) {
      if (callbacks_.run_one(lock)) continue;
      if (!until) callbacks_.wait(lock);
      else if (!callbacks_.wait_until(lock, *until)) break;
    }
    return call->finished;
  }

  /// Gives the outcome of a call that `wait` came back for.
  RawOutcome outcome(const CallPtr& call) {
    Lock lock(mutex_);
    if (call->outcome && (call->finished || call->done_running)) return *call->outcome;
    return RawOutcome::failure(
        own_error("would_deadlock", "a callback of this call waited for it; wait elsewhere, or use on_done", false));
  }

  bool finished(const CallPtr& call) {
    Lock lock(mutex_);
    return call->finished;
  }

  /// Has something done as soon as the call has finished, on whatever thread that happens. It must not throw.
  void when_finished(const CallPtr& call, std::function<void()> then) {
    {
      Lock lock(mutex_);
      if (!call->finished) {
        call->on_finished.push_back(std::move(then));
        return;
      }
    }
    then();
  }

  /// Waits for the handshake, or for what came in its place.
  Outcome<ServerInfo> wait_ready(std::optional<TimePoint> until) {
    Lock lock(mutex_);
    const auto decided = [&] { return phase_ == Phase::ready || phase_ == Phase::over || closing(); };
    if (!until) phase_changed_.wait(lock, decided);
    else if (!phase_changed_.wait_until(lock, *until, decided))
      return Outcome<ServerInfo>::failure(own_error("timeout", "the server is not ready yet", true));
    if (phase_ == Phase::ready) return Outcome<ServerInfo>::success(server_);
    return Outcome<ServerInfo>::failure(why_not());
  }

  State state() {
    Lock lock(mutex_);
    if (closing()) return phase_ == Phase::over ? State::closed : State::closing;
    switch (phase_) {
      case Phase::ready: return State::ready;
      case Phase::over: return State::failed;
      default: return counts_.starts == 0 ? State::starting : State::restarting;
    }
  }

  pid_t pid() {
    Lock lock(mutex_);
    return pid_;
  }

  Statistics statistics() {
    Lock lock(mutex_);
    Statistics counts = counts_;
    counts.pending = unfinished_;
    counts.queued_bytes = queued_bytes_;
    counts.notices_dropped = callbacks_.dropped();
    return counts;
  }

  /// Runs callbacks that wait, at most `count_max`; from now on this is the thread that runs them.
  std::size_t run_callbacks(std::size_t count_max) {
    Lock lock(mutex_);
    if (options_.dispatch == Dispatch::thread) return 0;
    callbacks_.belong_here();
    std::size_t count = 0;
    while (count < count_max && callbacks_.run_one(lock)) ++count;
    return count;
  }

  /// Begins the end: no new calls; those under way have until `deadline`. Waits for the server's end.
  ShutdownReport close(Milliseconds deadline) {
    Lock lock(mutex_);
    if (!close_at_) {
      close_at_ = Clock::now() + deadline;
      close_ms_ = deadline.count();
      room_.notify_all();
      phase_changed_.notify_all();
      waker_.wake();
    }
    const bool on_callback_thread = callbacks_.belong_to_this_thread();
    while (phase_ != Phase::over) {
      if (!on_callback_thread) phase_changed_.wait(lock);
      else if (!callbacks_.run_one(lock)) callbacks_.wait(lock);
    }
    return report_;
  }

  /// Closes, and joins the threads; on one of them it leaves them to end by themselves.
  void destroy() {
    if (::getpid() != owner_pid_) {  // a fork's copy: the threads and the server are the parent's
      new std::shared_ptr<Session>(shared_from_this());
      return;
    }
    close(options_.shutdown_deadline);
    {
      Lock lock(mutex_);
      abandoned_ = true;
      callbacks_.wake_waiters();
      if (options_.dispatch == Dispatch::manual) {
        callbacks_.belong_here();
        while (callbacks_.run_one(lock)) {
        }
      }
    }
    for (std::thread* each : {&io_thread_, &dispatcher_}) {
      if (!each->joinable()) continue;
      if (each->get_id() == std::this_thread::get_id()) each->detach();
      else each->join();
    }
  }

 private:
  enum class Phase { starting, ready, closing, ending, resting, over };

  /// A call whose line stands in the outbox, and where.
  struct Sending {
    std::size_t begin, end;
    CallPtr call;
  };

  static constexpr Milliseconds STATUS_AGAIN{200};  ///< Between two looks at a request that is still open.
  static constexpr std::int64_t HANDSHAKE_ID = 0;

  // --- the I/O thread ----------------------------------------------------------------------------------------------

  void run() {
    begin_connection();
    while (true) {
      std::string broken;
      try {
        Milliseconds patience{0};
        {
          Lock lock(mutex_);
          advance(lock);
          if (phase_ == Phase::over) return;
          fill_outbox(lock);
          patience = until_next_timer();
        }
        broken = link_->exchange(waker_, patience);
      } catch (const std::exception& error) {  // out of memory; nothing else here throws
        broken = error.what();
      }
      if (broken.empty()) continue;
      Lock lock(mutex_);
      lose(lock, broken);
    }
  }

  /// Starts the server, or connects to it; sets the phase to `starting` or, where that fails, to `ending`.
  void begin_connection() {
    Link::Hooks hooks;
    hooks.on_line = [this](std::string_view line) { take(line); };
    hooks.on_words = [this](std::string_view line) { take_words(line); };
    hooks.on_skipped = [this](std::size_t lines) { take_skipped(lines); };
    link_ = std::make_unique<Link>(options_, std::move(hooks));
    greeted_ = false;
    kills_ = 0;
    const std::string failure = link_->open();
    Lock lock(mutex_);
    pid_ = link_->child().pid();
    enter(Phase::starting, Clock::now() + options_.start_timeout);
    if (!failure.empty()) lose(lock, failure);
  }

  // --- phases ------------------------------------------------------------------------------------------------------

  bool closing() const { return close_at_.has_value(); }
  bool accepts() const { return phase_ != Phase::over && !closing(); }
  bool will_restart() const { return options_.restart.enabled && !closing() && !hopeless_; }

  Error why_not() const {
    if (closing()) return own_error("closed", "the client is closed; nothing was sent", true);
    return own_error(counts_.starts == 0 ? "not_started" : "server_lost", failure_, true);
  }

  void enter(Phase phase, std::optional<TimePoint> until) {
    phase_ = phase;
    phase_until_ = until;
    phase_changed_.notify_all();
    callbacks_.wake_waiters();  // whoever pumps callbacks may be waiting for the phase
    if (phase == Phase::over || closing()) room_.notify_all();
  }

  /// Does what time or `close` demand.
  void advance(Lock& lock) {
    const TimePoint now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const std::int64_t id = timers_.begin()->second;
      timers_.erase(timers_.begin());
      CallPtr call = calls_.at(id);
      call->timer.reset();
      expire(lock, call, now);
    }
    if (closing()) begin_closing(lock);
    const bool due = phase_until_ && *phase_until_ <= now;
    switch (phase_) {
      case Phase::starting:
        if (due) lose(lock, "the server was not ready within start_timeout");
        break;
      case Phase::closing:
        if (due || (!options_.socket_path.empty() && !any_on_its_way())) lose(lock, "the client is closed");
        break;
      case Phase::ending:
        end_child(lock, due);
        break;
      case Phase::resting:
        if (due) {
          lock.unlock();
          begin_connection();
          lock.lock();
        }
        break;
      case Phase::ready:
      case Phase::over:
        break;
    }
  }

  void begin_closing(Lock& lock) {
    if (phase_ == Phase::closing || phase_ == Phase::ending || phase_ == Phase::over) return;
    for (const CallPtr& call : all_calls()) {
      if (call->stage != CallState::Stage::sent) continue;
      call->pause_wanted = false;
      callbacks_.schedule(call);
      announce(call);
      if (!options_.socket_path.empty()) announce_cancel(call);
    }
    if (phase_ == Phase::resting) {
      report_ = {};
      refuse_the_rest(lock);
      return enter(Phase::over, std::nullopt);
    }
    if (phase_ != Phase::ready) return lose(lock, "the client is closed");
    refuse_the_rest(lock);
    enter(Phase::closing, std::max(*close_at_, Clock::now()) + options_.stop_grace);
    link_->expect_end();
    if (!options_.socket_path.empty()) return;  // the server serves others too
    CallPtr shutdown = std::make_shared<CallState>();
    shutdown->method = "shutdown";
    shutdown->internal = [](const RawOutcome&) {};
    post(shutdown, {{"deadline_ms", close_ms_}}, *phase_until_ + options_.stop_grace);
  }

  /// Ends every call that is not on its way, and lets the callbacks of those that have ended come.
  void refuse_the_rest(Lock& lock) {
    for (const CallPtr& call : all_calls()) {
      call->pause_wanted = false;
      if (call->stage == CallState::Stage::queued) {
        withdraw(*call);
        end(lock, call, RawOutcome::failure(why_not()));
      } else if (call->stage == CallState::Stage::recovering) {
        end(lock, call, RawOutcome::failure(doubt(*call, "server_lost", failure_)));
      } else if (call->stage == CallState::Stage::ended) {
        callbacks_.schedule(call);
      }
    }
  }

  /// Gives the connection up: tells every call what becomes of it, and ends the process.
  void lose(Lock& lock, const std::string& reason) {
    if (phase_ == Phase::ending || phase_ == Phase::resting || phase_ == Phase::over) return;
    const bool greeted = phase_ != Phase::starting;
    failure_ = reason;
    if (!closing()) {
      const TimePoint now = Clock::now();
      deaths_.push_back(now);
      while (deaths_.front() + options_.restart.period < now) deaths_.pop_front();
      // One that never was ready will not be by being tried again: a wrong command, a bad configuration.
      const bool too_many = deaths_.size() > static_cast<std::size_t>(std::max(options_.restart.deaths_max, 0));
      hopeless_ = counts_.starts == 0 || too_many;
      if (greeted) callbacks_.notice(Event::Kind::lost, reason);
    }
    link_->hang_up();
    settle_calls(lock);
    pid_ = -1;
    enter(Phase::ending, Clock::now() + options_.stop_grace);
  }

  /// Sees to it that the process ends, then rests or is over.
  void end_child(Lock& lock, bool due) {
    Child& child = link_->child();
    if (!child.reap()) {
      if (!due) return;
      ++kills_;
      child.signal(kills_ == 1 ? SIGTERM : SIGKILL);
      phase_until_ = Clock::now() + options_.stop_grace;
      if (kills_ == 1) return;
      lock.unlock();
      child.reap(true);  // after SIGKILL that is a matter of the kernel's
      lock.lock();
    }
    report_ = report_of(child.status());
    if (failure_.find(report_.status) == std::string::npos) failure_ += " (" + report_.status + ")";
    if (will_restart()) {
      const Milliseconds pause = backoff();
      callbacks_.notice(Event::Kind::restarting, failure_ + "; restart in " + std::to_string(pause.count()) + " ms");
      return enter(Phase::resting, Clock::now() + pause);
    }
    if (!closing()) {
      if (!last_words_.empty() && counts_.starts == 0) failure_ += "; its last words: " + last_words_;
      callbacks_.notice(Event::Kind::failed, failure_);
    }
    refuse_the_rest(lock);
    enter(Phase::over, std::nullopt);
  }

  ShutdownReport report_of(const std::string& status) const {
    using How = ShutdownReport::How;
    if (status.empty()) return {};
    return {kills_ == 0 ? How::orderly : kills_ == 1 ? How::terminated : How::killed, status};
  }

  Milliseconds backoff() const {
    const Restart& restart = options_.restart;
    Milliseconds pause = restart.backoff_min;
    for (std::size_t death = 1; death < deaths_.size() && pause < restart.backoff_max; ++death) pause *= 2;
    return std::min(pause, restart.backoff_max);
  }

  // --- calls -------------------------------------------------------------------------------------------------------

  /// Gives every call that was on its way its end, or puts it where its end will come from.
  void settle_calls(Lock& lock) {
    // A line whose end had not left cannot have been read: it goes back to the head of the queue.
    for (auto each = sending_.rbegin(); each != sending_.rend(); ++each) {
      const CallPtr& call = each->call;
      if (each->end <= link_->written() || call->stage != CallState::Stage::sent || call->internal) continue;
      if (call->cancel_wanted) {
        end(lock, call, RawOutcome::failure(own_error("cancelled", "cancelled before it was sent", true)));
        continue;
      }
      call->frame = link_->outbox().substr(each->begin, each->end - each->begin);
      call->stage = CallState::Stage::queued;
      call->pause_sent = false;
      queue_.push_front(call);
      queued_bytes_ += call->frame.size();
    }
    sending_.clear();
    to_announce_.clear();
    const TimePoint now = Clock::now();
    for (const CallPtr& call : all_calls()) {
      call->announced = false;
      if (call->stage == CallState::Stage::queued) {
        if (will_restart() || hopeless_) continue;  // sent when it is back, or refused when it is known how it ended
        withdraw(*call);
        const Error lost = own_error("server_lost", failure_ + "; nothing of it was sent", true);
        end(lock, call, RawOutcome::failure(closing() ? why_not() : lost));
      } else if (call->stage == CallState::Stage::sent) {
        if (call->bills && will_restart() && !call->request_key.empty()) {
          call->stage = CallState::Stage::recovering;
          call->recover_until = now + options_.recovery_timeout;
          if (call->timer) call->recover_until = std::min(call->recover_until, *call->timer);
          set_timer(*call, call->recover_until);
        } else {
          end(lock, call, RawOutcome::failure(doubt(*call, closing() ? "closed" : "server_lost", failure_)));
        }
      }
    }
  }

  /// Asks the ledger of the server that is back about every call of which its forerunner owes the end.
  void ask_about(const CallPtr& lost) {
    CallPtr question = std::make_shared<CallState>();
    question->method = "request.status";
    std::weak_ptr<CallState> about = lost;
    question->internal = [this, about](const RawOutcome& answer) {
      CallPtr call = about.lock();
      if (!call || call->stage != CallState::Stage::recovering) return;
      RequestStatus status;
      const bool known = answer.ok() && read(answer.value(), status);
      const TimePoint again = Clock::now() + STATUS_AGAIN;
      if (known && (status.state != Books::open || again >= call->recover_until))
        recovered_.emplace_back(call, std::move(status));
      else if (again < call->recover_until)
        set_timer(*call, again);
    };
    post(question, {{"request_key", lost->request_key}}, lost->recover_until);
  }

  /// Puts a message of our own among the frames.
  void post(const CallPtr& call, json params, TimePoint until) {
    call->id = next_id_++;
    ++unfinished_;
    written(request_line(*call, std::move(params)), call->frame);
    calls_[call->id] = call;
    queue_.push_back(call);
    queued_bytes_ += call->frame.size();
    set_timer(*call, until);
  }

  /// The call's timer has struck.
  void expire(Lock& lock, const CallPtr& call, TimePoint now) {
    switch (call->stage) {
      case CallState::Stage::queued:
        withdraw(*call);
        end(lock, call, RawOutcome::failure(own_error("timeout", "its timeout passed before it could be sent", true)));
        break;
      case CallState::Stage::sent:
        if (call->internal) {
          end(lock, call, RawOutcome::failure(own_error("timeout", "no answer", true)));
        } else if (call->cancel_wanted) {
          const char* reason = "the server did not confirm the end in cancel_grace";
          end(lock, call, RawOutcome::failure(doubt(*call, "cancelled", reason)));
        } else {
          call->spoiled = own_error("timeout", "the call's timeout passed", !call->bills);
          call->events.clear();
          call->pause_wanted = false;
          announce_cancel(call);
        }
        break;
      case CallState::Stage::recovering:
        if (now < call->recover_until) {
          set_timer(*call, call->recover_until);
          if (phase_ == Phase::ready) ask_about(call);  // else it is asked about as soon as there is a server
        } else {
          const std::string reason = failure_ + "; the ledger could not be asked in time";
          end(lock, call, RawOutcome::failure(doubt(*call, "server_lost", reason)));
        }
        break;
      case CallState::Stage::ended:
        break;
    }
  }

  /// Ends a call that was never among `calls_`.
  void refuse(Lock& lock, const CallPtr& call, Error error) {
    call->frame = std::string();
    end(lock, call, RawOutcome::failure(std::move(error)));
  }

  /// Takes a frame that was not sent out of the queue.
  void withdraw(CallState& call) {
    queued_bytes_ -= call.frame.size();
    call.frame = std::string();
    call.stage = CallState::Stage::ended;
    for (auto each = queue_.begin(); each != queue_.end(); ++each) {
      if (each->get() != &call) continue;
      queue_.erase(each);
      break;
    }
    room_.notify_all();
  }

  /// Gives the call its outcome; the one place where that happens.
  void end(Lock& lock, const CallPtr& call, RawOutcome outcome) {
    clear_timer(*call);
    call->stage = CallState::Stage::ended;
    calls_[call->id] = call;  // until it is finished; one that is refused never was there
    outcome = as_it_ends(*call, std::move(outcome));
    if (!outcome.ok()) call->pause_wanted = false;
    if (call->internal) {
      call->finished = true;
      --unfinished_;
      calls_.erase(call->id);
      call->internal(outcome);
      call->internal = nullptr;
      return;
    }
    call->outcome = std::move(outcome);
    if (!call->has_callbacks()) return finish(lock, call);
    callbacks_.schedule(call);
  }

  /// The call's callbacks have returned: whoever waits for it goes on.
  void finish(Lock& lock, const CallPtr& call) {
    call->finished = true;
    --unfinished_;
    calls_.erase(call->id);
    call->on_chunk = nullptr;  // they may hold the call's own handle
    call->on_done = nullptr;
    std::vector<std::function<void()>> then;
    then.swap(call->on_finished);
    call->changed.notify_all();
    callbacks_.wake_waiters();
    if (then.empty()) return;
    lock.unlock();
    for (const std::function<void()>& each : then) each();
    lock.lock();
  }

  std::vector<CallPtr> all_calls() const {
    std::vector<CallPtr> all;
    for (const auto& [id, call] : calls_) all.push_back(call);
    return all;
  }

  bool any_on_its_way() const {
    for (const auto& [id, call] : calls_)
      if (call->stage == CallState::Stage::sent) return true;
    return false;
  }

  void set_timer(CallState& call, TimePoint at) {
    clear_timer(call);
    call.timer = at;
    timers_.emplace(at, call.id);
  }

  void clear_timer(CallState& call) {
    if (call.timer) timers_.erase({*call.timer, call.id});
    call.timer.reset();
  }

  Milliseconds until_next_timer() const {
    TimePoint next = Clock::now() + std::chrono::hours(1);
    if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
    if (phase_until_) next = std::min(next, *phase_until_);
    const auto left = std::chrono::ceil<Milliseconds>(next - Clock::now());
    return std::max(left, Milliseconds{0});
  }

  // --- writing -----------------------------------------------------------------------------------------------------

  /// Has the next writing tell the server what is new of the call.
  void announce(const CallPtr& call) {
    if (call->announced) return;
    call->announced = true;
    to_announce_.push_back(call);
    waker_.wake();
  }

  /// Lets the server send one event more.
  void grant(const CallPtr& call) {
    ++call->credit_due;
    // Half a window at a time: the server is never idle for want of credit, and we do not chatter.
    if (call->stage == CallState::Stage::sent && call->credit_due >= std::max<std::int64_t>(1, call->window / 2))
      announce(call);
  }

  void announce_cancel(const CallPtr& call) {
    if (call->cancel_wanted) return;
    call->cancel_wanted = true;
    call->pause_wanted = false;
    const TimePoint last = Clock::now() + options_.cancel_grace;
    set_timer(*call, call->spoiled || !call->timer ? last : std::min(last, *call->timer + options_.cancel_grace));
    announce(call);
  }

  /// Refills an outbox that has been written: first what is to be told of running calls, then new ones.
  void fill_outbox(Lock& lock) {
    if (!link_->idle()) return;
    std::string& outbox = link_->refill();
    sending_.clear();
    if (phase_ == Phase::starting && !std::exchange(greeted_, true)) {
      const json params{{"protocolVersion", PROTOCOL_VERSION},
                        {"client", {{"name", options_.client_name}}},
                        {"window", std::max<std::int64_t>(1, options_.window)}};
      written({{"jsonrpc", "2.0"}, {"id", HANDSHAKE_ID}, {"method", "initialize"}, {"params", params}}, outbox);
      ++counts_.lines_out;
    }
    if (phase_ != Phase::ready && phase_ != Phase::closing) return;
    while (!to_announce_.empty() && outbox.size() < Link::OUTBOX_BYTES) {
      const CallPtr call = to_announce_.front();
      to_announce_.pop_front();
      call->announced = false;
      if (call->stage == CallState::Stage::sent) write_news(*call, outbox);
    }
    while (!queue_.empty() && outbox.size() < Link::OUTBOX_BYTES) {
      const CallPtr call = queue_.front();
      if (server_frame_bytes_max_ && call->frame.size() > *server_frame_bytes_max_ + 1) {
        const std::string reason = "the server takes frames of " + std::to_string(*server_frame_bytes_max_) + " bytes";
        withdraw(*call);
        end(lock, call, RawOutcome::failure(own_error("frame_too_large", reason, false)));
        continue;
      }
      queue_.pop_front();
      queued_bytes_ -= call->frame.size();
      call->stage = CallState::Stage::sent;
      sending_.push_back({outbox.size(), outbox.size() + call->frame.size(), call});
      outbox += call->frame;
      call->frame = std::string();
      ++counts_.lines_out;
      if (call->pause_wanted) announce(call);
    }
    room_.notify_all();
  }

  void write_news(CallState& call, std::string& outbox) {
    const auto tell = [&](const char* method, json params) {
      outbox += notification(method, std::move(params));
      ++counts_.lines_out;
    };
    if (call.cancel_wanted && !call.cancel_sent) {
      call.cancel_sent = true;
      tell("$/cancelRequest", {{"id", call.id}});
    }
    if (call.cancel_wanted) return;
    if (call.pause_wanted != call.pause_sent) {
      call.pause_sent = call.pause_wanted;
      tell(call.pause_sent ? "$/pause" : "$/resume", {{"id", call.id}});
    }
    if (call.credit_due > 0) {
      tell("$/credit", {{"id", call.id}, {"n", call.credit_due}});
      call.unacknowledged -= std::exchange(call.credit_due, 0);
    }
  }

  // --- what the server says ----------------------------------------------------------------------------------------

  void take(std::string_view line) {
    if (line.empty()) return;
    json message = parsed(line);  // not with the mutex held
    Lock lock(mutex_);
    ++counts_.lines_in;
    const json* id = member(message, "id");
    const json* method = member(message, "method");
    const bool reply = id != nullptr && method == nullptr && (message.contains("result") || message.contains("error"));
    if (method != nullptr && *method == "stream.event" && message.contains("params")) {
      take_event(message["params"]);
    } else if (reply && id->is_number_integer()) {
      take_reply(lock, id->get<std::int64_t>(), message);
    } else if (reply && id->is_null()) {
      ++counts_.malformed_lines;
      const Error error = error_of(message.value("error", json()));
      callbacks_.notice(Event::Kind::problem, "the server could not read a line: " + error.message);
    } else if (method == nullptr || !method->is_string() || id != nullptr) {
      ++counts_.malformed_lines;
      callbacks_.notice(Event::Kind::problem, "the server sent what is no message: " + quoted(line));
    }  // notifications that a later protocol may have are none of our business
    while (!recovered_.empty()) {
      auto [call, status] = std::move(recovered_.front());
      recovered_.pop_front();
      if (call->stage == CallState::Stage::recovering) {
        Error error = recovered(*call, failure_, std::move(status), text(server_told_, "ledger", "memory"));
        end(lock, call, RawOutcome::failure(std::move(error)));
      }
    }
  }

  void take_words(std::string_view line) {
    Lock lock(mutex_);
    last_words_ = line;
    callbacks_.notice_words(last_words_);
  }

  void take_skipped(std::size_t lines) {
    Lock lock(mutex_);
    counts_.oversized_lines += lines;
    callbacks_.notice(Event::Kind::problem, "a line of the server is longer than frame_bytes_max; it is skipped");
  }

  void take_event(json& params) {
    const json* event = member(params, "event");
    const std::optional<std::int64_t> id = whole(params, "id");
    auto found = id ? calls_.find(*id) : calls_.end();
    if (found == calls_.end() || event == nullptr || !event->is_object()) {
      ++(event == nullptr || !id ? counts_.malformed_lines : counts_.late_messages);
      return;
    }
    const CallPtr call = found->second;
    if (call->stage != CallState::Stage::sent || call->cancel_wanted) return;
    std::string breach;
    if (!call->streams) breach = "events for a call that does not stream";
    else if (whole(params, "seq") != call->next_seq) breach = "an event out of its order";
    else if (call->unacknowledged >= call->window) breach = "more events than the window allows";
    if (!breach.empty()) return spoil(call, own_error("protocol", "the server sent " + breach, false));
    ++call->next_seq;
    ++call->unacknowledged;
    if (!call->on_chunk) return grant(call);
    call->events.push_back(std::move(params["event"]));
    callbacks_.schedule(call);
  }

  void take_reply(Lock& lock, std::int64_t id, json& message) {
    const json* error = member(message, "error");
    RawOutcome outcome = error != nullptr ? RawOutcome::failure(error_of(*error))
                                          : RawOutcome::success(std::move(message["result"]));
    if (id == HANDSHAKE_ID && phase_ == Phase::starting) return take_greeting(lock, outcome);
    auto found = calls_.find(id);
    if (found == calls_.end() || found->second->stage != CallState::Stage::sent) {
      ++counts_.late_messages;
      return;
    }
    const CallPtr call = found->second;
    end(lock, call, std::move(outcome));
  }

  void take_greeting(Lock& lock, const RawOutcome& outcome) {
    ServerInfo info;
    if (!outcome.ok() || !read(outcome.value(), info)) {
      const std::string why = outcome.ok() ? "it is no server of this protocol" : outcome.error().message;
      return lose(lock, "the server refused the handshake: " + why);
    }
    server_told_ = outcome.value()["server"];
    server_ = std::move(info);
    if (const auto limit = whole(server_.limits, "frame_bytes_max"); limit && *limit > 0)
      server_frame_bytes_max_ = static_cast<std::size_t>(*limit);
    ++counts_.starts;
    enter(Phase::ready, std::nullopt);
    callbacks_.notice(Event::Kind::started, server_.name + " " + server_.version);
    for (const CallPtr& call : all_calls())
      if (call->stage == CallState::Stage::recovering) ask_about(call);
  }

  /// Cancels a call whose end is to be this error.
  void spoil(const CallPtr& call, Error error) {
    if (!call->spoiled) call->spoiled = std::move(error);
    call->events.clear();
    if (call->stage == CallState::Stage::sent) announce_cancel(call);
  }

  // --- callbacks ---------------------------------------------------------------------------------------------------

  void dispatch() {
    Lock lock(mutex_);
    callbacks_.belong_here();
    while (true) {
      if (callbacks_.run_one(lock)) continue;
      if (phase_ == Phase::over && abandoned_) return;
      callbacks_.wait(lock);
    }
  }

  void chunk_returned(const CallPtr& call, const std::optional<std::string>& thrown) override {
    if (thrown) {
      Error error = own_error("callback_failed", *thrown, false);
      if (!call->outcome) return spoil(call, std::move(error));
      call->events.clear();
      if (!call->outcome->ok()) return;
      call->spoiled = std::move(error);
      call->outcome = as_it_ends(*call, *call->outcome);
      return;
    }
    grant(call);
  }

  void end_returned(Lock& lock, const CallPtr& call, const std::optional<std::string>& thrown) override {
    if (thrown) callbacks_.notice(Event::Kind::problem, "a callback threw at the end of a call: " + *thrown);
    finish(lock, call);
  }

  const Options options_;
  const pid_t owner_pid_;
  Waker waker_;
  std::thread io_thread_;
  std::thread dispatcher_;
  // The I/O thread's.
  std::unique_ptr<Link> link_;
  std::vector<Sending> sending_;  ///< What of the outbox are calls.
  bool greeted_ = false;          ///< `initialize` is in the outbox or gone.
  int kills_ = 0;                 ///< 1: SIGTERM was sent, 2: SIGKILL.

  std::mutex mutex_;
  std::condition_variable room_, phase_changed_;
  Phase phase_ = Phase::starting;
  std::optional<TimePoint> phase_until_;
  std::optional<TimePoint> close_at_;
  std::int64_t close_ms_ = 0;
  ShutdownReport report_;
  ServerInfo server_;
  json server_told_;
  std::optional<std::size_t> server_frame_bytes_max_;
  pid_t pid_ = -1;
  std::string failure_ = "the server has not been started";
  std::string last_words_;
  std::deque<TimePoint> deaths_;
  bool hopeless_ = false;
  bool abandoned_ = false;

  std::int64_t next_id_ = HANDSHAKE_ID + 1;
  std::size_t unfinished_ = 0;
  std::unordered_map<std::int64_t, CallPtr> calls_;
  std::set<std::pair<TimePoint, std::int64_t>> timers_;
  std::deque<CallPtr> queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<CallPtr> to_announce_;
  std::deque<std::pair<CallPtr, RequestStatus>> recovered_;

  Callbacks callbacks_;
  Statistics counts_;
};

}  // namespace detail

// ===================================================================================================================
// 10. The face
// ===================================================================================================================

/// A call that is under way. Copies are the same call. Dropping it changes nothing: the call goes on to its end, and
/// its callbacks come. It may outlive the client, whose end is the end of all its calls.
template <class T>
class Call {
 public:
  Call(std::shared_ptr<detail::Session> session, detail::CallPtr state)
      : session_(std::move(session)), state_(std::move(state)) {}

  std::int64_t id() const { return state_->id; }
  /// Gives the name under which the ledger knows it; empty for calls that bill nothing.
  const std::string& request_key() const { return state_->request_key; }

  /// Waits for its end, which comes after the last callback has returned. In one of the call's own callbacks, other
  /// than `on_done`, this gives the error `would_deadlock`.
  Outcome<T> get() const {
    session_->wait(state_, std::nullopt);
    return typed(session_->outcome(state_));
  }

  /// Waits for its end and gives the value.
  /// @throws Failure
  T value() const { return get().value(); }

  /// Waits for its end, but not for longer; tells whether it has come.
  bool wait_for(Milliseconds patience) const { return session_->wait(state_, detail::Clock::now() + patience); }
  bool finished() const { return session_->finished(state_); }

  /// Gives its end as a future, which never holds an exception.
  std::future<Outcome<T>> future() const {
    auto promise = std::make_shared<std::promise<Outcome<T>>>();
    session_->when_finished(state_, [promise, session = session_, state = state_] {
      promise->set_value(typed(session->outcome(state)));
    });
    return promise->get_future();
  }

  /// Ends it early. Its end still comes: a `Response` with `cancelled()`, what had been said and what that cost; or the
  /// error `cancelled`, if nothing had reached a provider. No callback but `on_done` begins after this.
  void cancel() const { session_->cancel(state_); }

  /// Holds a stream back: the server stops reading from the provider, and no chunk is handed out until `resume`. Its
  /// timeout goes on. A paused stream that ends well waits for `resume` too.
  void pause() const { session_->pause(state_, true); }
  void resume() const { session_->pause(state_, false); }

  static Outcome<T> typed(const Outcome<json>& raw) {
    if (!raw.ok()) return Outcome<T>::failure(raw.error());
    T value{};
    if (detail::read(raw.value(), value)) return Outcome<T>::success(std::move(value));
    return Outcome<T>::failure(detail::own_error("protocol", "the server's result has another shape", false));
  }

 private:
  std::shared_ptr<detail::Session> session_;
  detail::CallPtr state_;
};

/// A server and the connection to it. Every method may be called from any thread, callbacks included.
///
/// The constructor returns at once; calls wait in the queue until the server is ready. The destructor asks the server
/// to end within `shutdown_deadline`, insists with SIGTERM and SIGKILL, and returns when it is gone and every callback
/// has returned; a server behind a Unix socket is only disconnected from.
class Client {
 public:
  /// @throws std::system_error if there are no descriptors or threads left. A server that cannot be started is no
  ///         exception: `wait_ready` and every call say so.
  explicit Client(Options options) : session_(std::make_shared<detail::Session>(std::move(options))) {
    session_->start_threads();
  }
  ~Client() { session_->destroy(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- asking models -----------------------------------------------------------------------------------------------

  /// Asks for a whole answer.
  Call<Response> generate(const Request& request, ResponseHandler on_done = {}) {
    return ask("generate", request, {}, std::move(on_done));
  }

  /// Asks for an answer in pieces: `on_chunk` is called for each in order, one at a time, then `on_done`. A slow
  /// `on_chunk` slows this stream down to the provider, and no other; one that throws cancels it.
  Call<Response> stream(const Request& request, ChunkHandler on_chunk, ResponseHandler on_done = {}) {
    return ask("stream", request, std::move(on_chunk), std::move(on_done));
  }

  /// Says `request.prompt` in a conversation; with an empty `conversation_id` in a new one, which the response names.
  Call<Response> chat(const Request& request, ResponseHandler on_done = {}) {
    return ask("chat", request, {}, std::move(on_done));
  }

  Call<Response> chat_stream(const Request& request, ChunkHandler on_chunk, ResponseHandler on_done = {}) {
    return ask("chat_stream", request, std::move(on_chunk), std::move(on_done));
  }

  /// Asks for vectors, one per text.
  Call<Embedding> embed(const std::vector<std::string>& inputs, json options = json::object(),
                        Milliseconds timeout = Milliseconds{0}) {
    options["inputs"] = inputs;
    return begin<Embedding>("embed", std::move(options), timeout);
  }

  /// Cancels the call with this id, for callbacks that know no more of it.
  void cancel(std::int64_t call_id) { session_->cancel(call_id); }

  // --- asking the server -------------------------------------------------------------------------------------------

  /// Calls any method of the server by its name. Streams are begun by `stream` and `chat_stream` alone.
  Call<json> call(const std::string& method, json params = json::object(), Milliseconds timeout = Milliseconds{0}) {
    return begin<json>(method, std::move(params), timeout);
  }

  Call<json> ping() { return call("ping"); }
  Call<json> health() { return call("health"); }
  Call<json> providers() { return call("providers.list"); }
  Call<json> provider_status() { return call("providers.status"); }
  Call<json> switch_provider(const std::string& provider, const std::string& model = {}) {
    json params{{"provider", provider}};
    if (!model.empty()) params["model"] = model;
    return call("providers.switch", std::move(params));
  }
  Call<json> usage(json by = nullptr) { return call("usage.stats", by.is_null() ? json::object() : json{{"by", by}}); }
  Call<json> usage_summary(int days) { return call("usage.summary", {{"days", days}}); }
  Call<json> limits() { return call("limits"); }
  Call<json> routing_metrics() { return call("routing.metrics"); }
  Call<json> reload() { return call("reload"); }
  Call<json> create_conversation(const std::string& id = {}, const std::string& system_prompt = {}) {
    json params = json::object();
    if (!id.empty()) params["conversation_id"] = id;
    if (!system_prompt.empty()) params["system_prompt"] = system_prompt;
    return call("conversation.create", std::move(params));
  }
  Call<json> get_conversation(const std::string& id) { return call("conversation.get", {{"conversation_id", id}}); }
  Call<json> delete_conversation(const std::string& id) {
    return call("conversation.delete", {{"conversation_id", id}});
  }

  /// Asks the ledger what became of a request, of this process or of one that is no more.
  Call<RequestStatus> request_status(const std::string& request_key) {
    return begin<RequestStatus>("request.status", {{"request_key", request_key}}, Milliseconds{0});
  }

  // --- the server itself -------------------------------------------------------------------------------------------

  /// Waits for the handshake; gives what the server said of itself, or why there is none.
  Outcome<ServerInfo> wait_ready() { return session_->wait_ready(std::nullopt); }
  Outcome<ServerInfo> wait_ready(Milliseconds patience) {
    return session_->wait_ready(detail::Clock::now() + patience);
  }

  /// With `Dispatch::manual`: runs callbacks that are due on this thread, at most `count_max`, and returns how many
  /// ran. Never waits for any to become due: call it once per frame of the main loop.
  std::size_t run_callbacks(std::size_t count_max = 64) { return session_->run_callbacks(count_max); }

  /// Ends the server: no new calls; those under way have until the deadline, and get their ends. Waits for it. What is
  /// called afterwards is refused with `closed`.
  ShutdownReport shutdown(Milliseconds deadline) { return session_->close(deadline); }
  ShutdownReport shutdown() { return shutdown(session_->options().shutdown_deadline); }

  State state() const { return session_->state(); }
  /// Gives the server's process, -1 while there is none.
  pid_t pid() const { return session_->pid(); }
  Statistics statistics() const { return session_->statistics(); }

 private:
  Call<Response> ask(const char* method, const Request& request, ChunkHandler on_chunk, ResponseHandler on_done) {
    const bool chat = std::strncmp(method, "chat", 4) == 0;
    const bool streams = std::strstr(method, "stream") != nullptr;
    json params = request.options.is_object() ? request.options : json::object();
    const auto put = [&](const char* name, const std::string& value) {
      if (!value.empty()) params[name] = value;
    };
    if (!request.messages.is_null()) params["messages"] = request.messages;
    else params[chat ? "message" : "prompt"] = request.prompt;
    put("conversation_id", request.conversation_id);
    put("provider", request.provider);
    put("model", request.model);
    put("system_prompt", request.system_prompt);
    put("request_key", request.request_key);
    if (request.temperature) params["temperature"] = *request.temperature;
    if (request.max_tokens) params["max_tokens"] = *request.max_tokens;
    detail::CallPtr state = std::make_shared<detail::CallState>();
    state->streams = streams;
    state->window = request.window > 0 ? request.window : std::max<std::int64_t>(1, session_->options().window);
    if (streams) params["window"] = state->window;
    state->on_chunk = std::move(on_chunk);
    if (on_done)
      state->on_done = [then = std::move(on_done)](const Outcome<json>& raw) { then(Call<Response>::typed(raw)); };
    return submit<Response>(method, std::move(state), std::move(params), request.timeout);
  }

  template <class T>
  Call<T> begin(const std::string& method, json params, Milliseconds timeout) {
    return submit<T>(method, std::make_shared<detail::CallState>(), std::move(params), timeout);
  }

  template <class T>
  Call<T> submit(const std::string& method, detail::CallPtr state, json params, Milliseconds timeout) {
    static const std::set<std::string> billing{"generate", "stream", "chat", "chat_stream", "embed"};
    state->method = method;
    state->bills = billing.count(method) > 0;
    state->timeout = timeout.count() > 0 ? timeout : session_->options().call_timeout;
    if (state->bills && params.is_object()) {
      if (session_->options().make_request_keys && !params.contains("request_key"))
        params["request_key"] = detail::random_key();
      state->request_key = detail::text(params, "request_key");
    }
    session_->submit(state, std::move(params));
    return Call<T>(session_, std::move(state));
  }

  std::shared_ptr<detail::Session> session_;
};

}  // namespace manus
