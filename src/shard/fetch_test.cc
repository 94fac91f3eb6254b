#include "shard/fetch.h"

#include <gtest/gtest.h>

#include "store/memory_store.h"

namespace sluice::shard {
namespace {

// Goal:   a command whose range was read may miss a row afterwards that was in memory before: what
//         a cache holds may change between its runs.
// Method: a fetch of a range, then, with what it found, a fetch of a single row.
TEST(Fetch, ReadsRowsAfterARange) {
  const auto opened = store::MemoryStore::Open(std::make_shared<store::MemoryStore::Medium>(), {});
  ASSERT_TRUE(opened.has_value());
  store::State state(**opened);
  Fetch fetch;
  Fetch* const fetches[] = {&fetch};
  fetch.prefix = "hash";
  fetch.snapshot = state.Snap();
  Fetch::RunAll(fetches, **opened);
  EXPECT_TRUE(fetch.scanned);
  fetch.wanted = {"row"};
  Fetch::RunAll(fetches, **opened);
  EXPECT_FALSE(fetch.error.has_value());
  EXPECT_NE(fetch.Find("row"), nullptr);
  EXPECT_TRUE(fetch.scanned);
}

}  // namespace
}  // namespace sluice::shard
