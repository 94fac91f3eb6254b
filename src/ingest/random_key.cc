#include "ingest/random_key.h"

#include <algorithm>

#include "base/prng.h"
#include "ingest/walk.h"
#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

constexpr size_t kFewKeys = 64;    // read at once; among so many each has the same chance
constexpr size_t kLevelsMax = 64;  // bytes drawn before the keys at hand must do

struct Draw {
  Node::Pin pin;
  Origin origin;
  resp::Version version;
  Prng prng;
  std::vector<size_t> shards;  // still to be looked at; the last one now
  ScanRequest stretch;         // one of the keys in it will be the answer
  std::string prefix;          // which they share, before the byte that was drawn
  size_t levels = 0;
  std::vector<ScanItem> first;  // keys of the stretch
  model::Lsn gate;
};
using DrawPtr = std::shared_ptr<Draw>;

void Look(Lane& home, const DrawPtr& draw);

void Answer(Lane& home, Draw& draw) {
  std::string bytes;
  resp::Reply reply(bytes, draw.version);
  model::StoredKeyParts parts;
  if (draw.first.empty()) {
    reply.Null();
  } else {
    const std::string& stored = draw.first[draw.prng.Below(draw.first.size())].stored;
    model::SplitStoredKey(home.router().keyspace(model::KeyspaceOf(stored)), stored, &parts);
    reply.Bulk(parts.key);
  }
  home.Finish(draw.origin, bytes, {draw.gate, false});
}

// False when the page is an error, which was answered.
bool Take(Lane& home, Draw& draw, const ScanPage& page, model::Lsn gate) {
  draw.gate = std::max(draw.gate, gate);
  if (!page.error) return true;
  std::string bytes;
  resp::Reply(bytes, draw.version).Error(shard::ReadError(*page.error));
  home.Finish(draw.origin, bytes, {});
  return false;
}

void NextShard(Lane& home, const DrawPtr& draw) {
  if (draw->shards.empty()) return Answer(home, *draw);
  draw->stretch = StretchOf(home.router().map().shards()[draw->shards.back()], {}, {});
  Look(home, draw);
}

// Draws the byte in which the stretch's keys differ first.
void Descend(Lane& home, const DrawPtr& draw, const std::string& last) {
  const std::string& first = draw->first.front().stored;
  const size_t same =
      std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first - first.begin();
  if (same == last.size() || ++draw->levels > kLevelsMax) return Answer(home, *draw);
  const uint8_t low = same < first.size() ? static_cast<uint8_t>(first[same]) : 0;
  const uint8_t high = static_cast<uint8_t>(last[same]);
  if (low > high) return Answer(home, *draw);  // keys went meanwhile
  draw->prefix = last.substr(0, same);
  const auto drawn = static_cast<char>(low + draw->prng.Below(high - low + 1u));
  draw->stretch.begin = std::max(draw->stretch.begin, draw->prefix + drawn);
  Look(home, draw);
}

void FindLast(Lane& home, const DrawPtr& draw) {
  ScanRequest request = draw->stretch;
  request.limit = 1;
  request.reverse = true;
  ReadPage(home, draw->shards.back(), request,
           [draw](Lane& back, const ScanPage& page, model::Lsn gate) {
             if (!Take(back, *draw, page, gate)) return;
             if (page.items.empty()) return Answer(back, *draw);
             Descend(back, draw, page.items.front().stored);
           });
}

// Reads the first keys of the stretch; behind a drawn byte, of the next one that keys have there.
void Look(Lane& home, const DrawPtr& draw) {
  ScanRequest request = draw->stretch;
  request.limit = kFewKeys;
  ReadPage(home, draw->shards.back(), request, [draw](Lane& back, ScanPage page, model::Lsn gate) {
    if (!Take(back, *draw, page, gate)) return;
    ScanRequest& stretch = draw->stretch;
    if (page.items.empty() && !page.complete) {
      stretch.begin = page.next;
      return Look(back, draw);
    }
    if (page.items.empty()) {
      if (!draw->first.empty()) return Answer(back, *draw);  // they went meanwhile
      draw->shards.pop_back();
      return NextShard(back, draw);
    }
    draw->first = std::move(page.items);
    stretch.begin = draw->first.front().stored;
    if (draw->levels > 0 && stretch.begin.size() > draw->prefix.size()) {
      const std::string shared = stretch.begin.substr(0, draw->prefix.size() + 1);
      const std::string end = model::PrefixEnd(shared);
      if (!end.empty()) stretch.end = std::min(stretch.end, end);
      const size_t others = std::erase_if(
          draw->first, [&](const ScanItem& item) { return item.stored >= stretch.end; });
      page.complete |= others > 0;
    }
    page.complete ? Answer(back, *draw) : FindLast(back, draw);
  });
}

}  // namespace

Submitted SubmitRandomKey(Lane& lane, const shard::Command& command, const Origin& origin,
                          std::string&) {
  auto draw = std::make_shared<Draw>(Draw{lane.node().pin,
                                          origin,
                                          command.version,
                                          Prng(lane.shards().Random()),
                                          {},
                                          {},
                                          {},
                                          0,
                                          {},
                                          {}});
  for (size_t i = 0; i < lane.router().map().shards().size(); ++i) draw->shards.push_back(i);
  const auto first = static_cast<ptrdiff_t>(draw->prng.Below(draw->shards.size()));
  std::rotate(draw->shards.begin(), draw->shards.begin() + first, draw->shards.end());
  NextShard(lane, draw);
  return {false, {}, model::Ack::kDurable};
}

}  // namespace sluice::ingest
