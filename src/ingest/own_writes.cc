#include "ingest/own_writes.h"

#include <mutex>
#include <utility>

#include "base/check.h"

namespace sluice::ingest {
namespace {

constexpr std::string_view kBusy = "the node is busy";
constexpr std::string_view kMoved = "the key's shard has moved";

bool MayPass(std::string_view error) {
  return error.starts_with("OVERLOADED ") || error.starts_with("NOSPACE ") ||
         error.starts_with("ERR reading from disk failed");
}

}  // namespace

bool Lane::Has(std::string_view key) {
  const Status placed = Place(key, &seen_);
  SLUICE_CHECK(placed.ok());
  return Owns(seen_.shard);
}

void Lane::RunOwn(const shard::Command& command, Answered then) {
  const std::string_view key = command.args[static_cast<size_t>(command.spec->first_key)];
  const Status placed = Place(key, &seen_);
  SLUICE_CHECK(placed.ok() && Owns(seen_.shard));
  const model::Policy policy = node_.router->policy(seen_.keyspace->id);
  shard::KeyPlace place = PlaceOf({seen_.keyspace, policy, seen_.shard}, seen_.token, key);
  place.value_key = seen_.value_key;
  const Origin origin{id_, kOwnConnection, ++own_slot_};
  own_.emplace(origin.slot, std::move(then));
  std::string reply;
  const shard::Outcome outcome = RunOrPark(command, place, origin, reply);
  if (outcome.done) Finish(origin, reply, outcome.gate);
}

struct OwnWrites::Batch {
  std::vector<Words> writes;   // those of one lane side by side
  std::vector<size_t> places;  // in what the caller gave

  std::mutex mutex;  // guards what follows
  size_t left = 0;
  Outcome outcome;

  void Refused(size_t i, std::string_view error, Code code) {
    if (outcome.at && (outcome.error.code != Code::kUnavailable || code == Code::kUnavailable)) {
      return;  // what will not pass says more
    }
    outcome.at = places[i];
    outcome.error = {code, std::string(error)};
  }
  void Answered(size_t i, std::string_view reply) {
    const std::lock_guard lock(mutex);
    --left;
    if (reply.starts_with('-')) {
      const std::string_view error = reply.substr(1, reply.size() - 3);
      return Refused(i, error, MayPass(error) ? Code::kUnavailable : Code::kInvalid);
    }
    ++(reply == ":0\r\n" ? outcome.there : outcome.written);
  }
};

void OwnWrites::Begin(const std::vector<Words>& writes) {
  SLUICE_CHECK(batch_ == nullptr);
  batch_ = std::make_shared<Batch>();
  batch_->left = writes.size();
  std::vector<std::vector<size_t>> by_lane(node_.lanes.size());
  std::string token;
  const std::shared_ptr<const route::Router> router = node_.layout().router;
  for (size_t i = 0; i < writes.size(); ++i) {
    const auto placed = router->Place(writes[i][1], &token);
    SLUICE_CHECK(placed.has_value());
    by_lane[router->map().shards()[placed->shard].lane.value].push_back(i);
  }
  for (const std::vector<size_t>& those : by_lane) {
    for (const size_t i : those) {
      batch_->writes.push_back(writes[i]);
      batch_->places.push_back(i);
    }
  }
  size_t end = 0;
  for (size_t lane = 0; lane < by_lane.size(); ++lane) {
    const size_t first = std::exchange(end, end + by_lane[lane].size());
    if (first == end) continue;
    node_.fabric.Post(model::LaneId(static_cast<uint16_t>(lane)),
                      [batch = batch_, first, end](Lane& there) { Run(there, batch, first, end); });
  }
}

void OwnWrites::Run(Lane& lane, const std::shared_ptr<Batch>& batch, size_t first, size_t end) {
  std::vector<std::string_view> args;
  for (size_t i = first; i < end; ++i) {
    if (lane.Strained()) {
      const std::lock_guard lock(batch->mutex);
      batch->left -= end - i;
      return batch->Refused(i, kBusy, Code::kUnavailable);
    }
    args.assign(batch->writes[i].begin(), batch->writes[i].end());
    if (!lane.Has(args[1])) {
      const std::lock_guard lock(batch->mutex);
      --batch->left;
      batch->Refused(i, kMoved, Code::kUnavailable);
      continue;
    }
    shard::Command command;
    command.spec = &command::IfAbsent();
    command.args = args;
    lane.RunOwn(command, [batch, i](std::string_view reply) { batch->Answered(i, reply); });
  }
}

std::optional<OwnWrites::Outcome> OwnWrites::Take() {
  {
    const std::lock_guard lock(batch_->mutex);
    if (batch_->left > 0) return std::nullopt;
  }
  return std::exchange(batch_, nullptr)->outcome;
}

void OwnWrites::BeginStore() {
  unstored_ = std::make_shared<std::atomic<size_t>>(node_.lanes.size());
  for (const Lane* lane : node_.lanes) {
    node_.fabric.Post(lane->id(), [unstored = unstored_](Lane& there) {
      there.StoreSoon([unstored](Lane&) { --*unstored; });
    });
  }
}

}  // namespace sluice::ingest
