#include "ingest/scan.h"

#include <map>

#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

// A scan under way: what the store had, and the buffers of the same moment.
struct Walk {
  ScanRequest request;
  std::function<void(Lane&, ScanPage)> then;
  store::Snapshot snapshot;
  std::vector<std::pair<std::string, std::string>> stored;  // in the direction of the walk
  bool complete = false;
  std::optional<Error> error;
};

void ReadStore(Walk& walk) {
  store::Cursor& cursor = *walk.snapshot.cursor;
  const ScanRequest& request = walk.request;
  if (request.reverse) {
    cursor.SeekBefore(request.end);
  } else {
    cursor.Seek(request.begin);
  }
  const auto inside = [&] {
    return cursor.Valid() &&
           (request.reverse ? cursor.key() >= request.begin : cursor.key() < request.end);
  };
  while (inside() && walk.stored.size() < request.limit) {
    walk.stored.emplace_back(cursor.key(), cursor.row());
    request.reverse ? cursor.Prev() : cursor.Next();
  }
  walk.complete = !inside();
  if (const Status status = cursor.status(); !status.ok()) walk.error = status.error();
  walk.snapshot.cursor.reset();
}

// What the newest buffer that knows a key says of it.
struct Known {
  std::string_view row;
  bool deleted = false;
};
using KnownMap = std::map<std::string_view, Known>;

constexpr size_t kKnownSlack =
    1024;  // deleted keys of buffers that a page may look at besides its items

// The merge of one page: what buffers and store know of a stretch of keys.
class Merge {
 public:
  explicit Merge(const Walk& walk)
      : request_(walk.request),
        begin_(walk.request.begin),
        end_(walk.request.end),
        complete_(walk.complete) {
    // Beyond the last stored key of an incomplete walk nothing is known of the store yet.
    if (!complete_ && request_.reverse) begin_ = walk.stored.back().first;
    if (!complete_ && !request_.reverse) end_ = walk.stored.back().first + '\0';
    for (const auto& buffer : walk.snapshot.buffers) AddBuffer(*buffer);
    for (const auto& [key, row] : walk.stored) {
      if (Inside(key) && !Hidden(key)) known_.try_emplace(key, Known{row, false});
    }
  }

  ScanPage Page(uint64_t now_ms) const {
    ScanPage page;
    page.complete = complete_;
    page.next = request_.reverse ? begin_ : end_;
    if (request_.reverse) {
      for (auto at = known_.rbegin(); at != known_.rend(); ++at) {
        if (!Add(at->first, at->second, now_ms, &page)) break;
      }
    } else {
      for (auto at = known_.begin(); at != known_.end(); ++at) {
        if (!Add(at->first, at->second, now_ms, &page)) break;
      }
    }
    return page;
  }

 private:
  bool Inside(std::string_view key) const { return key >= begin_ && key < end_; }
  bool Hidden(std::string_view key) const {
    return std::any_of(hidden_.begin(), hidden_.end(), [&](const store::Buffer::Range& range) {
      return key >= range.begin && key < range.end;
    });
  }

  // Adds what a buffer knows and no newer one does. A page looks at limit + kKnownSlack keys of
  // buffers at the most: the stretch is cut where it would be more, and later pages go on from
  // there.
  void AddBuffer(const store::Buffer& buffer) {
    buffer.ForEach([&](std::string_view key, std::string_view row, bool deleted, model::Turn) {
      if (!Inside(key) || Hidden(key)) return true;
      known_.try_emplace(key, Known{row, deleted});
      if (known_.size() > request_.limit + kKnownSlack) Cut();
      return true;
    });
    for (const auto& range : buffer.cleared()) hidden_.push_back(range);
  }

  void Cut() {
    complete_ = false;
    if (request_.reverse) {
      known_.erase(known_.begin());
      begin_ = known_.begin()->first;
    } else {
      end_ = std::prev(known_.end())->first;
      known_.erase(std::prev(known_.end()));
    }
  }

  bool Add(std::string_view key, const Known& known, uint64_t now_ms, ScanPage* page) const {
    if (page->items.size() == request_.limit) {
      page->complete = false;
      page->next = request_.reverse ? page->items.back().stored : std::string(key);
      return false;
    }
    model::RowView row;
    if (known.deleted || !model::DecodeRow(known.row, &row)) return true;
    if (row.expire_at_ms != 0 && row.expire_at_ms <= now_ms) return true;
    page->items.push_back(
        {std::string(key), request_.with_rows ? std::string(known.row) : "", row.type});
    return true;
  }

  const ScanRequest& request_;
  std::string begin_, end_;  // the stretch about which everything is known
  bool complete_;
  KnownMap known_;
  std::vector<store::Buffer::Range> hidden_;  // cleared by a newer buffer
};

}  // namespace

void Scan(Lane& lane, ScanRequest request, std::function<void(Lane&, ScanPage)> then) {
  auto walk = std::make_shared<Walk>();
  walk->request = std::move(request);
  walk->then = std::move(then);
  walk->snapshot = lane.shards().state().Snap();
  lane.Offload([walk](store::Store&) { ReadStore(*walk); },
               [walk](Lane& back) {
                 ScanPage page;
                 page.error = walk->error;
                 if (!page.error) page = Merge(*walk).Page(back.shards().now_ms());
                 walk->then(back, std::move(page));
               });
}

}  // namespace sluice::ingest
