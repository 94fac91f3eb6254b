#include "route/policies.h"

#include <gtest/gtest.h>

namespace sluice::route {
namespace {

// Goal:   each keyspace has its policy, before and after a change, and the defaults where nothing
//         is said.
// Method: every length of the list that was and of the list that comes.
TEST(Policies, ChangeAsAWhole) {
  constexpr size_t kMost = 4;
  for (size_t before = 0; before <= kMost; ++before) {
    for (size_t after = 0; after <= kMost; ++after) {
      Policies policies(std::vector<model::Policy>(before, {model::Ack::kMemory, 7, true}));
      std::vector<model::Policy> next;
      for (size_t i = 0; i < after; ++i)
        next.push_back({model::Ack::kReplicated, i + 1, i % 2 == 0, i % 3 == 0, i % 2 == 1,
                        i % 3 == 1, model::Priority::kLow, i % 2 == 0});
      policies.Change(next);
      for (size_t i = 0; i < kMost + 2; ++i) {
        const bool said = i < before && i < after;
        const model::Policy expected = said ? next[i] : model::Policy{};
        const model::Policy got = policies.Of(model::KeyspaceId(static_cast<uint16_t>(i)));
        EXPECT_TRUE(got == expected) << before << " " << after << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::route
