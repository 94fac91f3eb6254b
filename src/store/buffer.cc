#include "store/buffer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::store {
namespace {

constexpr size_t kChunkBytes = Pieces::kBytes;
constexpr size_t kOwnChunkBytes = kChunkBytes / 4;  // a larger entry gets a chunk of its own
constexpr size_t kUnit = 8;                         // entries begin at multiples
constexpr int kUnitBits = 17;                       // of a reference; the rest names the chunk
constexpr size_t kChunksMax = size_t{1} << (32 - kUnitBits);
static_assert((kChunkBytes / kUnit) == (size_t{1} << kUnitBits));

constexpr size_t kSlotsFirst = 1024;
constexpr size_t kCacheLine = 64;  // an entry's head and key lie in the first two

constexpr size_t RoundUp(size_t size) {
  return (size + kUnit - 1) & ~(kUnit - 1);
}

}  // namespace

// The head of an entry; the key's bytes follow, then room for the row.
struct Buffer::Node {
  enum State : uint8_t { kRow, kDeleted, kMoved };

  model::Turn turn;
  uint32_t key_size;
  uint32_t row_size;
  uint32_t capacity;
  uint32_t next;  // the entry of the same group written before; 0: none
  uint32_t era;
  State state;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  char* row_data() { return data() + key_size; }
  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  std::string_view row() const { return {key().data() + key_size, row_size}; }
  size_t size() const { return RoundUp(sizeof(Node) + key_size + capacity); }
};

Buffer::Table::Table(size_t slots, Pieces* pieces) : mask_(slots - 1) {
  for (size_t made = 0; made < slots; made += kPartSlots) {
    const size_t part = std::min(slots, kPartSlots) * sizeof(Slot);
    parts_.push_back(pieces && part == Pieces::kBytes ? pieces->Take() : Pieces::OfHeap(part));
    std::memset(parts_.back().get(), 0, part);
  }
}

Buffer::Buffer(std::shared_ptr<Pieces> pieces) : pieces_(std::move(pieces)) {
  chunks_.push_back({});
}

Buffer::~Buffer() = default;

uint32_t HashedKey::HashOf(std::string_view key) {
  return static_cast<uint32_t>(XXH3_64bits(key.data(), key.size()) >> 32);
}

Buffer::Node* Buffer::At(uint32_t ref) const {
  char* chunk = chunks_[ref >> kUnitBits].bytes.get();
  return reinterpret_cast<Node*>(chunk + (ref & ((1u << kUnitBits) - 1)) * kUnit);
}

// The key's slot, or the empty one where it belongs. Requires: a table.
Buffer::Slot* Buffer::Probe(const HashedKey& key) const {
  for (size_t i = table_.Home(key.hash);; i = table_.After(i)) {
    Slot& slot = table_[i];
    if (slot.ref == 0) return &slot;
    if (slot.hash == key.hash && At(slot.ref)->key() == key.bytes) return &slot;
  }
}

void Buffer::PrefetchSlot(uint32_t hash) const {
  if (table_.size() != 0) __builtin_prefetch(&table_[table_.Home(hash)]);
}

void Buffer::PrefetchEntry(uint32_t hash) const {
  if (table_.size() == 0) return;
  for (size_t i = table_.Home(hash);; i = table_.After(i)) {
    const Slot& slot = table_[i];
    if (slot.ref == 0) return;
    if (slot.hash != hash) continue;
    const char* node = reinterpret_cast<const char*>(At(slot.ref));
    __builtin_prefetch(node);
    __builtin_prefetch(node + kCacheLine);
    return;
  }
}

const Buffer::Range* Buffer::Covering(std::string_view key) const {
  const auto after =
      std::upper_bound(cleared_.begin(), cleared_.end(), key,
                       [](std::string_view k, const Range& range) { return k < range.begin; });
  if (after == cleared_.begin() || key >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

bool Buffer::Clears(std::string_view begin, std::string_view end) const {
  const Range* range = Covering(begin);
  return range && range->end >= end;
}

bool Buffer::Hidden(const Node& node) const {
  if (node.era == era_) return false;
  const Range* range = Covering(node.key());
  return range && range->era > node.era;
}

Buffer::Hit Buffer::Find(const HashedKey& key) const {
  const Slot* slot = table_.size() != 0 ? Probe(key) : nullptr;
  const Node* node = slot && slot->ref ? At(slot->ref) : nullptr;
  if (!cleared_.empty() && (!node || node->era != era_)) {
    const Range* range = Covering(key.bytes);
    if (range && (!node || range->era > node->era)) {
      return {Hit::State::kDeleted, {}, range->turn};
    }
  }
  if (!node) return {};
  return node->state == Node::kRow ? Hit{Hit::State::kRow, node->row(), node->turn}
                                   : Hit{Hit::State::kDeleted, {}, node->turn};
}

void Buffer::Put(const HashedKey& key, std::string_view row, model::Turn turn, size_t group) {
  // The row may be a part of the one it replaces.
  std::memmove(PutSpace(key, row.size(), turn, group), row.data(), row.size());
}

char* Buffer::PutSpace(const HashedKey& key, size_t row_size, model::Turn turn, size_t group) {
  Node* node = Upsert(key, row_size, turn, group);
  node->state = Node::kRow;
  return node->row_data();
}

void Buffer::Delete(const HashedKey& key, model::Turn turn, size_t group) {
  Upsert(key, 0, turn, group)->state = Node::kDeleted;
}

Buffer::Node* Buffer::Upsert(const HashedKey& key, size_t row_size, model::Turn turn,
                             size_t group) {
  if (taken_ * 8 >= table_.size() * 5) Grow();
  Slot* slot = Probe(key);
  Node* node = slot->ref ? At(slot->ref) : nullptr;
  if (node && !recount_ && Hidden(*node)) ++live_;
  if (!node) {
    ++live_;
    ++taken_;
    *slot = {key.hash, NewNode(key.bytes, row_size, row_size)};
    Link(slot->ref, group);
    node = At(slot->ref);
  } else if (row_size > node->capacity) {
    // Half as much again, so that a row that grows by small steps moves rarely.
    const uint32_t moved = NewNode(key.bytes, row_size, row_size + row_size / 2);
    node->state = Node::kMoved;
    slot->ref = moved;
    Link(moved, group);
    node = At(moved);
  }
  node->row_size = static_cast<uint32_t>(row_size);
  node->turn = turn;
  node->era = era_;
  written_in_era_ = true;
  return node;
}

uint32_t Buffer::NewNode(std::string_view key, size_t row_size, size_t capacity) {
  SLUICE_CHECK(key.size() < UINT32_MAX / 4 && row_size < UINT32_MAX / 2);
  const size_t size = RoundUp(sizeof(Node) + key.size() + capacity);
  const uint32_t ref = Allocate(size);
  Node* node = At(ref);
  node->key_size = static_cast<uint32_t>(key.size());
  node->capacity = static_cast<uint32_t>(size - sizeof(Node) - key.size());
  node->next = 0;
  std::memcpy(node->data(), key.data(), key.size());
  return ref;
}

uint32_t Buffer::Allocate(size_t size) {
  const bool own = size > kOwnChunkBytes;
  if (own || open_ == 0 || chunks_[open_].used + size > kChunkBytes) {
    SLUICE_CHECK(chunks_.size() < kChunksMax);
    if (!own && open_) used_ += kChunkBytes - chunks_[open_].used;
    if (!own) open_ = chunks_.size();
    const bool pooled = !own && pieces_;
    chunks_.push_back({pooled ? pieces_->Take() : Pieces::OfHeap(own ? size : kChunkBytes), 0});
  }
  const size_t at = own ? chunks_.size() - 1 : open_;
  const size_t offset = chunks_[at].used;
  chunks_[at].used += size;
  used_ += size;
  return static_cast<uint32_t>(at << kUnitBits | offset / kUnit);
}

void Buffer::Link(uint32_t ref, size_t group) {
  if (group == 0) return;
  Node* node = At(ref);
  uint32_t& newest = groups_[XXH3_64bits(node->data(), group)];
  node->next = newest;
  newest = ref;
}

void Buffer::Grow() {
  Table grown(std::max(table_.size() * 2, kSlotsFirst), pieces_.get());
  for (size_t i = 0; i < table_.size(); ++i) {
    const Slot& slot = table_[i];
    if (slot.ref == 0) continue;
    size_t at = grown.Home(slot.hash);
    while (grown[at].ref != 0) at = grown.After(at);
    grown[at] = slot;
  }
  table_ = std::move(grown);
}

void Buffer::ClearRange(std::string_view begin, std::string_view end, model::Turn turn) {
  if (begin >= end) return;
  if (written_in_era_ || cleared_.empty()) ++era_;
  written_in_era_ = false;
  recount_ = true;

  std::vector<Range> kept;
  kept.reserve(cleared_.size() + 2);
  Range added{std::string(begin), std::string(end), turn, era_};
  const auto joins = [&](const Range& r) { return r.era == era_ && r.turn == turn; };
  auto at = cleared_.begin();
  for (; at != cleared_.end() && at->begin < added.begin; ++at) {
    if (joins(*at) && at->end >= added.begin) {
      added.begin = at->begin;
      added.end = std::max(added.end, at->end);
    } else if (at->end > added.begin) {
      if (at->end > added.end) {
        Range tail = *at;
        tail.begin = added.end;
        at->end = added.begin;
        kept.push_back(std::move(*at));
        *at = std::move(tail);
        break;
      }
      at->end = added.begin;
      kept.push_back(std::move(*at));
    } else {
      kept.push_back(std::move(*at));
    }
  }
  for (; at != cleared_.end() && at->begin <= added.end; ++at) {
    if (joins(*at)) {
      added.end = std::max(added.end, at->end);
    } else if (at->end > added.end) {
      at->begin = added.end;
      break;
    }
  }
  kept.push_back(std::move(added));
  std::move(at, cleared_.end(), std::back_inserter(kept));
  cleared_ = std::move(kept);
  cleared_bytes_ = 0;
  for (const Range& r : cleared_) cleared_bytes_ += sizeof(r) + r.begin.size() + r.end.size();
}

// Every entry that is not hidden, in the order they lie in memory.
template <class Fn>
void Buffer::Walk(Fn&& fn) const {
  for (const Chunk& chunk : chunks_) {
    for (size_t at = 0; at < chunk.used;) {
      const Node* node = reinterpret_cast<const Node*>(chunk.bytes.get() + at);
      at += node->size();
      if (node->state == Node::kMoved || Hidden(*node)) continue;
      if (!fn(*node)) return;
    }
  }
}

void Buffer::ForEach(const Visit& visit) const {
  Walk([&](const Node& node) {
    return visit(node.key(), node.row(), node.state == Node::kDeleted, node.turn);
  });
}

void Buffer::ForEachOf(std::string_view group, const Visit& visit) const {
  const auto found = groups_.find(XXH3_64bits(group.data(), group.size()));
  for (uint32_t ref = found == groups_.end() ? 0 : found->second; ref != 0;) {
    const Node& node = *At(ref);
    ref = node.next;
    if (node.state == Node::kMoved || !node.key().starts_with(group) || Hidden(node)) continue;
    if (!visit(node.key(), node.row(), node.state == Node::kDeleted, node.turn)) return;
  }
}

std::string_view Buffer::KeyAt(Place place) {
  return place->key();
}

Buffer::Hit Buffer::Read(Place place) const {
  if (place->state == Node::kMoved || Hidden(*place)) return {};
  return place->state == Node::kRow ? Hit{Hit::State::kRow, place->row(), place->turn}
                                    : Hit{Hit::State::kDeleted, {}, place->turn};
}

bool Buffer::ReadOn(Mark& mark, std::vector<Place>* places) const {
  mark.read.resize(chunks_.size());
  for (size_t i = 0; i < chunks_.size(); ++i) {
    const Chunk& chunk = chunks_[i];
    size_t& at = mark.read[i];
    if (at == chunk.used) continue;
    while (at < chunk.used) {
      const Node* node = reinterpret_cast<const Node*>(chunk.bytes.get() + at);
      at += node->size();
      places->push_back(node);
    }
    return true;
  }
  return false;
}

size_t Buffer::bytes() const {
  const size_t groups = groups_.bucket_count() * sizeof(std::pair<uint64_t, uint32_t>);
  return used_ + table_.size() * sizeof(Slot) + groups + cleared_bytes_;
}

size_t Buffer::entries() const {
  if (recount_) {
    live_ = 0;
    Walk([&](const Node&) { return ++live_; });
    recount_ = false;
  }
  return live_;
}

}  // namespace sluice::store
