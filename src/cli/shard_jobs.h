// The jobs of a running node: started, followed to their end, listed, told to pause or to end.
//
// Threads:  none.
// Failure:  each returns an exit status: 0 done, 1 it failed; why stands on standard error. One
//           that waits and is cut off leaves the job alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/client.h"

namespace sluice::cli {

// A job of SLUICE JOBS for people, in one line.
std::string JobLine(const nlohmann::ordered_json& job);

class ShardJobs {
 public:
  ShardJobs(Client& client, bool json) : client_(client), json_(json) {}

  // `words`: a command that replies a job's id. `wait`: until it has ended, telling how far it is.
  int Start(const std::vector<std::string>& words, bool wait);
  int List();
  // PAUSE, RESUME, ABORT.
  int Order(const std::string& order, uint64_t job);

 private:
  Result<resp::Value> Call(const std::vector<std::string>& words);
  Result<nlohmann::ordered_json> Find(int64_t job);
  int Follow(int64_t job);
  void Tell(const nlohmann::ordered_json& job) const;

  Client& client_;
  const bool json_;
};

}  // namespace sluice::cli
