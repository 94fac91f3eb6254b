#include "heat/history.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::heat {
namespace {

constexpr std::string_view kMagic = "SLUICEHT";
constexpr uint32_t kFormat = 1;
constexpr size_t kHeadSize = 8 + 4 + 8;  // magic, format, size of the body
constexpr size_t kCheckSize = 8;

// Where in a bucket's codes the step lies.
size_t PlaceOf(size_t resolution, uint64_t step) {
  size_t begin = 0;
  for (size_t i = 0; i < resolution; ++i) begin += kResolutions[i].steps;
  return begin + step % kResolutions[resolution].steps;
}

}  // namespace

History::History(std::span<const std::string> cuts, Cuts kind, uint64_t seed)
    : buckets_(1), kind_(kind), prng_(seed) {
  SLUICE_CHECK(cuts.size() < kBuckets);
  for (const std::string& cut : cuts) buckets_.emplace_back().begin = cut;
}

size_t History::BucketOf(std::string_view token) const {
  const auto behind = std::upper_bound(
      buckets_.begin(), buckets_.end(), token,
      [](std::string_view wanted, const Bucket& bucket) { return wanted < bucket.begin; });
  return static_cast<size_t>(behind - buckets_.begin()) - 1;
}

void History::EndSecond(uint64_t now_s, std::span<const Sample* const> samples) {
  MoveTo(now_s);
  ++minute_s_;
  const double kept = std::exp2(-1.0 / kLoadHalfLifeS);
  for (Bucket& bucket : buckets_) bucket.load *= kept;
  for (const Sample* const sample : samples) Count(*sample);
  if (kind_ == Cuts::kLearned) Learn();
}

void History::Count(const Sample& sample) {
  Bucket& bucket = buckets_[BucketOf(sample.token)];
  bucket.minute += sample.weight;
  bucket.load += sample.weight;
  ++bucket.samples;
  if (kind_ == Cuts::kFixed) return;
  if (bucket.tokens.size() < kTokensSeen) {
    bucket.tokens.push_back(sample.token);
  } else {
    bucket.tokens[prng_.Below(kTokensSeen)] = sample.token;
  }
}

void History::MoveTo(uint64_t now_s) {
  const uint64_t before_s = now_s_ == 0 ? now_s : now_s_;
  if (now_s < before_s && before_s - now_s <= kClockSlackS) return;
  if (now_s / 60 != before_s / 60) {
    Settle();
    for (Bucket& bucket : buckets_) bucket.minute = 0;
    minute_s_ = 0;
  }
  // The steps that begin now, or that lie ahead of a clock that was set back.
  for (size_t i = 0; i < kResolutions.size(); ++i) {
    const uint64_t seconds = kResolutions[i].seconds;
    const uint64_t least = std::min(before_s, now_s) / seconds;
    const uint64_t most = std::max(before_s, now_s) / seconds;
    const uint64_t cleared = std::min<uint64_t>(most - least, kResolutions[i].steps);
    for (uint64_t step = most - cleared + 1; step <= most; ++step) {
      for (Bucket& bucket : buckets_) bucket.codes[PlaceOf(i, step)] = kCodeUnknown;
    }
  }
  now_s_ = now_s;
}

// The minute that runs as it is so far, and the longer steps that it is a part of.
void History::Settle() {
  if (minute_s_ == 0) return;
  for (Bucket& bucket : buckets_) {
    const double rate = bucket.minute / static_cast<double>(minute_s_);
    bucket.codes[PlaceOf(0, now_s_ / 60)] = static_cast<char>(CodeOf(rate));
    for (size_t i = 1; i < kResolutions.size(); ++i) {
      const uint64_t step = now_s_ / kResolutions[i].seconds;
      bucket.codes[PlaceOf(i, step)] = static_cast<char>(MeanOf(bucket, i, step));
    }
  }
}

// Of the steps of the next finer resolution that are known.
uint8_t History::MeanOf(const Bucket& bucket, size_t resolution, uint64_t step) const {
  const uint64_t parts = kResolutions[resolution].seconds / kResolutions[resolution - 1].seconds;
  double sum = 0;
  size_t known = 0;
  for (uint64_t part = step * parts; part < (step + 1) * parts; ++part) {
    if (part > now_s_ / kResolutions[resolution - 1].seconds) break;
    const auto code = static_cast<uint8_t>(bucket.codes[PlaceOf(resolution - 1, part)]);
    if (code == kCodeUnknown) continue;
    sum += *RateOf(code);
    ++known;
  }
  return known == 0 ? kCodeUnknown : CodeOf(sum / static_cast<double>(known));
}

void History::Learn() {
  double all = 0;
  for (const Bucket& bucket : buckets_) all += bucket.load;
  const double share = all / kBuckets;
  const auto wants = [share](const Bucket& bucket) {
    return bucket.load > 2 * share && bucket.samples >= kSamplesToSplit;
  };
  const auto wanting = static_cast<size_t>(std::count_if(buckets_.begin(), buckets_.end(), wants));
  for (size_t merges = 0; buckets_.size() + wanting > kBuckets; ++merges) {
    const std::optional<size_t> pair = ColdestPair();
    if (merges == kMergesPerSecond || !pair) break;
    if (buckets_[*pair].load + buckets_[*pair + 1].load > share) break;
    Merge(*pair);
  }
  for (size_t i = buckets_.size(); i-- > 0 && buckets_.size() < kBuckets;) {
    if (wants(buckets_[i]) && !Split(i)) buckets_[i].samples = 0;
  }
}

// False: all that was seen in it is one token, with which it begins.
bool History::Split(size_t at) {
  std::vector<std::string> tokens = buckets_[at].tokens;
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  const std::string cut = tokens[tokens.size() / 2];
  if (cut == buckets_[at].begin) return false;
  Bucket upper;
  Bucket& lower = buckets_[at];
  upper.begin = cut;
  for (size_t i = 0; i < kCodes; ++i) {
    lower.codes[i] = static_cast<char>(HalfOf(static_cast<uint8_t>(lower.codes[i])));
  }
  upper.codes = lower.codes;
  upper.minute = lower.minute /= 2;
  upper.load = lower.load /= 2;
  lower.samples = 0;
  const auto above = std::partition(lower.tokens.begin(), lower.tokens.end(),
                                    [&](const std::string& token) { return token < cut; });
  upper.tokens.assign(above, lower.tokens.end());
  lower.tokens.erase(above, lower.tokens.end());
  buckets_.insert(buckets_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(upper));
  return true;
}

// The first of two neighbours.
std::optional<size_t> History::ColdestPair() const {
  std::optional<size_t> coldest;
  double least = 0;
  for (size_t i = 0; i + 1 < buckets_.size(); ++i) {
    const double load = buckets_[i].load + buckets_[i + 1].load;
    if (coldest && load >= least) continue;
    coldest = i;
    least = load;
  }
  return coldest;
}

void History::Merge(size_t at) {
  Bucket& lower = buckets_[at];
  Bucket& upper = buckets_[at + 1];
  for (size_t i = 0; i < kCodes; ++i) {
    lower.codes[i] = static_cast<char>(
        SumOf(static_cast<uint8_t>(lower.codes[i]), static_cast<uint8_t>(upper.codes[i])));
  }
  lower.minute += upper.minute;
  lower.load += upper.load;
  lower.samples += upper.samples;
  for (std::string& token : upper.tokens) {
    if (lower.tokens.size() < kTokensSeen) lower.tokens.push_back(std::move(token));
  }
  buckets_.erase(buckets_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
}

Picture History::Show(size_t resolution, uint64_t from_s, uint64_t to_s, size_t buckets) {
  Settle();
  const auto [name, seconds, steps] = kResolutions[resolution];
  const uint64_t last = now_s_ / seconds;
  const uint64_t kept = last >= steps ? last - steps + 1 : 0;
  const uint64_t begin = std::max(from_s / seconds, kept);
  const uint64_t end = std::max(begin, std::min(to_s / seconds + (to_s % seconds != 0), last + 1));
  Picture picture{begin * seconds, seconds, end - begin, {}, {}};
  const size_t together = (buckets_.size() + buckets - 1) / buckets;
  for (size_t i = 0; i < buckets_.size(); i += together) {
    picture.begins.push_back(buckets_[i].begin);
    std::vector<uint8_t>& row = picture.codes.emplace_back();
    for (uint64_t step = begin; step < end; ++step) {
      std::optional<double> sum;
      for (size_t j = i; j < std::min(i + together, buckets_.size()); ++j) {
        const auto code = static_cast<uint8_t>(buckets_[j].codes[PlaceOf(resolution, step)]);
        if (const auto rate = RateOf(code)) sum = sum.value_or(0) + *rate;
      }
      row.push_back(sum ? CodeOf(*sum) : kCodeUnknown);
    }
  }
  return picture;
}

std::string History::Encode() {
  Settle();
  std::string body;
  AppendLe(body, static_cast<uint8_t>(kind_));
  AppendLe(body, now_s_);
  AppendVarint(body, buckets_.size());
  for (const Bucket& bucket : buckets_) {
    AppendSized(body, bucket.begin);
    AppendLe(body, static_cast<float>(bucket.load));
    body += bucket.codes;
  }
  std::string bytes(kMagic);
  AppendLe(bytes, kFormat);
  AppendLe(bytes, static_cast<uint64_t>(body.size()));
  bytes += body;
  AppendLe(bytes, static_cast<uint64_t>(XXH3_64bits(bytes.data(), bytes.size())));
  return bytes;
}

Result<History> History::Decode(std::string_view bytes, uint64_t seed) {
  const auto damaged = [] { return Fail(Code::kCorrupt, "damaged"); };
  if (bytes.size() < kHeadSize + kCheckSize || !bytes.starts_with(kMagic)) return damaged();
  const auto format = LoadLe<uint32_t>(bytes.data() + kMagic.size());
  if (format > kFormat) return Fail(Code::kInvalid, "of a newer format");
  const std::string_view checked = bytes.substr(0, bytes.size() - kCheckSize);
  const auto check = LoadLe<uint64_t>(bytes.data() + checked.size());
  if (check != XXH3_64bits(checked.data(), checked.size())) return damaged();
  Reader reader(checked.substr(kMagic.size() + sizeof format));
  const auto size = reader.Le<uint64_t>();
  if (format != kFormat || size != reader.left()) return damaged();
  const auto kind = reader.Le<uint8_t>();
  const auto now_s = reader.Le<uint64_t>();
  const uint64_t count = reader.Varint();
  if (kind > static_cast<uint8_t>(Cuts::kFixed) || count == 0 || count > kBuckets) return damaged();
  std::vector<Bucket> buckets;
  for (uint64_t i = 0; i < count; ++i) {
    Bucket bucket;
    bucket.begin = reader.Sized();
    bucket.load = reader.Le<float>();
    bucket.codes = reader.Bytes(kCodes);
    const bool in_order = i == 0 ? bucket.begin.empty() : buckets.back().begin < bucket.begin;
    if (!reader.ok() || !in_order || !(bucket.load >= 0) || std::isinf(bucket.load))
      return damaged();
    buckets.push_back(std::move(bucket));
  }
  if (!reader.done()) return damaged();
  History history({}, static_cast<Cuts>(kind), seed);
  history.buckets_ = std::move(buckets);
  history.now_s_ = now_s;
  return history;
}

}  // namespace sluice::heat
