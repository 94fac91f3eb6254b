#include "cli/shard_jobs.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <optional>

#include "cli/listing.h"
#include "cli/reply_line.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1;
constexpr int kReplyMs = 60'000;
constexpr int kLookMs = 200;  // between two looks at a job that is waited for

using Json = nlohmann::ordered_json;

int Complain(const std::string& message) {
  fmt::print(stderr, "sluice shard: {}\n", message);
  return kFailed;
}

std::string Text(const Json& job, const char* name) {
  const auto found = job.find(name);
  return found != job.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool Ended(const std::string& state) {
  return state == "done" || state == "aborted" || state == "failed";
}

std::optional<int64_t> Number(const Json& job, const char* name) {
  const auto found = job.find(name);
  if (found == job.end() || !found->is_number()) return std::nullopt;
  return found->get<int64_t>();
}

}  // namespace

std::string JobLine(const Json& job) {
  const std::string state = Text(job, "state");
  std::string line =
      fmt::format("job {} · {} of shard {}", Number(job, "job").value_or(0), Text(job, "kind"),
                  fmt::join(job.value("shards", std::vector<int>()), ", "));
  if (const auto lane = Number(job, "to")) line += fmt::format(" to lane {}", *lane);
  line += " · " + state;
  const std::optional<int64_t> eta_ms = Number(job, "eta_ms"), took_ms = Number(job, "took_ms");
  if (!Ended(state)) {
    line += fmt::format(" · {} · {} %", Text(job, "phase"), Number(job, "percent").value_or(0));
    if (eta_ms) line += fmt::format(" · {} ms left", *eta_ms);
    if (!Text(job, "waits_for").empty()) line += " · waits for " + Text(job, "waits_for");
  } else if (took_ms) {
    line += fmt::format(" · took {} ms", *took_ms);
  }
  const auto made = job.value("made", std::vector<int>());
  if (!made.empty()) line += fmt::format(" · made {}", fmt::join(made, ", "));
  const std::string verification = Text(job, "verification");
  if (!verification.empty()) line += " · verification: " + verification;
  if (!Text(job, "error").empty()) line += " · " + Text(job, "error");
  if (!Text(job, "reason").empty()) line += " · " + Text(job, "reason");
  return line;
}

Result<resp::Value> ShardJobs::Call(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  SLUICE_ASSIGN(resp::Value reply, client_.Call(views, kReplyMs));
  if (reply.is_error()) return Fail(Code::kInvalid, reply.text);
  return reply;
}

int ShardJobs::Start(const std::vector<std::string>& words, bool wait) {
  const Result<resp::Value> reply = Call(words);
  if (!reply.has_value()) return Complain(reply.error().message);
  if (wait) return Follow(reply->number);
  Listing(std::cout, json_).Put({{"job", reply->number}});
  return kDone;
}

Result<Json> ShardJobs::Find(int64_t job) {
  SLUICE_ASSIGN(const resp::Value reply, Call({"SLUICE", "JOBS"}));
  for (const resp::Value& one : reply.items) {
    Json line = LineOf(one);
    if (line.value("job", int64_t{0}) == job) return line;
  }
  return Fail(Code::kNotFound, fmt::format("job {} is forgotten", job));
}

// On a terminal one line that changes; else a line for each step.
int ShardJobs::Follow(int64_t job) {
  const bool terminal = !json_ && ::isatty(STDOUT_FILENO) == 1;
  std::string last;
  while (true) {
    const Result<Json> now = Find(job);
    if (!now.has_value()) return Complain(now.error().message);
    const bool ended = Ended(Text(*now, "state"));
    const std::string step = Text(*now, "state") + Text(*now, "phase");
    if (terminal) {
      std::cout << "\r\x1b[K" << JobLine(*now) << (ended ? "\n" : "") << std::flush;
    } else if (step != last || ended) {
      Tell(*now);
    }
    last = step;
    if (ended) return Text(*now, "state") == "done" ? kDone : kFailed;
    ::poll(nullptr, 0, kLookMs);
  }
}

void ShardJobs::Tell(const Json& job) const {
  if (json_) {
    Listing(std::cout, json_).Put(job);
  } else {
    std::cout << JobLine(job) << std::endl;
  }
}

int ShardJobs::List() {
  const Result<resp::Value> reply = Call({"SLUICE", "JOBS"});
  if (!reply.has_value()) return Complain(reply.error().message);
  for (const resp::Value& one : reply->items) {
    Tell(LineOf(one));
  }
  return kDone;
}

int ShardJobs::Order(const std::string& order, uint64_t job) {
  const Result<resp::Value> reply = Call({"SLUICE", "JOB", order, std::to_string(job)});
  return reply.has_value() ? kDone : Complain(reply.error().message);
}

}  // namespace sluice::cli
