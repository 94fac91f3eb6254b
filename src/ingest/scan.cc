#include "ingest/scan.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.h"
#include "store/key_order.h"

namespace sluice::ingest {
namespace {

using store::Buffer;
using store::KeyOrder;
using OrderPtr = std::shared_ptr<const KeyOrder>;

// Keys that turn out to be deleted, which a page may look at besides its items.
constexpr size_t kSlack = 1024;
// Entries that were added to the active buffer, taken in by one turn: about a millisecond.
constexpr size_t kReadOnMax = 16'384;

// One place where keys are found, walked in the direction asked for.
class Source {
 public:
  enum class Row : uint8_t { kRow, kDeleted, kDamaged };

  virtual ~Source() = default;
  virtual bool Valid() const = 0;
  virtual std::string_view key() const = 0;  // valid until Next
  virtual void Next() = 0;
  // Fills in all of an item but the key.
  virtual Row Read(const ScanRequest& request, ScanItem* item) = 0;
  // Whether older sources' rows of this key, which this one does not have, count no more.
  virtual bool Hides(std::string_view) const { return false; }
};

Source::Row Decode(std::string_view bytes, const ScanRequest& request, ScanItem* item) {
  if (request.fields) {
    item->row = bytes;
    return Source::Row::kRow;
  }
  model::RowView row;
  if (!model::DecodeRow(bytes, &row)) return Source::Row::kDamaged;
  item->type = row.type;
  item->expire_at_ms = row.expire_at_ms;
  if (request.with_rows) item->row = bytes;
  return Source::Row::kRow;
}

class BufferSource final : public Source {
 public:
  BufferSource(const Buffer& buffer, std::span<const KeyOrder* const> orders,
               const ScanRequest& range)
      : buffer_(buffer), walk_(orders, range.begin, range.end, range.reverse) {
    Settle();
  }
  bool Valid() const override { return walk_.Valid(); }
  std::string_view key() const override { return walk_.key(); }
  void Next() override {
    walk_.Next();
    Settle();
  }
  Row Read(const ScanRequest& request, ScanItem* item) override {
    if (hit_.state == Buffer::Hit::State::kDeleted) return Row::kDeleted;
    return Decode(hit_.row, request, item);
  }
  bool Hides(std::string_view key) const override {
    return !buffer_.cleared().empty() && buffer_.Find(key).state == Buffer::Hit::State::kDeleted;
  }

 private:
  // Passes over entries that are not in force any more.
  void Settle() {
    for (; walk_.Valid(); walk_.Next()) {
      hit_ = buffer_.Read(walk_.place());
      if (hit_.state != Buffer::Hit::State::kMiss) return;
    }
  }

  const Buffer& buffer_;
  store::KeyWalk walk_;
  Buffer::Hit hit_;
};

class StoreSource final : public Source {
 public:
  StoreSource(store::Cursor& cursor, const ScanRequest& range) : cursor_(cursor), range_(range) {
    range.reverse ? cursor.SeekBefore(range.end) : cursor.Seek(range.begin);
  }
  bool Valid() const override {
    if (!cursor_.Valid()) return false;
    return range_.reverse ? cursor_.key() >= range_.begin : cursor_.key() < range_.end;
  }
  std::string_view key() const override { return cursor_.key(); }
  void Next() override { range_.reverse ? cursor_.Prev() : cursor_.Next(); }
  Row Read(const ScanRequest& request, ScanItem* item) override {
    return Decode(cursor_.row(), request, item);
  }

 private:
  store::Cursor& cursor_;
  const ScanRequest& range_;
};

// What was found off the lane.
class ListSource final : public Source {
 public:
  explicit ListSource(std::vector<ScanItem>& items) : items_(items) {}
  bool Valid() const override { return at_ < items_.size(); }
  std::string_view key() const override { return items_[at_].stored; }
  void Next() override { ++at_; }
  Row Read(const ScanRequest&, ScanItem* item) override {
    item->type = items_[at_].type;
    item->expire_at_ms = items_[at_].expire_at_ms;
    item->row = std::move(items_[at_].row);
    return Row::kRow;
  }

 private:
  std::vector<ScanItem>& items_;
  size_t at_ = 0;
};

// A stretch of keys about which everything is known.
struct Stretch {
  std::vector<ScanItem> items;
  std::string bound;  // it was cut here: forward before this key, in reverse behind it
  bool complete = false;
  std::optional<Error> error;
};

// The first of the sources that stand at the key that is next; the newest source comes first.
size_t NextOf(const std::vector<Source*>& sources, bool reverse) {
  size_t first = sources.size();
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i]->Valid()) continue;
    if (first == sources.size() || (reverse ? sources[i]->key() > sources[first]->key()
                                            : sources[i]->key() < sources[first]->key())) {
      first = i;
    }
  }
  return first;
}

// Merges sources of one range, newest first. Keys that expired by `now_ms` are left out.
Stretch Merge(const std::vector<Source*>& sources, const ScanRequest& request, uint64_t now_ms) {
  Stretch found;
  size_t bytes = 0;
  for (size_t looked = 0;; ++looked) {
    const size_t first = NextOf(sources, request.reverse);
    found.complete = first == sources.size();
    if (found.complete) return found;
    ScanItem item;
    item.stored = sources[first]->key();
    const bool full = found.items.size() == request.limit || bytes >= kPageBytesMax ||
                      looked == request.limit + kSlack;
    if (full) {
      found.bound = std::move(item.stored);
      if (request.reverse) found.bound.push_back('\0');
      return found;
    }
    const bool hidden =
        std::any_of(sources.begin(), sources.begin() + static_cast<ptrdiff_t>(first),
                    [&](Source* newer) { return newer->Hides(item.stored); });
    const auto row = hidden ? Source::Row::kDeleted : sources[first]->Read(request, &item);
    for (Source* source : sources) {
      if (source->Valid() && source->key() == item.stored) source->Next();
    }
    if (row == Source::Row::kDamaged) {
      found.error = Error{Code::kCorrupt, "the row of key " + Hex(item.stored) + " is not a row"};
      return found;
    }
    if (row == Source::Row::kDeleted) continue;
    if (item.expire_at_ms != 0 && item.expire_at_ms <= now_ms) continue;
    bytes += item.bytes();
    found.items.push_back(std::move(item));
  }
}

// A page on its way.
struct Walk {
  Node::Pin pin;
  ScanRequest request;
  std::function<void(Lane&, ScanPage)> then;
  store::Snapshot snapshot;
  std::vector<OrderPtr> orders;      // of the snapshot's buffers
  std::vector<Buffer::Place> added;  // to the active buffer since its order was made,
  Buffer::Mark mark;                 // up to here
  Stretch below;                     // what store and frozen buffers say
};
using WalkPtr = std::shared_ptr<Walk>;

OrderPtr Extended(const OrderPtr& order, std::vector<Buffer::Place> places, Buffer::Mark mark) {
  if (places.empty()) return order;
  auto extended = std::make_shared<KeyOrder>(*order);
  extended->Add(std::move(places), std::move(mark));
  return extended;
}

// Off the lane: all but what the active buffer says.
void ReadBelow(Walk& walk) {
  walk.orders[0] = Extended(walk.orders[0], std::exchange(walk.added, {}), walk.mark);
  std::vector<std::unique_ptr<Source>> owned;
  for (size_t i = 1; i < walk.orders.size(); ++i) {
    const Buffer& frozen = *walk.snapshot.buffers[i];
    std::vector<Buffer::Place> places;
    Buffer::Mark mark = walk.orders[i]->mark();
    while (frozen.ReadOn(mark, &places)) continue;
    walk.orders[i] = Extended(walk.orders[i], std::move(places), std::move(mark));
    const KeyOrder* const order = walk.orders[i].get();
    owned.push_back(std::make_unique<BufferSource>(frozen, std::span(&order, 1), walk.request));
  }
  owned.push_back(std::make_unique<StoreSource>(*walk.snapshot.cursor, walk.request));
  std::vector<Source*> sources;
  for (const auto& source : owned) sources.push_back(source.get());
  walk.below = Merge(sources, walk.request, 0);  // what has expired is for the lane to say
  const Status status = walk.snapshot.cursor->status();
  if (!status.ok()) walk.below.error = status.error();
  owned.clear();
  walk.snapshot.cursor.reset();
}

// Takes in what was added to the active buffer. False: the rest is for another turn.
bool ReadOn(Walk& walk) {
  const Buffer& active = *walk.snapshot.buffers[0];
  const size_t before = walk.added.size();
  while (active.ReadOn(walk.mark, &walk.added)) {
    if (walk.added.size() - before > kReadOnMax) return false;
  }
  return true;
}

// What the page is about: as much of the range as is known of store and frozen buffers.
ScanRequest KnownBelow(const Walk& walk) {
  ScanRequest known = walk.request;
  if (!walk.below.complete) (known.reverse ? known.begin : known.end) = walk.below.bound;
  return known;
}

// The active buffer over what lies below it.
ScanPage Overlay(Walk& walk, const ScanRequest& known, uint64_t now_ms) {
  KeyOrder late;
  late.Add(std::move(walk.added), {});
  const KeyOrder* const orders[] = {walk.orders[0].get(), &late};
  BufferSource above(*walk.snapshot.buffers[0], orders, known);
  ListSource below(walk.below.items);
  Stretch whole = Merge({&above, &below}, known, now_ms);
  ScanPage page;
  page.items = std::move(whole.items);
  page.complete = whole.complete && walk.below.complete;
  page.next = whole.complete ? std::move(walk.below.bound) : std::move(whole.bound);
  return page;
}

void Finish(Lane& lane, const WalkPtr& walk) {
  ScanPage page;
  page.error = walk->below.error;
  if (!page.error) {
    // The page is as of this moment, so what came while the store was read is a part of it.
    const bool all = ReadOn(*walk);
    const ScanRequest known = KnownBelow(*walk);
    std::erase_if(walk->added, [&](Buffer::Place place) {
      const std::string_view key = Buffer::KeyAt(place);
      return key < known.begin || key >= known.end;
    });
    if (!all) return lane.Later([walk](Lane& again) { Finish(again, walk); });
    page = Overlay(*walk, known, lane.shards().now_ms());
  }
  if (ScanLine::Task next = lane.scans().Leave()) lane.Later(std::move(next));
  walk->then(lane, std::move(page));
}

void Read(Lane& lane, const WalkPtr& walk) {
  if (!ReadOn(*walk)) return lane.Later([walk](Lane& again) { Read(again, walk); });
  lane.Offload([walk](store::Store&) { ReadBelow(*walk); },
               [walk](Lane& back) {
                 for (size_t i = 0; i < walk->orders.size(); ++i) {
                   // That of another lane's buffer is kept there.
                   if (walk->snapshot.lent[i] != model::Turn()) continue;
                   walk->snapshot.buffers[i]->KeepOrder(walk->orders[i]);
                 }
                 Finish(back, walk);
               });
}

void Begin(Lane& lane, const WalkPtr& walk) {
  walk->snapshot = lane.shards().state().Snap();
  for (size_t i = 0; i < walk->snapshot.buffers.size(); ++i) {
    const bool own = walk->snapshot.lent[i] == model::Turn();
    const OrderPtr order = own ? walk->snapshot.buffers[i]->order() : nullptr;
    walk->orders.push_back(order ? order : std::make_shared<const KeyOrder>());
  }
  walk->mark = walk->orders[0]->mark();
  Read(lane, walk);
}

}  // namespace

void Scan(Lane& lane, ScanRequest request, std::function<void(Lane&, ScanPage)> then) {
  auto walk = std::make_shared<Walk>();
  walk->pin = lane.node().pin;
  walk->request = std::move(request);
  walk->then = std::move(then);
  lane.scans().Enter(lane, [walk](Lane& in_turn) { Begin(in_turn, walk); });
}

}  // namespace sluice::ingest
