// BenchCommand: a command that a bench sends over and over, with another key and value each time.
//
// 'SET key:{key} {value}' is split by the quoting rules of redis-cli; {{ and }} stand for braces.
//   {key}    a number below the count of keys, as twelve digits (as redis-benchmark writes them)
//   {n}      the number of the command in the run, as twelve digits
//   {value}  bytes that differ each time, of which half compress
// All of them have a fixed size, so a request is a copy with its holes filled in.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/status.h"

namespace sluice::cli {

inline constexpr size_t kBenchDigits = 12;                    // of {key} and {n}
inline constexpr uint64_t kBenchKeysMax = 1'000'000'000'000;  // what they can tell apart
inline constexpr size_t kBenchValueBytesMax = 16 << 20;
inline constexpr size_t kBenchRequestBytesMax = 32 << 20;
inline constexpr uint64_t kBenchWeightMax = 1'000'000;

class BenchCommand {
 public:
  // '80:GET key:{key}' has weight 80; without a number it is 1.
  //   kInvalid  the text is no command; the message says where.
  static Result<BenchCommand> Parse(std::string_view text, size_t value_bytes);

  const std::string& text() const { return text_; }  // without its weight
  // Nothing but {key} is filled in.
  bool differs_by_key_alone() const;
  uint64_t weight() const { return weight_; }
  void Append(std::string& to, uint64_t key, uint64_t n, Prng& prng) const;

 private:
  enum class Hole : uint8_t { kKey, kNumber, kValue };
  struct Place {
    size_t at;  // in request_
    Hole hole;
  };

  Status AddWord(std::string_view word);
  Status AddHole(std::string_view name, std::string* bytes, std::vector<Place>* places) const;

  std::string text_;
  uint64_t weight_ = 1;
  size_t value_bytes_ = 0;
  std::string request_;
  std::vector<Place> places_;
};

}  // namespace sluice::cli
