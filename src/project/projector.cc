#include "project/projector.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log_line.h"
#include "base/number.h"
#include "project/change.h"

namespace sluice::project {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

// At a rate, rows come in pieces of kRatePieces a second, and not all at once.
Pace Even(Pace pace) {
  if (pace.rate != 0) {
    pace.rows_max = std::clamp<uint64_t>(pace.rate / kRatePieces, 1, pace.rows_max);
  }
  return pace;
}

}  // namespace

Projector::Projector(std::string name, Source source, Sink& sink, env::Clock& clock, Pace pace,
                     bool adds)
    : name_(std::move(name)),
      source_(std::move(source)),
      sink_(sink),
      clock_(clock),
      pace_(Even(pace)),
      adds_(adds),
      tail_(source_),
      goal_(std::max(std::min(pace_.rows_max, kBatchRowsLeast), pace_.rows_max / 4)),
      began_(source_.held.value) {}

uint64_t Projector::Step() {
  const uint64_t now_us = clock_.MonotonicUs();
  TakeOrders();
  const uint64_t next = Work(now_us);
  Publish(clock_.MonotonicUs());
  return next;
}

void Projector::TakeOrders() {
  std::string give_up;
  {
    const std::lock_guard lock(mutex_);
    give_up = std::exchange(give_up_, {});
  }
  if (!give_up.empty()) Break(give_up, true);
  if (rebuild_.exchange(false)) {
    anew_ = true;
    broken_ = open_ = false;
    done_ = 0;
    began_ = source_.log.next().value - 1;
    lost_ = false;
    retry_at_us_ = 0;
    DropBatch();
  }
  if (resume_.exchange(false) && broken_ && !lost_) {
    broken_ = open_ = false;
    retry_at_us_ = 0;
  }
}

uint64_t Projector::Work(uint64_t now_us) {
  const std::string_view hindrance = Hindrance();
  const bool stuck = paused_ && pending_ && !pending_->order;
  if (!hindrance.empty()) {
    RefuseOrder(hindrance);
  } else if (stuck) {
    RefuseOrder("the projection was paused with a batch on its way; resume it first");
  }
  // Paused, it may be behind for ever.
  if (paused_) {
    EndVerify(Fail(Code::kUnavailable, "the projection is paused; resume it first"));
  } else if (broken_ || orders_end_ || seeding_ || (!open_ && verifier_ == nullptr)) {
    EndVerify(Fail(Code::kUnavailable, std::string(hindrance)));
  }
  if (broken_) return now_us + kIdleUs;
  if (!open_ && now_us < retry_at_us_) return std::min(retry_at_us_, now_us + kIdleUs);
  if (!open_) return OpenSink(now_us);
  if (seeding_) {
    if (paused_) return now_us + kIdleUs;
    if (const Status seeded = Seed(); !seeded.ok()) return BreakOrRetry(now_us, seeded.error());
    return now_us + (seeder_->why().empty() ? kSeedPollUs : kSeedBusyUs);
  }
  EndSeed();
  verify_now_ = !verify_now_;
  if (verify_now_ && !pending_) VerifySome();
  if (!pending_ && !TakeOrder()) {
    if (copier_ == nullptr) return Gather(now_us);
    if (paused_) return now_us + kIdleUs;
    if (const Status copied = Copy(); !copied.ok()) return BreakOrRetry(now_us, copied.error());
    if (!pending_) return now_us;
  }
  if (paused_ && !pending_->order) return now_us + kIdleUs;
  return now_us < write_from_us_ ? write_from_us_ : Deliver(now_us);
}

// --- The sink's place. ---

Position Projector::WholePosition() const {
  Position position;
  for (const auto& [lineage, seq] : at_) position.push_back({model::Lineage(lineage), seq});
  return position;
}

uint64_t Projector::OpenSink(uint64_t now_us) {
  const Result<Position> opened = sink_.Open(source_.log.term().value);
  if (!opened.has_value()) return BreakOrRetry(now_us, opened.error());
  auto dead = sink_.Dead();
  if (!dead.has_value()) return BreakOrRetry(now_us, dead.error());
  dead_.clear();
  dead_bytes_ = 0;
  next_dead_ = 1;
  Batch kept;
  kept.dead = *std::move(dead);
  KeepLetters(kept);
  std::map<uint64_t, model::ShardSeq> found;
  for (const Place& place : *opened) found[place.lineage.value] = place.seq;
  if (pending_ && !anew_) {
    auto written = at_;
    for (const Place& place : pending_->batch.to) written[place.lineage.value] = place.seq;
    if (found == written && !pending_->batch.to.empty()) {
      open_ = true;
      Delivered(now_us, 0);
      return now_us;
    }
    if (found == at_) {
      open_ = true;
      return now_us;
    }
  }
  DropBatch();
  at_ = std::move(found);
  if (const Status status = GoOn(*opened); !status.ok()) {
    return BreakOrRetry(now_us, status.error());
  }
  open_ = true;
  retry_us_ = 0;
  return now_us;
}

Status Projector::GoOn(const Position& position) {
  seeding_ = sink_.wants_seed() && source_.seed != nullptr && !(seeder_ && seeder_->done());
  if (seeding_) {
    let_go_ = false;
    source_.seed->Hold();
    if (!seeder_) seeder_ = std::make_unique<Seeder>(source_, *source_.seed);
    return Ok();
  }
  const auto step = at_.find(kSteps);
  const bool copying = step != at_.end() && step->second.value % 2 == 1;
  // Until the place is found, the log keeps all.
  began_ = std::max(began_.load(), done_.load());
  if (anew_ || at_.empty()) return BeginCopy(anew_);
  SLUICE_TRY(CheckIsOurs(position));
  done_ = 0;
  copying_ = copying;
  if (copying) {
    SLUICE_ASSIGN(copier_, Copier::Begin(source_));
    return Ok();
  }
  copier_.reset();
  SLUICE_TRY(tail_.Begin(position));
  done_ = tail_.lsn().value;
  return Ok();
}

// Places of another node's log: rows that this one's state knows nothing of.
Status Projector::CheckIsOurs(const Position& position) const {
  const std::shared_ptr<const SourceShards> shards = source_.shards();
  for (const Place& place : position) {
    const bool ours = place.lineage == model::Lineage(kSteps) ||
                      std::any_of(shards->begin(), shards->end(), [&](const SourceShard& shard) {
                        return shard.lineage == place.lineage;
                      });
    if (ours) continue;
    return Fail(Code::kCorrupt,
                "the sink has places of another log: it is another node's sink, or this node's "
                "data directory is a new one. If nobody else writes there, rebuild the projection");
  }
  return Ok();
}

// The batch is the next step: odd while the state is copied.
void Projector::StampStep(Batch& batch, bool copying) {
  const auto now = at_.find(kSteps);
  const uint64_t step = now == at_.end() ? 0 : now->second.value;
  const bool odd_comes = step % 2 == 0;
  if (step != 0 && !batch.anew) batch.from.push_back({model::Lineage(kSteps), now->second});
  batch.to.push_back(
      {model::Lineage(kSteps), model::ShardSeq(step + (odd_comes == copying ? 1 : 2))});
}

// --- Batches. ---

uint64_t Projector::Gather(uint64_t now_us) {
  const Result<bool> more = tail_.Fill(goal_, kBatchBytesMax);
  if (!more.has_value()) return BreakOrRetry(now_us, more.error());
  if (tail_.empty()) {
    done_ = tail_.lsn().value;
    return *more ? now_us : Look(now_us);
  }
  if (gathers_since_us_ == 0) gathers_since_us_ = now_us;
  const uint64_t due = tail_.Full(goal_, kBatchBytesMax) ? 0 : gathers_since_us_ + pace_.every_us;
  if (now_us < due) return *more ? now_us : std::min(due, now_us + kPollUs);
  if (paused_) return now_us + kIdleUs;
  if (now_us < write_from_us_) return write_from_us_;
  gathers_since_us_ = 0;
  Pending pending;
  pending.first_ms = tail_.first_ms();
  pending.lsn = tail_.lsn();
  pending.batch = tail_.Take();
  pending_ = std::move(pending);
  MergeLetters();
  return Deliver(now_us);
}

// There is nothing to write. Is the sink still there, and where it was left?
uint64_t Projector::Look(uint64_t now_us) {
  if (now_us < look_at_us_) return now_us + kPollUs;
  look_at_us_ = now_us + kLookUs;
  const Result<Position> found = sink_.Look();
  if (!found.has_value()) return BreakOrRetry(now_us, found.error());
  if (*found == WholePosition()) return now_us + kPollUs;
  return Retry(now_us, {Code::kConflict, "the sink is not where it was left"});
}

// Later changes of a key with a letter go on top of it.
void Projector::MergeLetters() {
  if (dead_.empty()) return;
  Batch& batch = pending_->batch;
  std::erase_if(batch.changes, [&](Change& change) {
    const auto found = dead_.find(change.key);
    if (found == dead_.end()) return false;
    DeadLetter letter = found->second;
    const bool soon = clock_.WallMs() < letter.at_ms + kRetryDeadMs;
    MergeChange(letter.change, std::move(change));
    if (soon) {
      batch.dead.push_back(std::move(letter));
      return true;
    }
    batch.revived.push_back(letter.id);
    change = std::move(letter.change);
    return false;
  });
}

uint64_t Projector::Deliver(uint64_t now_us) {
  for (;;) {
    const Status written = sink_.Write(pending_->batch);
    const uint64_t took_us = clock_.MonotonicUs() - now_us;
    if (written.ok()) {
      Delivered(now_us, took_us);
      return now_us + took_us;
    }
    if (written.error().code != Code::kInvalid) return BreakOrRetry(now_us, written.error());
    meters_.errors.Add();
    why_ = written.error().message;
    const size_t before = pending_->batch.changes.size();
    if (const Status status = SetAside(); !status.ok()) {
      return BreakOrRetry(now_us, status.error());
    }
    // Nothing in it is to blame: opening the sink anew says whether it still fits.
    if (pending_->batch.changes.size() == before) return Retry(now_us, written.error());
  }
}

// Takes what is refused out of the batch and makes letters of it.
Status Projector::SetAside() {
  SLUICE_ASSIGN(std::vector<DeadLetter> refused, sink_.FindRefused(pending_->batch));
  Batch& batch = pending_->batch;
  for (DeadLetter& letter : refused) {
    const auto found = std::find_if(batch.changes.begin(), batch.changes.end(),
                                    [&](const auto& c) { return c.key == letter.change.key; });
    if (found == batch.changes.end()) continue;
    letter.change = std::move(*found);
    batch.changes.erase(found);
    const auto known = dead_.find(letter.change.key);
    letter.id = known != dead_.end() ? known->second.id : next_dead_++;
    std::erase(batch.revived, letter.id);
    letter.at_ms = clock_.WallMs();
    LogWarning("project", "a change was refused and set aside",
               {{"projection", name_}, {"letter", letter.id}, {"reason", letter.reason}});
    batch.dead.push_back(std::move(letter));
  }
  if (dead_.size() + batch.dead.size() > kDeadMost || dead_bytes_ > kDeadBytesMax) {
    return Fail(Code::kInvalid, fmt::format("{} changes were refused, and no more are kept: {}",
                                            dead_.size(), why_));
  }
  return Ok();
}

void Projector::Delivered(uint64_t now_us, uint64_t took_us) {
  const Batch& batch = pending_->batch;
  if (batch.anew) at_.clear(), dead_.clear(), dead_bytes_ = 0;
  for (const Place& place : batch.to) at_[place.lineage.value] = place.seq;
  const bool copying = at_[kSteps].value % 2 == 1;
  done_ = pending_->lsn.value;
  KeepLetters(batch);
  if (verifier_) {
    if (const Status kept = verifier_->Written(batch.changes); !kept.ok()) {
      EndVerify(Fail(kept.error()));
    }
  }
  const uint64_t rows = batch.changes.size();
  meters_.batches.Add();
  meters_.rows.Add(rows);
  for (const Change& change : batch.changes) meters_.writes.Add(change.writes);
  meters_.batch_rows.Record(rows);
  meters_.seconds.Record(took_us);
  window_rows_ += rows;
  Adapt(rows, took_us);
  if (pace_.rate != 0) write_from_us_ = now_us + rows * kSecondUs / pace_.rate;
  retry_us_ = 0;
  look_at_us_ = now_us + kLookUs;
  anew_ = false;
  why_.clear();
  Pending sent = std::move(*pending_);
  pending_.reset();
  if (sent.order) {
    Finish(sent.order, sent.letters - std::min<uint64_t>(sent.letters, sent.batch.dead.size()));
  }
  if (copier_ == nullptr || copying) return;
  // The state is there; the log has the rest.
  LogInfo("project", "the state was copied", {{"projection", name_}, {"keys", copier_->copied()}});
  const model::Lsn from = done() == model::Lsn() ? model::Lsn() : done().Next();
  copier_.reset();
  copying_ = false;
  if (const Status begun = tail_.Begin(WholePosition(), from); !begun.ok()) {
    BreakOrRetry(now_us, begun.error());
  }
}

void Projector::KeepLetters(const Batch& batch) {
  for (const uint64_t id : batch.revived) {
    for (auto at = dead_.begin(); at != dead_.end(); ++at) {
      if (at->second.id != id) continue;
      dead_bytes_ -= BytesOf(at->second.change);
      dead_.erase(at);
      break;
    }
  }
  for (const DeadLetter& letter : batch.dead) {
    const auto [at, is_new] = dead_.try_emplace(letter.change.key);
    if (!is_new) dead_bytes_ -= BytesOf(at->second.change);
    at->second = letter;
    dead_bytes_ += BytesOf(letter.change);
    next_dead_ = std::max(next_dead_, letter.id + 1);
  }
  if (batch.revived.empty() && batch.dead.empty() && !letters_.empty() == !dead_.empty()) return;
  std::vector<DeadLetter> letters;
  for (const auto& [key, letter] : dead_) letters.push_back(letter);
  std::sort(letters.begin(), letters.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  const std::lock_guard lock(mutex_);
  letters_ = std::move(letters);
}

// Larger batches cost less a row, until the sink takes too long for one.
void Projector::Adapt(uint64_t rows, uint64_t took_us) {
  if (took_us > kLatencyMostUs) {
    goal_ = std::max(std::min(kBatchRowsLeast, pace_.rows_max), goal_ / 2);
  } else if (took_us != 0 && took_us < kLatencyGoalUs && rows >= goal_) {
    goal_ = std::min(pace_.rows_max, goal_ * 2);
  }
}

// --- Failures. ---

void Projector::DropBatch() {
  if (pending_ && pending_->order) {
    Finish(pending_->order, Fail(Code::kUnavailable, "the sink was opened anew; ask again"));
  }
  EndVerify(Fail(Code::kUnavailable, "the sink was opened anew; ask again"));
  pending_.reset();
  copier_.reset();
  gathers_since_us_ = 0;
}

uint64_t Projector::Retry(uint64_t now_us, const Error& error) {
  meters_.errors.Add();
  open_ = false;
  if (pending_ && pending_->order) {
    Finish(pending_->order, Fail(Code::kUnavailable,
                                 "the sink went away meanwhile; it is tried again, and SLUICE DEAD "
                                 "tells what is left"));
  }
  retry_us_ = std::clamp(retry_us_ * 2, kRetryLeastUs, kRetryMostUs);
  retry_at_us_ = now_us + retry_us_;
  if (why_ != error.message) {
    LogWarning("project", "the sink does not take a batch; it is tried again",
               {{"projection", name_}, {"error", error.message}});
  }
  why_ = error.message;
  return std::min(retry_at_us_, now_us + kIdleUs);  // reports stay fresh
}

void Projector::Break(const std::string& why, bool lost) {
  LogError("project", "a projection is BROKEN", {{"projection", name_}, {"error", why}});
  DropBatch();
  why_ = why;
  broken_ = true;
  open_ = false;
  if (lost) lost_ = true;
}

uint64_t Projector::BreakOrRetry(uint64_t now_us, const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
    case Code::kFenced:
    case Code::kCorrupt:
      Break(error.message, false);
      return now_us + kIdleUs;
    case Code::kNotFound:
      Break(error.message, true);
      return now_us + kIdleUs;
    default:
      return Retry(now_us, error);
  }
}

}  // namespace sluice::project
