#include "store/key_order.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/bytes.h"

namespace sluice::store {
namespace {

bool Before(Buffer::Place a, Buffer::Place b) {
  return Buffer::KeyAt(a) < Buffer::KeyAt(b);
}

KeyOrder::Run Sort(const std::vector<Buffer::Place>& places) {
  struct Item {
    uint64_t head;  // the key's first 8 bytes decide nearly every comparison
    Buffer::Place place;
  };
  std::vector<Item> items;
  items.reserve(places.size());
  for (const Buffer::Place place : places) {
    const std::string_view key = Buffer::KeyAt(place);
    char head[8] = {};
    std::memcpy(head, key.data(), std::min<size_t>(8, key.size()));
    items.push_back({LoadBe64(head), place});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.head != b.head ? a.head < b.head : Before(a.place, b.place);
  });
  KeyOrder::Run run;
  run.reserve(items.size());
  for (const Item& item : items) run.push_back(item.place);
  return run;
}

}  // namespace

void KeyOrder::Add(std::vector<Buffer::Place> places, Buffer::Mark mark) {
  mark_ = std::move(mark);
  if (places.empty()) return;
  auto added = std::make_shared<Run>(Sort(places));
  while (!runs_.empty() && runs_.back()->size() < kRunRatio * added->size()) {
    auto merged = std::make_shared<Run>();
    merged->reserve(runs_.back()->size() + added->size());
    std::merge(runs_.back()->begin(), runs_.back()->end(), added->begin(), added->end(),
               std::back_inserter(*merged), Before);
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
