// Connections: the sessions of one lane, by connection number. Bytes come from whoever has them:
// the sockets of lane_server, a test, a simulated network.
//
// A turn of the owner: Lane::BeginTurn, BeginTurn, Serve, Lane::EndTurn, SealTurn, then Output of
// those that TakeTouched names.
//
// Who has something to run stands in a line, one for each class of work; Serve goes through them,
// critical work first, and gives each connection its piece of the turn. Those whose time has not
// come keep their place. A connection whose next write waits for units of the budget stands aside
// until there are some.
//
// Owns:     the sessions.
// Threads:  the lane's own, but for meters(), counts() and rates().
// Bounds:   a turn kTurnUs, or kTurnUsCritical and kLateUs while critical work comes: and what one
//           piece takes; at least one connection of each class in each turn.
// Failure:  a connection number that is no longer in use does nothing: replies for a client that
//           left are dropped.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
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
inline constexpr uint64_t kTurnUs = 5'000;  // after which who is left waits for the next turn
inline constexpr uint64_t kTurnUsCritical = 1'000;  // the same, when critical work ran lately
inline constexpr uint64_t kCriticalUs = 1'000'000;  // lately
inline constexpr uint64_t kLateUs = 500;            // and then what is critical and came meanwhile
inline constexpr uint64_t kPieceUsLeast = 250;      // one connection's piece of a turn
inline constexpr size_t kTurnReadBytes = 1 << 20;   // divided between those who stand in line
inline constexpr size_t kReadBytesLeast = 16 << 10;

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
  void BeginTurn();
  // Its socket has something to read: it stands in line, and again until a read has brought all.
  void Ready(uint64_t id);
  // Gives those in line their piece of the turn. Once a turn.
  struct Hooks {
    // If Ready. Whether there may be more.
    std::function<bool(uint64_t id, size_t bytes_max)> read = [](uint64_t, size_t) {
      return false;
    };
    std::function<void()> between = [] {};  // after each piece
  };
  void Serve(const Hooks& hooks);
  // Whether critical work came lately: then who asks for some is looked for once more when the
  // turn's time is over, since it would wait for a whole turn otherwise, and ServeLate gives them
  // their piece of this one.
  bool critical() const { return critical_us_ != 0 && turn_began_us_ - critical_us_ < kCriticalUs; }
  void ServeLate(const Hooks& hooks);
  bool WantsTurn() const { return in_line_ > 0; }
  // Some stand aside: look again soon.
  bool Aside() const { return aside_ > 0; }
  // The longest that critical or normal work stood in line, since the last call. Any thread.
  uint64_t TakeLongestWaitUs() { return longest_wait_us_.exchange(0, std::memory_order_relaxed); }

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
  const Meters& meters() const { return meters_; }
  CommandCounts& counts() { return counts_; }
  struct Rates {
    Rate commands, read_bytes, written_bytes;
  };
  const Rates& rates() const { return rates_; }

 private:
  struct Place {
    std::unique_ptr<Session> session;
    uint64_t generation = 0;
    bool touched = false, timed = false;
    bool waits = false;  // in a line, or aside
    bool ready = false;  // its socket has something to read
    uint64_t since_us = 0;
    bool released = false;  // has nothing that ReleaseIdle could take back
  };
  Place* PlaceOf(uint64_t id);
  void Touch(uint64_t id, Place& place);
  using Line = std::deque<uint64_t>;
  void StandInLine(uint64_t id, Place& place);
  void MayResume(uint64_t id, Place& place);
  void CallBack(uint64_t now_us);
  void ServeLine(Line& line, uint64_t until_us, const Hooks& hooks);
  uint64_t ServeOne(Place& place, uint64_t id, const Hooks& hooks);

  Context& context_;
  ingest::Lane& lane_;
  Meters meters_;
  CommandCounts counts_;
  std::vector<Place> places_;
  std::vector<size_t> unused_;  // of places_
  std::vector<uint64_t> touched_;
  admit::ByPriority<Line> lines_;
  // By class; behind those whose patience ends stand those who wait for ever, so that they do not
  // stand in the way.
  std::array<Line, 2 * admit::kPriorities> asides_;
  size_t in_line_ = 0, aside_ = 0;
  size_t read_bytes_ = kReadBytesMax;
  uint64_t piece_us_ = kTurnUs;
  uint64_t turn_began_us_ = 0, now_us_ = 0, critical_us_ = 0;
  std::atomic<uint64_t> longest_wait_us_{0};
  std::vector<uint64_t> timed_;  // that have a reply with a deadline
  Rates rates_;
  size_t open_ = 0;
};

}  // namespace sluice::server
