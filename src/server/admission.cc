#include "server/admission.h"

namespace sluice::server {

Admission::Verdict Admission::Ask(admit::Budget& budget, const Write& write, uint64_t now_us) {
  if (budget.Take(write.priority, write.units)) {
    Pass();
    return Verdict::kRun;
  }
  if (since_us_ == 0) since_us_ = now_us;
  const uint64_t patience_us = admit::Budget::kPatienceUs[static_cast<size_t>(write.priority)];
  const bool forever = !write.refusable || patience_us == ~uint64_t{0};
  waits_as_ = write.priority;
  until_us_ = forever ? ~uint64_t{0} : since_us_ + patience_us;
  waits_ = true;
  return now_us < until_us_ ? Verdict::kWait : Verdict::kRefuse;
}

}  // namespace sluice::server
