// History: what clients sent and heard about one key (or keys written and read as one), for
// Linearize.
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/linearize.h"
#include "sim/scene.h"

namespace sluice::sim {

class History {
 public:
  History(Scene& scene, std::string name) : scene_(scene), name_(std::move(name)) {}

  size_t open() const { return open_; }  // without a reply, and may still happen
  // The number by which the operation is called from now on.
  size_t Begin(uint64_t session, Operation::Kind kind, int64_t argument);
  void Answered(size_t operation, std::optional<int64_t> reply);
  void Refused(size_t operation);  // it never was
  void Lost(size_t operation) { operations_[operation].lost = true; }
  // What was lost has happened by now, or never will.
  void Ended();
  // All is quiet, and the key holds `value`: judges what led here, and begins anew.
  void Check(std::optional<int64_t> value);
  // Begins anew unjudged.
  void Restart(std::optional<int64_t> value);

 private:
  struct Entry {
    Operation operation;
    bool lost = false, refused = false, over = false;
  };
  Scene& scene_;
  const std::string name_;
  std::vector<Entry> operations_;
  size_t open_ = 0;
  std::optional<int64_t> initial_;
};

}  // namespace sluice::sim
