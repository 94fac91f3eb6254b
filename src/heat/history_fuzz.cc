// A heat history's file, its checksum made right: refused, or one that can be shown and gone on
// with, and is written the same.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "heat/history.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::heat {
namespace {

std::string Framed(std::string_view body) {
  std::string bytes("SLUICEHT");
  AppendLe(bytes, uint32_t{1});
  AppendLe(bytes, uint64_t{body.size()});
  bytes += body;
  AppendLe(bytes, uint64_t{XXH3_64bits(bytes.data(), bytes.size())});
  return bytes;
}

void GoOn(History& history) {
  Sample sample;
  sample.weight = 3;
  sample.token = "t";
  const std::vector<const Sample*> samples(20, &sample);
  const uint64_t now_s = history.now_s();
  for (const uint64_t at_s : {now_s, now_s + 1, now_s + 70, uint64_t{1'800'000'000}}) {
    history.EndSecond(at_s, samples);
    for (size_t i = 0; i < kResolutions.size(); ++i) {
      const Picture picture = history.Show(i, 0, ~uint64_t{0}, 3);
      SLUICE_CHECK(picture.steps <= kResolutions[i].steps && picture.begins.size() <= 3);
    }
  }
}

}  // namespace
}  // namespace sluice::heat

SLUICE_FUZZ(heat_history) {
  using namespace sluice;
  using namespace sluice::heat;
  SLUICE_CHECK(bytes.size() > 8 || !History::Decode(bytes, 1).has_value());
  Result<History> history = History::Decode(Framed(bytes), 1);
  if (!history.has_value()) {
    SLUICE_CHECK(history.error().code == Code::kCorrupt);
    return;
  }
  const std::string written = history->Encode();
  Result<History> again = History::Decode(written, 1);
  SLUICE_CHECK(again.has_value() && again->Encode() == written);
  GoOn(*history);
}
