// What is read of a peer: lines cut anywhere, JSON of any shape.
#include "rig.hpp"

namespace {

using manus::json;

std::vector<std::string> lines_of(const std::string& bytes, std::size_t piece, std::size_t bytes_max,
                                  std::size_t& skipped) {
  manus::detail::LineSplitter splitter(bytes_max);
  std::vector<std::string> lines;
  skipped = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    skipped += splitter.feed(bytes.data() + at, std::min(piece, bytes.size() - at),
                             [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

}  // namespace

TEST(reading_lines_cut_anywhere_are_the_same_lines) {
  const std::string bytes = "one\r\n\ntwo\n" + std::string(50, 'x') + "\nthree\nhalf";
  const std::vector<std::string> expected{"one", "", "two", "three"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    std::size_t skipped = 0;
    CHECK(lines_of(bytes, piece, 20, skipped) == expected);
    CHECK_EQUAL(skipped, 1u);
  }
}

TEST(reading_a_line_of_exactly_the_bound_is_taken) {
  std::size_t skipped = 0;
  CHECK_EQUAL(lines_of(std::string(20, 'x') + "\n", 7, 20, skipped).size(), 1u);
  CHECK_EQUAL(skipped, 0u);
  CHECK(lines_of(std::string(21, 'x') + "\n", 7, 20, skipped).empty());
  CHECK_EQUAL(skipped, 1u);
}

TEST(reading_a_line_without_end_takes_no_memory) {
  manus::detail::LineSplitter splitter(1000);
  const std::string much(100'000, 'x');
  for (int times = 0; times < 100; ++times) splitter.feed(much.data(), much.size(), [](std::string_view) {});
  CHECK(splitter.held().empty());
}

TEST(reading_nesting_is_bounded_and_brackets_in_strings_do_not_count) {
  using manus::detail::nests_too_deep;
  CHECK(!nests_too_deep(std::string(256, '[')));
  CHECK(nests_too_deep(std::string(257, '[')));
  CHECK(!nests_too_deep("\"" + std::string(1000, '[') + "\\\"[[" + "\""));
  CHECK(manus::detail::parsed(std::string(200'000, '[')).is_discarded());
}

TEST(reading_what_is_no_object_is_discarded) {
  for (const char* line :
       {"", "1", "[]", "null", "\"x\"", "{", "{\"a\":1}x", "{\"a\":\"\xff\"}", "{\"a\":1e999}", "nan"})
    CHECK(manus::detail::parsed(line).is_discarded());
  CHECK(manus::detail::parsed("{\"a\":1}").is_object());
}

TEST(reading_members_of_the_wrong_type_are_left_out) {
  const json odd{{"content", 7},  {"usage", "much"},     {"tool_calls", {1, "x", {{"id", 5}}}}, {"latency_ms", "long"},
                 {"model", json()}, {"warnings", {1, "dim"}}};
  manus::Response response;
  CHECK(manus::detail::read(odd, response));
  CHECK(response.content.empty());
  CHECK_EQUAL(response.tool_calls.size(), 3u);
  CHECK_EQUAL(response.warnings.size(), 1u);
  CHECK(!manus::detail::read(json("text"), response));
  manus::Embedding embedding;
  CHECK(!manus::detail::read(json{{"vectors", {{1.0, "x"}}}}, embedding));
  manus::RequestStatus status;
  CHECK(!manus::detail::read(json{{"state", "perhaps"}}, status));
  CHECK(manus::detail::read(json{{"state", "in_doubt"}}, status));
  CHECK(status.state == manus::Books::in_doubt);
}

TEST(reading_an_unknown_price_is_not_zero) {
  CHECK(!manus::detail::usage_of(json{{"cost_nano_usd", json()}}).cost_nano_usd.has_value());
  CHECK_EQUAL(*manus::detail::usage_of(json{{"cost_nano_usd", 0}}).cost_nano_usd, 0);
}

TEST(reading_an_error_without_data_has_its_code) {
  const manus::Error error = manus::detail::error_of(json{{"code", -32601}, {"message", "unknown method"}});
  CHECK_EQUAL(error.code, -32601);
  CHECK(!error.retryable);
  CHECK(manus::detail::error_of(json{{"code", -32800}, {"message", "cancelled"}}).retryable);
}

TEST(reading_keys_are_not_made_twice) { CHECK(manus::detail::random_key() != manus::detail::random_key()); }
