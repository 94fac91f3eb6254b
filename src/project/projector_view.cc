// What others ask of a projection, and see of it.
#include <algorithm>
#include <utility>

#include "project/projector.h"

namespace sluice::project {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kWindowUs = 10 * kSecondUs;  // for rows a second

}  // namespace

std::string_view StateName(State state) {
  switch (state) {
    case State::kWaiting:
      return "waiting for the sink";
    case State::kCopying:
      return "copying";
    case State::kRunning:
      return "running";
    case State::kPaused:
      return "paused";
    case State::kBroken:
      return "BROKEN";
    case State::kSeeding:
      return "seeding";
  }
  return "?";
}

void Projector::Resume() {
  paused_ = false;
  resume_ = true;
}

void Projector::Rebuild() {
  rebuild_ = true;
}

void Projector::GiveUp(const std::string& why) {
  lost_ = true;
  const std::lock_guard lock(mutex_);
  give_up_ = why;
}

Status Projector::Replay(std::vector<uint64_t> ids, Then then) {
  const std::lock_guard lock(mutex_);
  if (order_) return Fail(Code::kUnavailable, "another order waits for this projection");
  order_ = Order{true, std::move(ids), std::move(then)};
  return Ok();
}

Status Projector::Purge(std::vector<uint64_t> ids, Then then) {
  const std::lock_guard lock(mutex_);
  if (order_) return Fail(Code::kUnavailable, "another order waits for this projection");
  order_ = Order{false, std::move(ids), std::move(then)};
  return Ok();
}

void Projector::Finish(std::optional<Order>& order, const Result<uint64_t>& result) {
  if (order && order->then) order->then(result);
  order.reset();
}

// Why neither an order nor a comparison can be done now; empty: nothing is in the way.
std::string_view Projector::Hindrance() const {
  if (orders_end_) return "the node stops";
  if (broken_) return "the projection is BROKEN";
  if (seeding_) return "the sink's rows are being read into the state; ask again behind it";
  if (copier_ != nullptr) return "the state is being copied to the sink; ask again behind it";
  if (!open_) return "the projection waits for its sink; ask again";
  return {};
}

// An order never waits for the sink: who gave it is told to ask again.
void Projector::RefuseOrder(std::string_view why) {
  std::optional<Order> order;
  {
    const std::lock_guard lock(mutex_);
    order = std::exchange(order_, {});
  }
  Finish(order, Fail(Code::kUnavailable, std::string(why)));
}

Status Projector::Verify(ThenVerdict then) {
  const std::lock_guard lock(mutex_);
  if (verify_) return Fail(Code::kUnavailable, "a comparison is under way");
  verify_ = std::move(then);
  return Ok();
}

void Projector::EndVerify(const Result<Verdict>& verdict) {
  verifier_.reset();
  ThenVerdict then;
  {
    const std::lock_guard lock(mutex_);
    then = std::exchange(verify_, nullptr);
  }
  if (then) then(verdict);
}

// A range of keys, if somebody waits for a verdict.
void Projector::VerifySome() {
  if (copier_ != nullptr) return;
  if (verifier_ == nullptr) {
    {
      const std::lock_guard lock(mutex_);
      if (!verify_) return;
    }
    auto begun = Verifier::Begin(source_);
    if (!begun.has_value()) return EndVerify(Fail(begun.error()));
    verifier_ = *std::move(begun);
  }
  const auto has_letter = [this](const std::string& key) { return dead_.contains(key); };
  const Result<bool> ended = verifier_->Step(sink_, WholePosition(), done(), has_letter);
  if (!ended.has_value()) return EndVerify(Fail(ended.error()));
  if (*ended) EndVerify(verifier_->verdict());
}

// Makes a batch of the order that waits. A step of its own tells whether it was written.
bool Projector::TakeOrder() {
  if (copier_ != nullptr) return false;
  std::optional<Order> order;
  {
    const std::lock_guard lock(mutex_);
    order = std::exchange(order_, {});
  }
  if (!order) return false;
  Pending pending;
  for (const auto& [key, letter] : dead_) {
    const bool named =
        std::find(order->ids.begin(), order->ids.end(), letter.id) != order->ids.end();
    if (!named && !order->ids.empty()) continue;
    pending.batch.revived.push_back(letter.id);
    if (order->replay) pending.batch.changes.push_back(letter.change);
  }
  pending.letters = pending.batch.revived.size();
  if (pending.letters == 0) {
    Finish(order, uint64_t{0});
    return false;
  }
  std::sort(pending.batch.changes.begin(), pending.batch.changes.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  // Letters are what the sink lacks at this place, and at no other.
  for (const auto& [lineage, seq] : at_) {
    if (lineage == kSteps) continue;
    pending.batch.from.push_back({model::Lineage(lineage), seq});
    pending.batch.to.push_back({model::Lineage(lineage), seq});
  }
  StampStep(pending.batch, false);
  pending.lsn = done();
  pending.order = std::move(order);
  pending_ = std::move(pending);
  return true;
}

// How far behind it is, if that can be told.
void Projector::FillLag(Report& report) const {
  if (broken_ || seeding_ || copier_ != nullptr) return;
  uint64_t first_ms = pending_ ? pending_->first_ms : 0;
  if (first_ms == 0 && !tail_.empty()) first_ms = tail_.first_ms();
  const uint64_t wall_ms = clock_.WallMs();
  if (first_ms != 0) {
    report.lag_ms = wall_ms > first_ms ? wall_ms - first_ms : 0;
    report.lag_bytes = source_.log.bytes_after(done());
  } else if (open_ && tail_.at_end() && done().Next() >= source_.log.next()) {
    report.lag_ms = report.lag_bytes = 0;
  } else if (open_ || done() != model::Lsn()) {
    // Still looking for the place, or it went away while nothing was under way, or more has come:
    // how much is a guess, and never none.
    const uint64_t bytes = source_.log.bytes_after(done());
    if (bytes > 0) report.lag_bytes = bytes;
  }
}

void Projector::Publish(uint64_t now_us) {
  if (now_us - window_began_us_ >= kWindowUs) {
    rows_per_second_ = window_rows_ * kSecondUs / (now_us - window_began_us_);
    window_began_us_ = now_us;
    window_rows_ = 0;
  }
  Report report;
  report.why = why_;
  report.state = broken_              ? State::kBroken
                 : paused_            ? State::kPaused
                 : !open_             ? State::kWaiting
                 : seeding_           ? State::kSeeding
                 : copier_ != nullptr ? State::kCopying
                                      : State::kRunning;
  FillLag(report);
  report.rows = meters_.rows.value();
  report.batches = meters_.batches.value();
  report.errors = meters_.errors.value();
  report.rows_per_second = rows_per_second_;
  report.batch_rows = goal_;
  report.copied = copier_ ? copier_->copied() : 0;
  report.seeded = seeder_ ? seeder_->rows() : 0;
  report.dead = dead_.size();
  report.position = WholePosition();
  if (open_) report.notes = sink_.report().notes;
  const std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

Report Projector::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

std::vector<DeadLetter> Projector::dead() const {
  const std::lock_guard lock(mutex_);
  return letters_;
}

}  // namespace sluice::project
