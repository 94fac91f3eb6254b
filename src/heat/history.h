// History: how many writes went where in a keyspace's tokens, minute by minute for six hours, in
// steps of ten minutes for four days, and hour by hour for four weeks.
//
// The tokens are cut into buckets, at most kBuckets. Of each, every step of time is one byte
// (heat/rate_code.h). Where tokens are hashes, even cuts are right from the start. Where they are
// not, the cuts are learned from the writes: a bucket with more than two shares of the load is cut
// in two at the middle of the tokens seen in it, each with half of its past; when there is no more
// room, the two coldest neighbours become one, which adds up their pasts. So the shape of the past
// is as fine as the load was then, and sums stay what they were.
//
// It is keyed by tokens, and so knows nothing of shards: it outlives their splits and moves.
//
// Owns:     kBuckets times 1.7 KB and, where cuts are learned, kTokensSeen tokens each: at most
//           some 2 MB with tokens of usual length.
// Threads:  none; one caller at a time.
// Format:   docs/formats/heat.md, some 1.6 MB at most.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/status.h"
#include "heat/rate_code.h"
#include "heat/sample.h"

namespace sluice::heat {

inline constexpr size_t kBuckets = 1'000;

struct Resolution {
  std::string_view name;
  uint64_t seconds;  // of a step
  size_t steps;      // that are kept
};
inline constexpr std::array<Resolution, 3> kResolutions = {
    {{"1m", 60, 360}, {"10m", 600, 576}, {"1h", 3'600, 672}}};
inline constexpr size_t kCodes = 360 + 576 + 672;  // of one bucket

// A part of the past.
struct Picture {
  uint64_t from_s = 0, step_s = 0;  // since 1970
  size_t steps = 0;
  std::vector<std::string> begins;          // of the buckets
  std::vector<std::vector<uint8_t>> codes;  // of each bucket, a code for each step
};

class History {
 public:
  // `cuts`: where the buckets begin at first, but for the first one. They are learned from then on,
  // unless they are right as they are.
  enum class Cuts : uint8_t { kLearned, kFixed };
  History(std::span<const std::string> cuts, Cuts kind, uint64_t seed);

  // A second is over in which these were sampled. `now_s`: since 1970. A clock that steps back by
  // less than kClockSlackS is waited for; of one that steps back further, what it had run ahead is
  // forgotten.
  void EndSecond(uint64_t now_s, std::span<const Sample* const> samples);

  // The steps of that resolution that lie in [from_s, to_s), as far as they are kept. Neighbouring
  // buckets are added up so that there are at most `buckets`. Requires: buckets > 0.
  Picture Show(size_t resolution, uint64_t from_s, uint64_t to_s, size_t buckets);

  size_t buckets() const { return buckets_.size(); }
  uint64_t now_s() const { return now_s_; }

  std::string Encode();
  //   kCorrupt  damaged.
  //   kInvalid  of a newer format.
  static Result<History> Decode(std::string_view bytes, uint64_t seed);

 private:
  static constexpr size_t kTokensSeen = 8;         // of a bucket, drawn from those it was sent
  static constexpr uint64_t kSamplesToSplit = 16;  // in a bucket, since it began
  static constexpr uint64_t kLoadHalfLifeS = 600;  // of what cuts are learned from
  static constexpr size_t kMergesPerSecond = 32;
  static constexpr uint64_t kClockSlackS = 3'600;

  struct Bucket {
    std::string begin;
    std::string codes =
        std::string(kCodes, '\0');    // a ring for each resolution, one behind the other
    double minute = 0;                // writes in the minute that runs
    double load = 0;                  // fading
    uint64_t samples = 0;             // since it began
    std::vector<std::string> tokens;  // kTokensSeen at most
  };

  size_t BucketOf(std::string_view token) const;
  void Count(const Sample& sample);
  void MoveTo(uint64_t now_s);
  void Settle();
  void Learn();
  bool Split(size_t at);
  std::optional<size_t> ColdestPair() const;
  void Merge(size_t at);
  uint8_t MeanOf(const Bucket& bucket, size_t resolution, uint64_t step) const;

  std::vector<Bucket> buckets_;
  Cuts kind_;
  Prng prng_;
  uint64_t now_s_ = 0;     // 0: nothing was told yet
  uint64_t minute_s_ = 0;  // seconds of the minute that runs that were told
};

}  // namespace sluice::heat
