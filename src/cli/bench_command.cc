#include "cli/bench_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "cli/load_template.h"

namespace sluice::cli {
namespace {

// The last kBenchDigits digits of `number`.
void WriteDigits(char* to, uint64_t number) {
  for (size_t i = kBenchDigits; i-- > 0; number /= 10) {
    to[i] = static_cast<char>('0' + number % 10);
  }
}

// The first half drawn, the rest one letter: what a compressor makes of it is about half.
void WriteValue(char* to, size_t size, Prng& prng) {
  const size_t drawn = (size + 1) / 2;
  for (size_t i = 0; i < drawn;) {
    uint64_t bits = prng();
    for (int c = 0; c < 10 && i < drawn; ++c, bits >>= 6) {
      to[i++] = static_cast<char>('0' + (bits & 63));
    }
  }
}

// Takes "80:" off the front.
Result<uint64_t> TakeWeight(std::string_view* text) {
  const size_t colon = text->find_first_not_of("0123456789");
  if (colon == 0 || colon == std::string_view::npos || (*text)[colon] != ':') return uint64_t{1};
  int64_t weight = 0;
  if (!ParseInt(text->substr(0, colon), &weight) || weight < 1 ||
      static_cast<uint64_t>(weight) > kBenchWeightMax) {
    return Fail(Code::kInvalid, fmt::format("a weight is 1 to {}", kBenchWeightMax));
  }
  text->remove_prefix(colon + 1);
  return static_cast<uint64_t>(weight);
}

}  // namespace

Result<BenchCommand> BenchCommand::Parse(std::string_view text, size_t value_bytes) {
  BenchCommand command;
  command.value_bytes_ = value_bytes;
  SLUICE_ASSIGN(command.weight_, TakeWeight(&text));
  command.text_ = text;
  SLUICE_ASSIGN(const std::vector<std::string> words, SplitWords(text));
  if (words.empty()) return Fail(Code::kInvalid, "the command is empty");
  if (words.size() > kWordsMax) {
    return Fail(Code::kInvalid, fmt::format("more than {} words", kWordsMax));
  }
  command.request_ = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) SLUICE_TRY(command.AddWord(word));
  return command;
}

Status BenchCommand::AddWord(std::string_view word) {
  std::string bytes;
  std::vector<Place> places;
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const bool doubled = i + 1 < word.size() && word[i + 1] == c;
    if ((c != '{' && c != '}') || doubled) {
      bytes.push_back(c);
      i += c == '{' || c == '}' ? 1 : 0;
      continue;
    }
    const size_t close = word.find('}', i);
    if (c == '}' || close == std::string_view::npos) {
      return Fail(Code::kInvalid, fmt::format("\"{}\": a single {} ; write {}{} for the brace "
                                              "itself",
                                              word, c, c, c));
    }
    SLUICE_TRY(AddHole(word.substr(i + 1, close - i - 1), &bytes, &places));
    i = close;
  }
  request_ += fmt::format("${}\r\n", bytes.size());
  for (const Place& place : places) {
    places_.push_back({.at = request_.size() + place.at, .hole = place.hole});
  }
  request_ += bytes + "\r\n";
  if (request_.size() > kBenchRequestBytesMax) {
    return Fail(Code::kInvalid, fmt::format("more than {} bytes", kBenchRequestBytesMax));
  }
  return Ok();
}

Status BenchCommand::AddHole(std::string_view name, std::string* bytes,
                             std::vector<Place>* places) const {
  if (name != "key" && name != "n" && name != "value") {
    return Fail(Code::kInvalid, fmt::format("{{{}}} is none of {{key}}, {{n}}, {{value}}", name));
  }
  const Hole hole = name == "key" ? Hole::kKey : name == "n" ? Hole::kNumber : Hole::kValue;
  places->push_back({.at = bytes->size(), .hole = hole});
  bytes->append(hole == Hole::kValue ? value_bytes_ : kBenchDigits, 'x');
  return Ok();
}

bool BenchCommand::differs_by_key_alone() const {
  return std::all_of(places_.begin(), places_.end(),
                     [](const Place& place) { return place.hole == Hole::kKey; });
}

void BenchCommand::Append(std::string& to, uint64_t key, uint64_t n, Prng& prng) const {
  const size_t begin = to.size();
  to += request_;
  for (const Place& place : places_) {
    char* const at = to.data() + begin + place.at;
    switch (place.hole) {
      case Hole::kKey:
        WriteDigits(at, key);
        break;
      case Hole::kNumber:
        WriteDigits(at, n);
        break;
      case Hole::kValue:
        WriteValue(at, value_bytes_, prng);
        break;
    }
  }
}

}  // namespace sluice::cli
