// Replies of servers, as clients of ours read them: the reads they come in make no difference, and
// a reply written out again is the same reply.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "base/prng.h"
#include "resp/decoder.h"

namespace sluice::resp {
namespace {

// All that was said, in a form to compare: each value's type, text and items.
void Describe(const Value& value, size_t depth, std::string* to) {
  SLUICE_CHECK(depth <= Decoder::kDepthMax);
  AppendLe(*to, static_cast<uint8_t>(value.type));
  AppendLe(*to, value.number);
  AppendSized(*to, value.text);
  AppendVarint(*to, value.items.size());
  for (const Value& item : value.items) Describe(item, depth + 1, to);
}

void WriteReply(const Value& value, std::string* to) {
  static constexpr std::string_view kMarkers = "_+!:$,#(*%~>";  // by Value::Type
  to->push_back(kMarkers[static_cast<size_t>(value.type)]);
  if (value.type == Value::Type::kBulk || value.type == Value::Type::kError) {
    *to += std::to_string(value.text.size()) + "\r\n" + value.text;
  } else if (value.type < Value::Type::kArray) {
    *to += value.text;
  } else {
    const size_t items = value.items.size();
    *to += std::to_string(value.type == Value::Type::kMap ? items / 2 : items);
  }
  *to += "\r\n";
  for (const Value& item : value.items) WriteReply(item, to);
}

void CheckWritten(const Value& value) {
  std::string bytes, meaning, meaning_again;
  WriteReply(value, &bytes);
  Value again;
  size_t consumed = 0;
  SLUICE_CHECK(Decoder().Next(bytes, &consumed, &again) == Decoder::Got::kReply);
  SLUICE_CHECK(consumed == bytes.size());
  Describe(value, 0, &meaning);
  Describe(again, 0, &meaning_again);
  SLUICE_CHECK(meaning == meaning_again);
}

template <class NextRead>
std::string Meaning(std::string_view bytes, NextRead next_read) {
  std::string meaning, pending;
  Decoder decoder;
  Value reply;
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(next_read(), bytes.size());
    pending += bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (;;) {
      const std::vector<char> exact(pending.begin(), pending.end());  // a sanitizer sees its end
      size_t consumed = 0;
      const Decoder::Got got = decoder.Next({exact.data(), exact.size()}, &consumed, &reply);
      SLUICE_CHECK(consumed <= exact.size());
      if (got == Decoder::Got::kError) return meaning + "error";
      pending.erase(0, consumed);
      if (got == Decoder::Got::kNeedMore) break;
      Describe(reply, 0, &meaning);
      CheckWritten(reply);
    }
  }
  return meaning;
}

}  // namespace
}  // namespace sluice::resp

SLUICE_FUZZ(resp_replies) {
  using namespace sluice;
  using namespace sluice::resp;
  Reader reader(bytes);
  Prng prng(reader.Le<uint8_t>());
  const std::string_view stream = reader.rest();
  const std::string whole = Meaning(stream, [] { return SIZE_MAX; });
  SLUICE_CHECK(Meaning(stream, [&] { return 1 + prng.Below(9); }) == whole);
  if (stream.size() < 200) SLUICE_CHECK(Meaning(stream, [] { return 1; }) == whole);
}
