// Connections: the sessions of one lane, by connection number. Bytes come from whoever has them:
// the sockets of lane_server, a test, a simulated network.
//
// A turn of the owner: Lane::BeginTurn, Resume, Feed, Lane::EndTurn, SealTurn, then Output of
// those that TakeTouched names.
//
// Owns:     the sessions.
// Threads:  the lane's own, but for meters(), counts() and rates().
// Failure:  a connection number that is no longer in use does nothing: replies for a client that
//           left are dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/lane.h"
#include "server/context.h"
#include "server/meters.h"
#include "server/rate.h"
#include "server/session.h"

namespace sluice::server {

inline constexpr uint64_t kIdleUs = 2'000'000;

class Connections final : public ingest::Sessions {
 public:
  Connections(Context& context, ingest::Lane& lane) : context_(context), lane_(lane) {}

  // A connection's number is its place, in its low bits, and how often the place was used before.
  static constexpr uint64_t kPlaceBits = 24;
  static constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;

  uint64_t Open(std::string peer, std::string local);
  // Ends it and forgets it. Replies that are on their way to it are dropped.
  void Close(uint64_t id);
  // Null when it is closed.
  Session* Find(uint64_t id);

  // Bytes that came; what is whole runs. Whoever can waits with it until WantsInput.
  void Feed(uint64_t id, std::string_view bytes);
  void EndInput(uint64_t id);
  // Goes on with those whose input waited for their turn or for room. Once a turn.
  void Resume();
  bool WantsTurn() const { return !resume_.empty(); }

  void Deliver(const ingest::Origin& origin, std::string_view bytes,
               const shard::Gate& gate) override;
  // The turn ended at `lsn`.
  void SealTurn(model::Lsn lsn);
  // The log failed: all replies that wait say so, and the connections end.
  void FailWaiting();
  // Looks at rates and deadlines. Every ingest::kTickMs.
  void Tick();
  // Takes back the memory of those that have been idle for kIdleUs. Now and then.
  void ReleaseIdle();
  // Ends those that hold most while clients' memory is full. Once a turn, before TakeTouched.
  void EndLargest();
  // Says that something happened to its socket, for TakeTouched.
  void Touch(uint64_t id);
  // Replaces `*ids` by the connections that something happened to since the last call: look whether
  // they have output, want input, or are finished.
  void TakeTouched(std::vector<uint64_t>* ids);

  std::string_view Output(uint64_t id, model::Lsn durable);
  void Sent(uint64_t id, size_t bytes);

  size_t size() const { return open_; }
  void ForEach(const std::function<void(Session&)>& visit);

  Meters& meters() { return meters_; }
  CommandCounts& counts() { return counts_; }
  struct Rates {
    Rate commands, read_bytes, written_bytes;
  };
  const Rates& rates() const { return rates_; }

 private:
  struct Place {
    std::unique_ptr<Session> session;
    uint64_t generation = 0;
    bool touched = false, resumes = false, timed = false;
    bool released = false;  // has nothing that ReleaseIdle could take back
  };
  Place* PlaceOf(uint64_t id);
  void Touch(uint64_t id, Place& place);
  void MayResume(uint64_t id, Place& place);

  Context& context_;
  ingest::Lane& lane_;
  Meters meters_;
  CommandCounts counts_;
  std::vector<Place> places_;
  std::vector<size_t> unused_;  // of places_
  std::vector<uint64_t> touched_, resume_, resuming_;
  std::vector<uint64_t> timed_;  // that have a reply with a deadline
  Rates rates_;
  size_t open_ = 0;
};

}  // namespace sluice::server
