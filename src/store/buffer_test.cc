#include "store/buffer.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice::store {
namespace {

using model::Turn;
using State = Buffer::Hit::State;

// A buffer as a map from key to what was written last, and the list of clears.
class Plain {
 public:
  struct Row {
    std::string row;
    bool deleted;
    Turn turn;
  };

  void Put(const std::string& key, const std::string& row, Turn turn) {
    rows_[key] = {row, false, turn};
  }
  void Delete(const std::string& key, Turn turn) { rows_[key] = {"", true, turn}; }
  void Clear(const std::string& begin, const std::string& end, Turn turn) {
    if (begin >= end) return;
    rows_.erase(rows_.lower_bound(begin), rows_.lower_bound(end));
    clears_.push_back({begin, end, turn});
  }

  void ExpectFind(const Buffer& buffer, const std::string& key) const {
    const Buffer::Hit hit = buffer.Find(key);
    const auto at = rows_.find(key);
    if (at != rows_.end()) {
      ASSERT_EQ(hit.state, at->second.deleted ? State::kDeleted : State::kRow) << key;
      ASSERT_EQ(hit.row, at->second.row);
      ASSERT_EQ(hit.turn, at->second.turn);
      return;
    }
    for (auto clear = clears_.rbegin(); clear != clears_.rend(); ++clear) {
      if (key < clear->begin || key >= clear->end) continue;
      ASSERT_EQ(hit.state, State::kDeleted) << key;
      ASSERT_EQ(hit.turn, clear->turn);
      return;
    }
    ASSERT_EQ(hit.state, State::kMiss) << key;
  }

  // The ranges cover exactly the keys that a clear covers, are disjoint and in order.
  void ExpectRanges(const Buffer& buffer, const std::vector<std::string>& probes) const {
    const auto& ranges = buffer.cleared();
    for (size_t i = 0; i < ranges.size(); ++i) {
      ASSERT_LT(ranges[i].begin, ranges[i].end);
      if (i > 0) {
        ASSERT_LE(ranges[i - 1].end, ranges[i].begin);
      }
    }
    for (const std::string& key : probes) {
      const auto covers = [&](const auto& r) { return key >= r.begin && key < r.end; };
      ASSERT_EQ(std::any_of(ranges.begin(), ranges.end(), covers),
                std::any_of(clears_.begin(), clears_.end(), covers));
    }
  }

  void ExpectAll(const Buffer& buffer) const {
    ASSERT_EQ(buffer.entries(), rows_.size());
    ASSERT_EQ(buffer.empty(), rows_.empty() && clears_.empty());
    std::set<std::string> seen;
    buffer.ForEach([&](std::string_view key, std::string_view row, bool deleted, Turn turn) {
      const Row& wanted = rows_.at(std::string(key));
      EXPECT_TRUE(row == wanted.row && deleted == wanted.deleted && turn == wanted.turn);
      return seen.emplace(key).second;
    });
    ASSERT_EQ(seen.size(), rows_.size());
  }

  void ExpectGroup(const Buffer& buffer, const std::string& group) const {
    std::map<std::string, std::string> seen, wanted;
    for (const auto& [key, row] : rows_) {
      if (key.size() > group.size() && key.starts_with(group)) wanted[key] = row.row;
    }
    buffer.ForEachOf(group, [&](std::string_view key, std::string_view row, bool, Turn) {
      return seen.emplace(key, row).second;
    });
    ASSERT_EQ(seen, wanted);
  }

 private:
  struct Range {
    std::string begin, end;
    Turn turn;
  };
  std::map<std::string, Row> rows_;
  std::vector<Range> clears_;
};

// Goal:   whatever is written, every key's answer is that of the plainest buffer there could be.
// Method: random puts (growing, shrinking, filled in place), deletions and clears over few keys, so
//         that they meet; all keys, all ranges, all groups and the order are compared on the way.
TEST(Buffer, AnswersLikeAMap) {
  constexpr size_t kGroupSize = 2;  // a key is a group's name and two digits
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    Buffer buffer;
    Plain plain;
    std::vector<std::string> probes;
    for (int i = 0; i < 1000; ++i) probes.push_back("g" + std::to_string(1000 + i).substr(1));
    const bool clears = seed % 4 != 0;
    for (uint64_t step = 1; step <= 2000; ++step) {
      const std::string key = probes[random.Below(probes.size())];
      const Turn turn(step);
      const uint64_t what = random.Below(100);
      if (what < 60) {
        const std::string row(random.Below(random.OneIn(50) ? 5000 : 80),
                              static_cast<char>('a' + step % 26));
        if (random.OneIn(2)) {
          buffer.Put(key, row, turn, kGroupSize);
        } else {
          std::copy(row.begin(), row.end(), buffer.PutSpace(key, row.size(), turn, kGroupSize));
        }
        plain.Put(key, row, turn);
      } else if (what < 80 || !clears) {
        buffer.Delete(key, turn, kGroupSize);
        plain.Delete(key, turn);
      } else if (what < 90) {
        std::string end = probes[random.Below(probes.size())];
        if (random.OneIn(2)) end = key.substr(0, 3) + "x";  // a narrow one
        const Turn same(step / 8);  // neighbours of one turn may become one range
        buffer.ClearRange(key, end, same);
        plain.Clear(key, end, same);
      } else {
        plain.ExpectFind(buffer, key);
      }
      if (step % 250 == 0) {
        for (const std::string& probe : probes) plain.ExpectFind(buffer, probe);
        plain.ExpectRanges(buffer, probes);
        plain.ExpectAll(buffer);
        for (int g = 0; g < 10; ++g) plain.ExpectGroup(buffer, "g" + std::to_string(g));
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Goal:   rows of every size are kept whole, beside others: small ones, those around the size that
//         gets memory of its own, and 64 MiB.
// Method: put one of each, then grow each past its space, and compare everything after both.
TEST(Buffer, KeepsRowsOfEverySize) {
  std::vector<size_t> sizes = {0, 1, 7, 8, 9, 4096, (1 << 20) + 1, 64 << 20};
  for (size_t size = (1 << 18) - 120; size < (1 << 18) + 16; size += 3) sizes.push_back(size);
  Buffer buffer;
  for (size_t grow : {0, 1}) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      buffer.Put("key" + std::to_string(i), std::string(sizes[i] + grow, static_cast<char>(i)),
                 Turn(1));
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      const Buffer::Hit hit = buffer.Find("key" + std::to_string(i));
      ASSERT_EQ(hit.row.size(), sizes[i] + grow);
      ASSERT_EQ(hit.row.find_first_not_of(static_cast<char>(i)), std::string_view::npos);
    }
    ASSERT_EQ(buffer.entries(), sizes.size());
  }
}

// Goal:   a row may be put from a part of itself, in its place and when it moves.
TEST(Buffer, PutsARowFromItself) {
  Buffer buffer;
  buffer.Put("k", "0123456789", Turn(1));
  buffer.Put("k", buffer.Find("k").row.substr(3), Turn(2));
  EXPECT_EQ(buffer.Find("k").row, "3456789");
}

// Goal:   memory is accounted for, and a row that grows byte by byte does not cost its square.
TEST(Buffer, CountsWhatItHolds) {
  Buffer buffer;
  const size_t empty = buffer.bytes();
  EXPECT_LT(empty, 1024u);
  constexpr size_t kRows = 20000, kRowBytes = 100;
  for (size_t i = 0; i < kRows; ++i) {
    buffer.Put("key" + std::to_string(i), std::string(kRowBytes, 'x'), Turn(1));
  }
  EXPECT_GT(buffer.bytes(), kRows * kRowBytes);
  EXPECT_LT(buffer.bytes(), kRows * (kRowBytes + 100));
  const size_t before = buffer.bytes();
  for (size_t i = 0; i < kRows; ++i) {
    buffer.Put("key" + std::to_string(i), std::string(kRowBytes - 1, 'y'), Turn(2));
  }
  EXPECT_EQ(buffer.bytes(), before) << "rows that fit take no new space";

  Buffer growing;
  constexpr size_t kFinal = 20000;
  for (size_t size = 1; size <= kFinal; ++size) growing.PutSpace("k", size, Turn(1))[0] = 'x';
  EXPECT_LT(growing.bytes(), 6 * kFinal);
}

// Goal:   many clears of neighbours (a keyspace shard by shard) cost little and stay few ranges.
TEST(Buffer, JoinsNeighboursClearedTogether) {
  Buffer buffer;
  buffer.Put("0500", "row", Turn(1));
  for (int i = 0; i < 1000; ++i) {
    buffer.ClearRange(std::to_string(10000 + i).substr(1), std::to_string(10001 + i).substr(1),
                      Turn(2));
  }
  EXPECT_EQ(buffer.cleared().size(), 1u);
  EXPECT_EQ(buffer.Find("0500").state, State::kDeleted);
  EXPECT_EQ(buffer.entries(), 0u);
  EXPECT_FALSE(buffer.empty());
}

// Goal:   ForEachOf costs its group, not the buffer.
// Method: a group of three beside one of 200,000 is walked 200,000 times, which would not end in
//         the test's time if each walk passed the others.
TEST(Buffer, WalksAGroupByItself) {
  Buffer buffer;
  for (int i = 0; i < 200000; ++i) buffer.Put("a" + std::to_string(i), "x", Turn(1), 1);
  for (int i = 0; i < 3; ++i) buffer.Put("b" + std::to_string(i), "x", Turn(1), 1);
  size_t seen = 0;
  for (int i = 0; i < 200000; ++i) {
    buffer.ForEachOf("b", [&](auto, auto, auto, auto) { return ++seen; });
  }
  EXPECT_EQ(seen, 600000u);
}

// Goal:   visits stop when they are told to.
TEST(Buffer, StopsAVisit) {
  Buffer buffer;
  for (int i = 0; i < 10; ++i) buffer.Put("g" + std::to_string(i), "x", Turn(1), 1);
  int visits = 0;
  buffer.ForEach([&](auto, auto, auto, auto) { return ++visits < 4; });
  EXPECT_EQ(visits, 4);
  buffer.ForEachOf("g", [&](auto, auto, auto, auto) { return ++visits < 7; });
  EXPECT_EQ(visits, 7);
}

}  // namespace
}  // namespace sluice::store
