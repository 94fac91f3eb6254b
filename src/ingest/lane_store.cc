// What a lane hands to the store, and when it takes no more.
#include "base/check.h"
#include "ingest/lane.h"

namespace sluice::ingest {

namespace {

// While the disk is low, what deletes goes to the store each second: only there it makes room.
constexpr uint64_t kTidyTicks = 10;

constexpr admit::Refusal kLogFull = {.text = admit::kLogDiskFull, .reason = {}};
constexpr admit::Refusal kStoreFull = {.text = admit::kStoreDiskFull, .reason = {}};
constexpr admit::Refusal kDiskLow = {
    .text = admit::kDiskNearlyFull, .reason = {}, .only_growth = true};
constexpr admit::Refusal kProjectionsFull = {.text = {}, .reason = "projection", .retry_ms = 1000};
constexpr admit::Refusal kLogStuck = {.text = {}, .reason = "log", .retry_ms = 1000};
constexpr admit::Refusal kStoreRefuses = {.text = {}, .reason = "store", .retry_ms = 1000};

}  // namespace

// One buffer that fills and one on its way to the store are as it should be; a full one behind two
// is the bound (Crowded).
double Lane::BuffersPressure() const {
  return static_cast<double>(shards_.state().frozen()) + shards_.BufferFill(log_bytes_) - 1;
}

// Its buffers are full, and wait to reach the store.
bool Lane::StoreBehind() const {
  const size_t frozen = shards_.state().frozen();
  return (frozen > 1 && shards_.WantsFreeze(log_bytes_)) || (frozen > 0 && shards_.Overfull());
}

admit::Refusal Lane::WhyNoWrites() const {
  if (node_.committer->no_space()) return kLogFull;
  if (node_.projections_full.load(std::memory_order_relaxed)) return kProjectionsFull;
  if (node_.log_stuck.load(std::memory_order_relaxed)) return kLogStuck;
  if (StoreBehind()) {
    const std::optional<Code> trouble = node_.background.StoreTrouble();
    if (trouble) return *trouble == Code::kNoSpace ? kStoreFull : kStoreRefuses;
  }
  return node_.disk_low.load(std::memory_order_relaxed) ? kDiskLow : admit::Refusal();
}

bool Lane::Crowded() {
  const bool log = node_.committer->full() && !shards_.refuses_all();
  const bool store = StoreBehind() && !shards_.refuses_all();
  const bool lane = node_.fabric.Crowded(id_) || node_.lanes_full.load() > 0 ||
                    node_.resting.load(std::memory_order_relaxed);
  if (log) meters_.crowded[Behind::kLog].Add();
  if (store) meters_.crowded[Behind::kStore].Add();
  if (lane) meters_.crowded[Behind::kLane].Add();
  return log || store || lane;
}

bool Lane::Strained() const {
  return shards_.refuses_all() || node_.committer->full() || StoreBehind() || TurnFull();
}

void Lane::PublishFull() {
  const bool full = TurnFull() || !deferred_.empty();
  if (full == full_) return;
  full_ = full;
  node_.lanes_full += full ? 1 : -1;
}

void Lane::Tidy() {
  if (++low_ticks_ % kTidyTicks == 0) tidies_ = true;
}

void Lane::MaybeFreeze() {
  wants_freeze_ = shards_.WantsFreeze(log_bytes_) || !store_soon_.empty() ||
                  (tidies_ && shards_.state().active().bytes() > 0);
  if (position_holds_ > 0) return;
  for (Task& task : after_freeze_) Later(std::move(task));
  after_freeze_.clear();
  // What a failed log did not take must not be stored.
  if (!wants_freeze_ || node_.committer->failed()) return;
  if (shards_.state().frozen() > 1) return;  // sockets rest meanwhile (Crowded)
  FreezeNow();
}

void Lane::FreezeNow() {
  tidies_ = false;
  const model::Lsn last = node_.committer->appended();
  store::Run run = Freeze(last);
  node_.background.Store(id_, run, last,
                         [run, last, soon = std::exchange(store_soon_, {})](Lane& lane) {
                           lane.shards_.state().Flushed(run);
                           ++lane.flushes_;
                           lane.stored_lsn_.store(last.value, std::memory_order_release);
                           lane.EndLoans(run.buffer);
                           for (const Task& task : soon) task(lane);
                         });
}

bool Lane::Quiet() const {
  for (const auto& packet : out_) {
    if (!packet->empty()) return false;
  }
  return in_.empty() && later_.empty() && fetching_.empty() && deferred_.empty() &&
         after_turn_.empty() && ready_.empty() && after_freeze_.empty() && own_.empty() &&
         parking_.size() == 0 && position_holds_ == 0 && shards_.batch().empty();
}

// What it borrows itself it would have to lend on, and then to tell everybody in turn.
bool Lane::CanLend() const {
  return shards_.state().frozen() <= 1 && !shards_.state().borrows();
}

void Lane::Lend(const std::vector<model::LaneId>& to) {
  const model::Lsn last = node_.committer->appended();
  FreezeNow();
  const store::State::Buffers buffers = shards_.state().Lend();
  for (const model::LaneId lane : to) {
    node_.lanes[lane.value]->shards_.Borrow(buffers, last);
    for (const auto& buffer : buffers) loans_.push_back({buffer, lane});
  }
  node_.loans += to.size() * buffers.size();
}

void Lane::EndLoans(const std::shared_ptr<const store::Buffer>& buffer) {
  std::erase_if(loans_, [&](const Loan& loan) {
    if (loan.buffer != buffer) return false;
    Call(loan.to, [buffer](Lane& there) {
      there.shards_.state().GiveBack(buffer.get());
      ++there.flushes_;
    });
    --node_.loans;
    return true;
  });
}

// Requires: no record of this lane's shards up to `last` is still to be applied here.
store::Run Lane::Freeze(model::Lsn last) {
  std::vector<store::Position> positions;
  const auto& shards = node_.router->map().shards();
  const auto add = [&](model::Lineage lineage) {
    const model::ShardSeq next = node_.committer->next_seq(lineage);
    positions.push_back({lineage, model::ShardSeq(next.value - 1), last});
  };
  for (size_t i = 0; i < shards.size(); ++i) {
    if (Owns(i)) add(shards[i].lineage);
  }
  // Of one that retired, its successors' rows are in the buffers that its own were in.
  const model::ShardMap& map = node_.router->map();
  for (const model::RetiredShard& was : map.retired()) {
    if (Owns(map.Find(was.keyspace, was.begin))) add(was.lineage);
  }
  return shards_.Freeze(std::move(positions), log_bytes_);
}

std::optional<store::Run> Lane::FreezeAll() {
  if (position_holds_ > 0 || shards_.state().frozen() > 0) return std::nullopt;
  // What it borrows may not reach the store any more, and has to be there before.
  if (shards_.state().borrows()) return std::nullopt;
  if (!shards_.batch().empty()) return std::nullopt;
  return Freeze(node_.committer->durable());
}

}  // namespace sluice::ingest
