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
  place.touched = place.resumes = place.timed = place.released = false;
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
  if (!place.resumes && place.session->WantsTurn()) {
    place.resumes = true;
    resume_.push_back(id);
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

void Connections::Resume() {
  resuming_.swap(resume_);
  for (const uint64_t id : resuming_) {
    Place* place = PlaceOf(id);
    if (place == nullptr) continue;
    place->resumes = false;
    if (place->session->WantsTurn()) place->session->Resume();
    Touch(id, *place);
  }
  resuming_.clear();
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
