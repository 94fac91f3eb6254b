#include "server/connections.h"

#include <algorithm>
#include <utility>

namespace sluice::server {

uint64_t Connections::Open(std::string peer, std::string local) {
  if (unused_.empty()) {
    unused_.push_back(places_.size());
    places_.emplace_back();
  }
  const size_t at = unused_.back();
  unused_.pop_back();
  Place& place = places_[at];
  const uint64_t id = ++place.generation << kPlaceBits | at;
  place.session = std::make_unique<Session>(context_, lane_, meters_, counts_, id, std::move(peer),
                                            std::move(local));
  place.touched = place.waits = place.ready = place.timed = place.released = false;
  ++open_;
  meters_.opened.Add();
  meters_.connections.Set(static_cast<int64_t>(open_));
  return id;
}

void Connections::Close(uint64_t id) {
  Place* place = PlaceOf(id);
  if (place == nullptr) return;
  place->session.reset();
  unused_.push_back(id & kPlaceMask);
  --open_;
  meters_.connections.Set(static_cast<int64_t>(open_));
}

Connections::Place* Connections::PlaceOf(uint64_t id) {
  const uint64_t at = id & kPlaceMask;
  if (at >= places_.size()) return nullptr;
  Place& place = places_[at];
  if (!place.session || place.generation != id >> kPlaceBits) return nullptr;
  return &place;
}

Session* Connections::Find(uint64_t id) {
  Place* place = PlaceOf(id);
  return place == nullptr ? nullptr : place->session.get();
}

void Connections::Touch(uint64_t id, Place& place) {
  if (!place.touched) {
    place.touched = true;
    touched_.push_back(id);
  }
  place.released = false;
  place.session->CountMemory();
  MayResume(id, place);
}

void Connections::Touch(uint64_t id) {
  if (Place* place = PlaceOf(id)) Touch(id, *place);
}

void Connections::MayResume(uint64_t id, Place& place) {
  if (place.waits) return;
  if (!place.session->WantsTurn()) {
    if (place.ready && place.session->WantsInput()) StandInLine(id, place);
    return;
  }
  const Admission& admission = place.session->admission();
  if (!admission.waits()) return StandInLine(id, place);
  place.waits = true;
  const size_t at = static_cast<size_t>(admission.waits_as());
  asides_[at + (admission.forever() ? admit::kPriorities : 0)].push_back(id);
  ++aside_;
  meters_.waiting[admission.waits_as()].Add(1);
}

void Connections::StandInLine(uint64_t id, Place& place) {
  if (place.waits) return;
  place.waits = true;
  place.since_us = turn_began_us_;
  lines_[static_cast<size_t>(place.session->served())].push_back(id);
  ++in_line_;
}

void Connections::Ready(uint64_t id) {
  Place* place = PlaceOf(id);
  if (place == nullptr) return;
  place->ready = true;
  StandInLine(id, *place);
}

void Connections::BeginTurn() {
  turn_began_us_ = context_.clock.MonotonicUs();
  if (lane_.id() == model::LaneId()) context_.overload.Step(turn_began_us_);
  if (aside_ > 0) CallBack(turn_began_us_);
}

// Those for whom there are units now, and some of those whose patience has ended.
void Connections::CallBack(uint64_t now_us) {
  size_t impatient = ingest::kRefusalsPerTurn;
  for (size_t i = 0; i < asides_.size(); ++i) {
    Line& aside = asides_[i];
    const auto priority = static_cast<model::Priority>(i % admit::kPriorities);
    // No more than will find some.
    uint64_t left = context_.node.budget.Left(priority);
    while (!aside.empty()) {
      Place* place = PlaceOf(aside.front());
      if (place != nullptr && left == 0) {
        const Admission& admission = place->session->admission();
        if (admission.waits() && (admission.until_us() > now_us || impatient == 0)) break;
        if (admission.waits()) --impatient;
      } else if (place != nullptr) {
        --left;
      }
      const uint64_t id = aside.front();
      aside.pop_front();
      --aside_;
      meters_.waiting[priority].Add(-1);
      if (place == nullptr) continue;
      place->waits = false;
      StandInLine(id, *place);
    }
  }
}

void Connections::Feed(uint64_t id, std::string_view bytes) {
  Place* place = PlaceOf(id);
  if (place == nullptr) return;
  meters_.read_bytes.Add(bytes.size());
  place->session->Feed(bytes);
  Touch(id, *place);
}

void Connections::EndInput(uint64_t id) {
  Place* place = PlaceOf(id);
  if (place == nullptr) return;
  place->session->EndInput();
  Touch(id, *place);
}

void Connections::Serve(const Hooks& hooks) {
  if (in_line_ == 0) return;
  const uint64_t turn_us = critical() ? kTurnUsCritical : kTurnUs;
  piece_us_ = std::max(turn_us / in_line_, kPieceUsLeast);
  read_bytes_ = std::clamp(kTurnReadBytes / in_line_, kReadBytesLeast, kReadBytesMax);
  now_us_ = turn_began_us_;
  for (Line& line : lines_) ServeLine(line, turn_began_us_ + turn_us, hooks);
}

void Connections::ServeLate(const Hooks& hooks) {
  ServeLine(lines_[static_cast<size_t>(model::Priority::kCritical)], now_us_ + kLateUs, hooks);
}

void Connections::ServeLine(Line& line, uint64_t until_us, const Hooks& hooks) {
  // Who comes back into the line meanwhile is served in the next turn.
  for (size_t left = line.size(); left > 0; --left) {
    const uint64_t id = line.front();
    line.pop_front();
    --in_line_;
    Place* place = PlaceOf(id);
    if (place == nullptr) continue;
    place->waits = false;
    now_us_ = std::max(now_us_, ServeOne(*place, id, hooks));
    hooks.between();
    if (now_us_ >= until_us) break;
  }
}

// When its piece was over.
uint64_t Connections::ServeOne(Place& place, uint64_t id, const Hooks& hooks) {
  const model::Priority served = place.session->served();
  const uint64_t waited_us = turn_began_us_ - place.since_us;
  meters_.waits[served].Record(waited_us);
  if (served == model::Priority::kCritical) critical_us_ = turn_began_us_;
  if (served <= model::Priority::kNormal && waited_us > longest_wait_us_) {
    longest_wait_us_.store(waited_us, std::memory_order_relaxed);
  }
  place.session->LimitTurn(piece_us_);
  bool more = false;
  if (place.session->WantsTurn()) {
    place.session->Resume();
  } else if (place.ready && place.session->WantsInput()) {
    place.ready = false;
    more = hooks.read(id, read_bytes_);
  }
  // Reading may have closed it.
  Place* still = PlaceOf(id);
  if (still == nullptr) return 0;
  still->ready = still->ready || more;
  Touch(id, *still);
  return still->session->now_us();
}

void Connections::Deliver(const ingest::Origin& origin, std::string_view bytes,
                          const shard::Gate& gate) {
  Place* place = PlaceOf(origin.connection);
  if (place == nullptr) return;
  place->session->Fulfil(origin.slot, bytes, gate);
  Touch(origin.connection, *place);
}

void Connections::SealTurn(model::Lsn lsn) {
  for (const uint64_t id : touched_) {
    Place* place = PlaceOf(id);
    if (place == nullptr) continue;
    place->session->SealTurn(lsn);
    if (place->session->timed() && !place->timed) {
      place->timed = true;
      timed_.push_back(id);
    }
  }
}

void Connections::FailWaiting() {
  for (size_t at = 0; at < places_.size(); ++at) {
    Place& place = places_[at];
    if (!place.session) continue;
    place.session->FailWaiting();
    Touch(place.generation << kPlaceBits | at, place);
  }
}

void Connections::Tick() {
  const uint64_t now_us = context_.clock.MonotonicUs();
  rates_.commands.Look(meters_.commands.value(), now_us);
  rates_.read_bytes.Look(meters_.read_bytes.value(), now_us);
  rates_.written_bytes.Look(meters_.written_bytes.value(), now_us);
  std::erase_if(timed_, [&](uint64_t id) {
    Place* place = PlaceOf(id);
    if (place == nullptr) return true;
    place->session->PassDeadlines(now_us);
    Touch(id, *place);
    place->timed = place->session->timed();
    return !place->timed;
  });
}

void Connections::ReleaseIdle() {
  const uint64_t now_us = context_.clock.MonotonicUs();
  for (Place& place : places_) {
    if (!place.session || place.released) continue;
    if (place.session->client().active_us + kIdleUs > now_us) continue;
    place.session->Release();
    place.session->CountMemory();
    place.released = true;
  }
}

void Connections::EndLargest() {
  const uint64_t excess = context_.client_memory.Excess();
  if (excess == 0) return;
  std::vector<std::pair<uint64_t, size_t>> holders;
  for (size_t at = 0; at < places_.size(); ++at) {
    const Session* session = places_[at].session.get();
    if (session == nullptr || session->dead()) continue;
    const uint64_t held = session->held_bytes();
    if (held >= ClientMemory::kUncounted) holders.emplace_back(held, at);
  }
  std::sort(holders.rbegin(), holders.rend());
  uint64_t freed = 0;
  for (const auto& [held, at] : holders) {
    if (freed >= excess) break;
    freed += held;
    Place& place = places_[at];
    place.session->EndForMemory();
    place.session->CountMemory();
    Touch(place.generation << kPlaceBits | at, place);
  }
}

void Connections::TakeTouched(std::vector<uint64_t>* ids) {
  ids->clear();
  ids->swap(touched_);
  for (const uint64_t id : *ids) {
    if (Place* place = PlaceOf(id)) place->touched = false;
  }
}

std::string_view Connections::Output(uint64_t id, model::Lsn durable) {
  Session* session = Find(id);
  return session == nullptr ? std::string_view() : session->Sendable(durable);
}

void Connections::Sent(uint64_t id, size_t bytes) {
  Place* place = PlaceOf(id);
  if (place == nullptr) return;
  place->released = false;
  place->session->Sent(bytes);
  place->session->CountMemory();
  MayResume(id, *place);
}

void Connections::ForEach(const std::function<void(Session&)>& visit) {
  for (size_t at = 0; at < places_.size(); ++at) {
    Place& place = places_[at];
    if (!place.session) continue;
    visit(*place.session);
    if (place.session) Touch(place.generation << kPlaceBits | at, place);
  }
}

}  // namespace sluice::server
