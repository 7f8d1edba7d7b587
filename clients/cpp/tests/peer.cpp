// Owns a peer that speaks the server's protocol and misbehaves when it is told to, for the client's tests.
//
//     peer [--ledger FILE] [--socket PATH] [HABIT ...]
//
// HABITs are of the process: `mute` never greets, `old` knows no version of the protocol, `quit` ends before it greets
// (status 3, last words on stderr), `stubborn` ignores SIGTERM and the end of stdin, `chatty` writes lines to stderr,
// `deaf` reads nothing once it has greeted, `deaf-once` only in its first life; `small` takes frames of 1000 bytes,
// `forgetful` keeps its books in memory.
//
// A prompt says what becomes of its request: `say N` answers with N words; `hang` answers when it is cancelled, `coma`
// never; `die` kills the process before a word, `die-after N` after N events, `die-midline` in the middle of its reply,
// `die-open` with books that are still open when they are first asked, `die-twice` again when they are asked;
// `flood` ignores the window; `gap` and `twin` break the order of events; `error KIND`; `garbage` writes what is no
// message before the answer, `deep` a line of 100,000 brackets, `huge N` one of N bytes; `twice` answers twice;
// `odd` answers with a text where an object belongs; `close-stdin`, `close-stdout`; `stop` ends with status 0.
// The ledger is a file of lines `KEY STATE`, which outlives the process.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

using nlohmann::json;

namespace {

struct Stream {
  std::string key;
  long words = 0;
  long said = 0;
  long credit = 0;
  bool paused = false;
  long die_after = -1;
};

struct Peer {
  std::set<std::string> habits;
  std::string ledger;
  int in = STDIN_FILENO;
  int out = STDOUT_FILENO;
  std::map<json, Stream> streams;
  std::map<json, std::string> hanging;  // id -> key
  std::map<std::string, std::string> memory;
  bool greeted = false;

  bool has(const char* habit) const { return habits.count(habit) > 0; }

  void write_all(const std::string& text) const {
    std::size_t at = 0;
    while (at < text.size()) {
      const ssize_t count = ::write(out, text.data() + at, text.size() - at);
      if (count <= 0) std::_Exit(0);  // nobody listens
      at += static_cast<std::size_t>(count);
    }
  }
  void line(const json& message) const { write_all(message.dump() + "\n"); }
  void reply(const json& id, json result) const {
    line({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
  }
  void refuse(const json& id, int code, const std::string& kind) const {
    const json data{{"kind", kind},     {"retryable", true}, {"retry_after_ms", 1500}, {"provider", "sim"},
                    {"model", "model"}, {"attempts", 2},     {"request_id", "req-1"}};
    const json error{{"code", code}, {"message", "refused: " + kind}, {"data", data}};
    line({{"jsonrpc", "2.0"}, {"id", id}, {"error", error}});
  }

  void book(const std::string& key, const std::string& state) {
    memory[key] = state;
    if (ledger.empty()) return;
    const std::string text = key + " " + state + "\n";
    const int fd = ::open(ledger.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::write(fd, text.data(), text.size()) < 0) std::abort();
    ::close(fd);
  }
  std::string booked(const std::string& key) const {
    if (ledger.empty()) {
      auto found = memory.find(key);
      return found == memory.end() ? "unknown" : found->second;
    }
    std::ifstream file(ledger);
    std::string name, state, last = "unknown";
    while (file >> name >> state)
      if (name == key) last = state;
    return last;
  }

  json answer(long words, const std::string& finish, const json& params) const {
    std::string content;
    for (long word = 0; word < words; ++word) content += "w" + std::to_string(word) + " ";
    const json usage{{"input_tokens", 3}, {"output_tokens", words}, {"cost_nano_usd", 7 * words}};
    return {{"content", content}, {"finish_reason", finish}, {"provider", "sim"}, {"model", "model"},
            {"request_id", "req-1"}, {"usage", usage}, {"latency_ms", 1.5}, {"asked", params},
            {"tool_calls", {{{"id", "t1"}, {"name", "lamp"}, {"arguments", "{}"}}}}, {"warnings", {"dim"}},
            {"conversation_id", params.value("conversation_id", "")}};
  }

  void ask(const json& id, const std::string& method, const json& params) {
    const std::string prompt = params.contains("message") ? params.value("message", "") : params.value("prompt", "");
    const std::string key = params.value("request_key", "");
    std::istringstream words(prompt);
    std::string what;
    long count = 0;
    words >> what >> count;
    book(key, "in_doubt");
    if (what == "hang" || what == "coma") {
      if (what == "hang") hanging[id] = key;
      return;
    }
    if (what == "error") {
      book(key, "released");
      return refuse(id, -32001, "rate_limited");
    }
    if (what == "die-open") book(key, "open");
    if (what == "die-twice") book(key, "fatal");
    if (what.rfind("die", 0) == 0 && what != "die-after" && what != "die-midline") ::raise(SIGKILL);
    if (what == "stop") std::_Exit(0);
    if (what == "close-stdin") return void(::close(in)), void(in = -1);
    if (what == "close-stdout") return void(::close(out));
    if (what == "die-midline") {
      write_all(R"({"jsonrpc":"2.0","id":)" + id.dump() + R"(,"result":{"content":"half)");
      ::raise(SIGKILL);
    }
    if (what == "flood" || what == "gap" || what == "twin") {
      hanging[id] = key;
      for (long seq = 0; seq < (what == "flood" ? 10'000 : 5); ++seq)
        event(id, what == "gap" ? seq * 2 : what == "twin" ? seq / 2 : seq, "x");
      return;
    }
    if (what == "garbage") {
      write_all("not json\n\n\r\n[1,2]\n{\"jsonrpc\":\"2.0\"}\n{\"id\":1.5,\"result\":{}}\n\xff\xfe\n\"text\"\nnull\n");
      write_all("{\"jsonrpc\":\"2.0\",\"method\":\"stream.event\",\"params\":{\"id\":\"x\"}}\n");
      write_all("{\"jsonrpc\":\"2.0\",\"method\":\"a.later.notification\",\"params\":{}}\n");
      write_all("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse error\"}}\n");
      count = 1;
    }
    if (what == "deep") write_all(std::string(100'000, '[') + "\n");
    if (what == "huge") {
      write_all("{\"filling\":\"" + std::string(static_cast<std::size_t>(count), 'x') + "\"}\n");
      count = 1;
    }
    if (what == "odd") return reply(id, "a text");
    if (method == "embed") return reply(id, {{"vectors", {{0.5, 1.0}, {2.0, 3.0}}}, {"provider", "sim"}});
    if (what == "twice") reply(id, answer(1, "stop", params));
    if (method == "stream" || method == "chat_stream") {
      streams[id] = {key, count, 0, params.value("window", 64L), false, what == "die-after" ? count : -1};
      if (what == "die-after") streams[id].words = count + 1;
      return;
    }
    book(key, "settled");
    reply(id, answer(count, "stop", params));
  }

  void event(const json& id, long seq, const std::string& delta) const {
    line({{"jsonrpc", "2.0"},
          {"method", "stream.event"},
          {"params", {{"id", id}, {"seq", seq}, {"event", {{"kind", "delta"}, {"delta", delta}}}}}});
  }

  /// Says the next word of every stream that may go on.
  void speak() {
    for (auto each = streams.begin(); each != streams.end();) {
      Stream& stream = each->second;
      if (stream.die_after >= 0 && stream.said == stream.die_after) ::raise(SIGKILL);
      if (stream.said == stream.words) {
        book(stream.key, "settled");
        reply(each->first, answer(stream.words, "stop", json::object()));
        each = streams.erase(each);
        continue;
      }
      if (stream.credit > 0 && !stream.paused) {
        event(each->first, stream.said, "w" + std::to_string(stream.said) + " ");
        ++stream.said;
        --stream.credit;
      }
      ++each;
    }
  }

  bool may_speak() const {
    for (const auto& [id, stream] : streams)
      if ((stream.credit > 0 && !stream.paused) || stream.said == stream.words) return true;
    return false;
  }

  void tell(const std::string& method, const json& params) {
    const json id = params.value("id", json());
    auto stream = streams.find(id);
    if (method == "$/cancelRequest") {
      if (auto found = hanging.find(id); found != hanging.end()) {
        book(found->second, "released");
        line({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", -32800}, {"message", "cancelled"}}}});
        hanging.erase(found);
      } else if (stream != streams.end()) {
        book(stream->second.key, "settled");
        reply(id, answer(stream->second.said, "cancelled", json::object()));
        streams.erase(stream);
      }
    } else if (stream != streams.end()) {
      if (method == "$/credit") stream->second.credit += params.value("n", 0L);
      if (method == "$/pause" || method == "$/resume") stream->second.paused = method == "$/pause";
    }
  }

  void take(const std::string& text) {
    const json message = json::parse(text);
    const std::string method = message.value("method", "");
    const json params = message.value("params", json::object());
    if (!message.contains("id")) return tell(method, params);
    const json id = message["id"];
    if (method == "initialize") {
      if (has("mute")) return;
      if (has("old")) return refuse(id, -32012, "unsupported_version");
      const json limits{{"frame_bytes_max", has("small") ? 1000 : 16 << 20}, {"in_flight_max", 1024}};
      const json server{{"name", "peer"}, {"version", "1.0"}, {"ledger", has("forgetful") ? "memory" : "process"}};
      reply(id, {{"protocolVersion", 1}, {"server", server}, {"capabilities", json::object()}, {"limits", limits}});
      greeted = true;
      if (has("chatty")) std::cerr << "first\nsecond\n" << std::string(40'000, 'y') << "\nlast" << std::endl;
      const bool first_life = booked("life") == "unknown";
      if (has("deaf-once")) book("life", "first");
      while (has("deaf") || (has("deaf-once") && first_life)) ::pause();
    } else if (method == "request.status") {
      const std::string key = params.value("request_key", "");
      const std::string state = booked(key);
      if (state == "open" || state == "fatal") book(key, "in_doubt");
      if (state == "fatal") ::raise(SIGKILL);
      reply(id, {{"request_key", key}, {"state", state}, {"request_id", "req-1"}, {"attempts", 1}});
    } else if (method == "shutdown") {
      for (auto& [each, stream] : streams) reply(each, answer(stream.said, "cancelled", json::object()));
      for (auto& [each, key] : hanging) {
        line({{"jsonrpc", "2.0"}, {"id", each}, {"error", {{"code", -32800}, {"message", "cancelled"}}}});
      }
      reply(id, json::object());
      if (!has("stubborn")) std::_Exit(0);
    } else if (method == "ping") {
      reply(id, params);
    } else {
      ask(id, method, params);
    }
  }

  int serve() {
    std::string held;
    char bytes[65536];
    while (true) {
      pollfd watched{in, POLLIN, 0};
      ::poll(&watched, 1, may_speak() ? 0 : -1);
      if (watched.revents != 0) {
        const ssize_t count = ::read(in, bytes, sizeof bytes);
        if (count <= 0) {
          while (has("stubborn")) ::pause();
          return 0;
        }
        held.append(bytes, static_cast<std::size_t>(count));
        for (std::size_t end; (end = held.find('\n')) != std::string::npos;) {
          const std::string text = held.substr(0, end);
          held.erase(0, end + 1);
          take(text);
        }
      }
      speak();
    }
  }
};

int listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string beside = path + "~";  // whoever sees the file can connect
  beside.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  if (::listen(fd, 8) != 0 || ::rename(beside.c_str(), path.c_str()) != 0) std::abort();
  return fd;
}

}  // namespace

int main(int count, char** words) {
  Peer peer;
  std::string socket_path;
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--ledger") peer.ledger = words[++at];
    else if (word == "--socket") socket_path = words[++at];
    else peer.habits.insert(word);
  }
  ::signal(SIGPIPE, SIG_IGN);
  if (peer.has("stubborn")) ::signal(SIGTERM, SIG_IGN);
  if (peer.has("quit")) {
    std::cerr << "no such configuration" << std::endl;
    return 3;
  }
  if (socket_path.empty()) return peer.serve();
  const int listener = listen_at(socket_path);
  while (true) {  // one connection after the other, each with a fresh memory
    Peer next = peer;
    next.in = next.out = ::accept(listener, nullptr, nullptr);
    next.serve();
    ::close(next.in);
  }
}
