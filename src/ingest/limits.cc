#include "ingest/limits.h"

#include <fmt/format.h>

#include "admit/refusal.h"
#include "base/check.h"
#include "route/matcher.h"

namespace sluice::ingest {
namespace {

constexpr size_t kKeysKept = 1024;  // capacity that a command over many keys leaves behind

std::string_view SegmentIn(const model::Keyspace& keyspace, std::string_view key, size_t index) {
  route::Segments segments;
  SLUICE_CHECK(index < keyspace.key.segments.size());
  SLUICE_CHECK(route::Match(keyspace.key, key, &segments));
  return segments[index];
}

}  // namespace

bool LimitGate::Pass(admit::Limits& limits, const Asker& asker, bool once) {
  refusal_.clear();
  observed_.clear();
  if (charges_.capacity() > kKeysKept) std::vector<admit::Charge>().swap(charges_);
  charges_.clear();
  if (keys_.empty()) return true;
  client_.assign(asker.user.empty() ? "address:" : "user:");
  client_.append(asker.user.empty() ? asker.peer.substr(0, asker.peer.rfind(':')) : asker.user);
  writes_.clear();
  for (Key& key : keys_) {
    admit::Write& write = writes_.emplace_back();
    write.keyspace = key.keyspace->id;
    if (const auto segment = limits.SegmentOf(write.keyspace)) {
      key.segment = *segment;
      write.segment = SegmentIn(*key.keyspace, key.key, *segment);
    }
  }
  const admit::Verdict verdict =
      limits.Admit(writes_, client_, asker.now_us, once ? &charges_ : nullptr);
  if (const auto& seen = verdict.observed) {
    const std::string_view reason = admit::NameOf(seen->limit);
    observed_ = seen->burst > 0 ? fmt::format("reason={} scope={} writes={} burst={}", reason,
                                              ScopeOf(*seen), seen->writes, seen->burst)
                                : fmt::format("reason={} scope={} retry_ms={}", reason,
                                              ScopeOf(*seen), seen->wait_ms);
  }
  if (const auto& refused = verdict.refused) {
    const std::string_view reason = admit::NameOf(refused->limit);
    refusal_ = refused->burst > 0
                   ? admit::NeverPasses(refused->writes, reason, ScopeOf(*refused), refused->burst)
                   : admit::Throttled(reason, ScopeOf(*refused), refused->wait_ms);
  }
  keys_.clear();
  if (keys_.capacity() > kKeysKept) {
    std::vector<Key>().swap(keys_);
    std::vector<admit::Write>().swap(writes_);
  }
  return refusal_.empty();
}

std::string LimitGate::ScopeOf(const admit::Denial& denial) const {
  const Key& key = keys_[denial.write];
  const std::string& name = key.keyspace->name;
  if (denial.limit == admit::Limit::kAll) return name;
  if (denial.limit == admit::Limit::kClient) return fmt::format("{}/{}", name, client_);
  return fmt::format("{}/{}:{}", name, key.keyspace->key.segments[key.segment],
                     admit::Shown(writes_[denial.write].segment));
}

}  // namespace sluice::ingest
