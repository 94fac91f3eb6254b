#include "store/pieces.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace sluice::store {
namespace {

// Goal:   no byte is anybody else's; what comes back is used again; nobody waits for the feeder.
// Method: several threads take pieces, fill them with a mark of their own, check it and give them
//         back, with a feeder beside them.
// Broken: if a piece stayed ready while somebody has it.
TEST(Pieces, BelongToOneAtATime) {
  constexpr int kTakers = 3, kRounds = 200;
  constexpr size_t kHeld = Pieces::kAhead + 5;
  Pieces pieces;
  std::thread feeder([&] { pieces.Feed(); });
  while (pieces.Take().get_deleter().to == nullptr) std::this_thread::yield();
  std::vector<std::thread> takers;
  for (int taker = 0; taker < kTakers; ++taker) {
    takers.emplace_back([&, taker] {
      std::vector<Pieces::Piece> held;
      for (int round = 0; round < kRounds; ++round) {
        held.push_back(pieces.Take());
        std::memset(held.back().get(), taker + 1, 4096);
        std::memset(held.back().get() + Pieces::kBytes - 64, taker + 1, 64);
        if (held.size() < kHeld) continue;
        for (const Pieces::Piece& piece : held) {
          ASSERT_EQ(piece[0], taker + 1);
          ASSERT_EQ(piece[Pieces::kBytes - 1], taker + 1);
        }
        held.clear();
      }
    });
  }
  for (std::thread& taker : takers) taker.join();

  std::vector<Pieces::Piece> held;
  while (held.size() < Pieces::kAhead) {
    Pieces::Piece piece = pieces.Take();
    if (piece.get_deleter().to == &pieces) held.push_back(std::move(piece));
  }
  pieces.Stop();
  feeder.join();
  std::set<char*> first, again;
  for (const Pieces::Piece& piece : held) first.insert(piece.get());
  held.clear();
  for (size_t n = 0; n < Pieces::kAhead; ++n) {
    held.push_back(pieces.Take());
    again.insert(held.back().get());
  }
  EXPECT_EQ(first.size(), Pieces::kAhead);
  EXPECT_EQ(first, again);
}

// Goal:   without a feeder there is memory all the same.
TEST(Pieces, ComeFromTheHeapWhileNoneIsReady) {
  Pieces pieces;
  const Pieces::Piece piece = pieces.Take();
  ASSERT_NE(piece, nullptr);
  std::memset(piece.get(), 1, Pieces::kBytes);
  EXPECT_EQ(piece.get_deleter().to, nullptr);
}

}  // namespace
}  // namespace sluice::store
