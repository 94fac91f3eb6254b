#include "ingest/walk.h"

#include <fmt/format.h>

#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

struct Walking {
  Node::Pin pin;
  std::vector<std::pair<size_t, ScanRequest>> stretches;
  size_t at = 0;
  std::function<bool(std::vector<ScanItem>&&, size_t)> take;
  std::function<void(Lane&, WalkEnd)> end;
  model::Lsn gate;
};

void Next(Lane& home, const std::shared_ptr<Walking>& walking) {
  if (walking->at == walking->stretches.size()) {
    walking->end(home, {walking->gate, std::nullopt});
    return;
  }
  const auto& [shard, request] = walking->stretches[walking->at];
  ReadPage(home, shard, request, [walking](Lane& back, ScanPage page, model::Lsn gate) {
    walking->gate = std::max(walking->gate, gate);
    if (page.error) {
      walking->end(back, {walking->gate, page.error});
      return;
    }
    auto& [which, rest] = walking->stretches[walking->at];
    if (!walking->take(std::move(page.items), which)) {
      walking->end(back, {walking->gate, std::nullopt});
      return;
    }
    if (page.complete) {
      ++walking->at;
    } else {
      (rest.reverse ? rest.end : rest.begin) = page.next;
    }
    Next(back, walking);
  });
}

}  // namespace

ScanRequest StretchOf(const model::Shard& shard, std::string_view from, std::string_view to) {
  ScanRequest request;
  model::KindPrefix(request.begin, shard.keyspace, model::Kind::kValue, shard.begin);
  model::KindPrefix(request.end, shard.keyspace, model::Kind::kValue, shard.end);
  if (shard.end.empty()) request.end = model::PrefixEnd(request.end);
  if (from > request.begin) request.begin = from;
  if (!to.empty() && to < request.end) request.end = to;
  if (request.end < request.begin) request.end = request.begin;
  return request;
}

void ReadPage(Lane& home, size_t shard, ScanRequest request, PageThen then) {
  const model::LaneId asker = home.id();
  home.Call(home.OwnerOf(shard), [asker, shard, request = std::move(request),
                                  then = std::move(then)](Lane& there) {
    Scan(there, request, [asker, shard, then](Lane& here, ScanPage page) {
      if (page.error) {
        const uint32_t id = here.router().map().shards()[shard].id.value;
        page.error = page.error->In(fmt::format("shard {}", id));
      }
      auto shared = std::make_shared<ScanPage>(std::move(page));
      here.AfterTurn([asker, then, shared](Lane& after, model::Lsn lsn) {
        after.Call(asker, [then, shared, lsn](Lane& back) {
          back.Later([then, shared, lsn](Lane& again) { then(again, std::move(*shared), lsn); });
        });
      });
    });
  });
}

void WalkShards(Lane& home, std::vector<std::pair<size_t, ScanRequest>> stretches,
                std::function<bool(std::vector<ScanItem>&&, size_t)> take,
                std::function<void(Lane&, WalkEnd)> end) {
  auto walking = std::make_shared<Walking>();
  walking->pin = home.node().pin;
  walking->stretches = std::move(stretches);
  walking->take = std::move(take);
  walking->end = std::move(end);
  Next(home, walking);
}

}  // namespace sluice::ingest
