// OwnWrites carries out writes that no client asked for, on the lanes, each only if its key does
// not exist: the rows that a keyspace is seeded with.
//
// Owns:     what is under way; lanes that answer late keep it alive. Borrows the node.
// Threads:  one, any. It never waits for a lane.
// Bounds:   the caller's: one batch of writes is under way.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/lane.h"

namespace sluice::ingest {

class OwnWrites {
 public:
  using Words = std::vector<std::string>;  // SET key value, HSET key field value …
  struct Outcome {
    size_t written = 0, there = 0;  // there: the key existed, and was left as it is
    // Of one that was not carried out, if there is any: its place in the batch, and the error.
    // kUnavailable: it may be later.
    std::optional<size_t> at;
    Error error;
  };

  explicit OwnWrites(Node& node) : node_(node) {}

  // Requires: none is under way, and the keys are no longer than kKeyBytesMax and have a place.
  void Begin(const std::vector<Words>& writes);
  // None while they are under way.
  std::optional<Outcome> Take();

  // Has all lanes store what they hold; Stored once all that was written before is there.
  void BeginStore();
  bool Stored() const { return unstored_ != nullptr && *unstored_ == 0; }

 private:
  struct Batch;
  static void Run(Lane& lane, const std::shared_ptr<Batch>& batch, size_t first, size_t end);

  Node& node_;
  std::shared_ptr<Batch> batch_;
  std::shared_ptr<std::atomic<size_t>> unstored_;  // lanes; null: BeginStore was not called
};

}  // namespace sluice::ingest
