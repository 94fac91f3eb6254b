#include "store/key_order.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>

#include "base/bytes.h"

namespace sluice::store {
namespace {

bool Before(Buffer::Place a, Buffer::Place b) {
  return Buffer::KeyAt(a) < Buffer::KeyAt(b);
}

// The key's first 8 bytes decide nearly every comparison.
struct Item {
  uint64_t head;
  Buffer::Place place;
};

bool Before(const Item& a, const Item& b) {
  return a.head != b.head ? a.head < b.head : Before(a.place, b.place);
}

uint64_t HeadOf(std::string_view key) {
  char head[8] = {};
  std::memcpy(head, key.data(), std::min<size_t>(8, key.size()));
  return LoadBe64(head);
}

// Items are dealt into parts by their heads until a part has so few; these are compared.
constexpr size_t kPartItems = 32;
constexpr int kPartBitsMax = 14;  // of the number of parts: a table of them stays in the cache

// `spare` is as long.
void Sort(std::span<Item> items, std::span<Item> spare, Breaks& breaks) {
  uint64_t least = ~uint64_t{0}, most = 0;
  for (const Item& item : items) {
    least = std::min(least, item.head);
    most = std::max(most, item.head);
  }
  if (items.size() <= kPartItems || least == most) {
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return Before(a, b); });
    return;
  }
  const int bits = std::min<int>(std::bit_width(items.size() / kPartItems), kPartBitsMax);
  const int shift = std::max(0, static_cast<int>(std::bit_width(most - least)) - bits);
  const auto part = [&](const Item& item) { return (item.head - least) >> shift; };
  std::vector<uint32_t> ends(((most - least) >> shift) + 1);
  for (const Item& item : items) ++ends[part(item)];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<uint32_t> next = ends;
  for (const Item& item : items) {
    spare[--next[part(item)]] = item;
    breaks.DidRow(0);
  }
  std::copy(spare.begin(), spare.end(), items.begin());
  for (size_t i = 0; i < ends.size(); ++i) {
    const size_t begin = i == 0 ? 0 : ends[i - 1], size = ends[i] - begin;
    if (size > 1) Sort(items.subspan(begin, size), spare.subspan(begin, size), breaks);
  }
}

}  // namespace

void SortByKey(std::vector<Buffer::Place>& places, Breaks& breaks) {
  std::vector<Item> items, spare(places.size());
  items.reserve(places.size());
  for (const Buffer::Place place : places) {
    items.push_back({HeadOf(Buffer::KeyAt(place)), place});
    breaks.DidRow(0);
  }
  Sort(items, spare, breaks);
  for (size_t i = 0; i < items.size(); ++i) places[i] = items[i].place;
}

void KeyOrder::Add(std::vector<Buffer::Place> places, Buffer::Mark mark) {
  mark_ = std::move(mark);
  if (places.empty()) return;
  Breaks breaks;
  SortByKey(places, breaks);
  auto added = std::make_shared<Run>(std::move(places));
  while (!runs_.empty() && runs_.back()->size() < kRunRatio * added->size()) {
    auto merged = std::make_shared<Run>();
    merged->reserve(runs_.back()->size() + added->size());
    std::merge(runs_.back()->begin(), runs_.back()->end(), added->begin(), added->end(),
               std::back_inserter(*merged),
               [](Buffer::Place a, Buffer::Place b) { return Before(a, b); });
    runs_.pop_back();
    added = std::move(merged);
  }
  runs_.push_back(std::move(added));
}

KeyWalk::KeyWalk(std::span<const KeyOrder* const> orders, std::string_view begin,
                 std::string_view end, bool reverse)
    : reverse_(reverse) {
  const auto first = [](const KeyOrder::Run& run, std::string_view key) -> size_t {
    const auto before = [](Buffer::Place place, std::string_view k) {
      return Buffer::KeyAt(place) < k;
    };
    return std::lower_bound(run.begin(), run.end(), key, before) - run.begin();
  };
  for (const KeyOrder* order : orders) {
    for (const auto& run : order->runs()) {
      Head head{run, first(*run, begin), first(*run, end), {}};
      if (head.first >= head.last) continue;
      Show(head);
      heads_.push_back(std::move(head));
    }
  }
  Choose();
}

void KeyWalk::Next() {
  Head& head = heads_[chosen_];
  reverse_ ? --head.last : ++head.first;
  if (head.first == head.last) {
    heads_.erase(heads_.begin() + static_cast<ptrdiff_t>(chosen_));
  } else {
    Show(head);
  }
  Choose();
}

void KeyWalk::Show(Head& head) const {
  head.key = Buffer::KeyAt((*head.run)[reverse_ ? head.last - 1 : head.first]);
}

void KeyWalk::Choose() {
  now_ = nullptr;
  for (size_t i = 0; i < heads_.size(); ++i) {
    if (i > 0 && (reverse_ ? heads_[i].key <= key_ : heads_[i].key >= key_)) continue;
    const Head& head = heads_[i];
    chosen_ = i;
    key_ = head.key;
    now_ = (*head.run)[reverse_ ? head.last - 1 : head.first];
  }
}

}  // namespace sluice::store
