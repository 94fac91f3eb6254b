#include "cli/bench_count.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "base/number.h"
#include "base/prng.h"

namespace sluice::cli {
namespace {

constexpr std::string_view kIncr = "INCR ";
constexpr uint64_t kBatch = 1'000;  // GETs sent together
constexpr int kTimeoutMs = 10'000;

// Sends GETs of `count` keys from `first` on and adds up what comes back.
Result<int64_t> SumBatch(Client& client, const BenchCommand& get, uint64_t first, uint64_t count) {
  Prng prng(0);
  for (uint64_t key = first; key < first + count; ++key) get.Append(client.out(), key, 0, prng);
  int64_t sum = 0;
  for (uint64_t taken = 0; taken < count;) {
    SLUICE_TRY(client.Write());
    SLUICE_TRY(client.Read());
    resp::Value reply;
    bool any = false;
    for (;;) {
      SLUICE_ASSIGN(const bool whole, client.Next(&reply));
      if (!whole) break;
      any = true;
      ++taken;
      int64_t value = 0;
      if (reply.is_error() || (!reply.text.empty() && !ParseInt(reply.text, &value))) {
        return Fail(Code::kInvalid, fmt::format("'{}': {}", get.text(), reply.text));
      }
      sum += value;
    }
    if (any || taken == count) continue;
    pollfd waiting{.fd = client.fd(), .events = POLLIN, .revents = 0};
    if (client.unsent() > 0) waiting.events |= POLLOUT;
    if (poll(&waiting, 1, kTimeoutMs) == 0) {
      return Fail(Code::kIo, fmt::format("no reply within {} ms", kTimeoutMs));
    }
  }
  return sum;
}

}  // namespace

bool IsCounted(const BenchCommand& command) {
  return command.text().starts_with(kIncr) && command.differs_by_key_alone();
}

uint64_t CountersOf(const BenchPlan& plan) {
  uint64_t counters = 0;
  for (const BenchStream& stream : plan.streams) {
    counters += stream.keys.count *
                std::count_if(stream.commands.begin(), stream.commands.end(), IsCounted);
  }
  return counters > kBenchCountedMax ? 0 : counters;
}

Result<int64_t> SumCounters(const BenchPlan& plan, const Address& address, env::Clock& clock) {
  SLUICE_ASSIGN(const std::unique_ptr<Client> client, Client::Connect(address, clock, kTimeoutMs));
  int64_t sum = 0;
  for (const BenchStream& stream : plan.streams) {
    for (const BenchCommand& command : stream.commands) {
      if (!IsCounted(command)) continue;
      const std::string read = "GET " + command.text().substr(kIncr.size());
      SLUICE_ASSIGN(const BenchCommand get, BenchCommand::Parse(read, 0));
      for (uint64_t done = 0; done < stream.keys.count; done += kBatch) {
        const uint64_t count = std::min(kBatch, stream.keys.count - done);
        SLUICE_ASSIGN(const int64_t part, SumBatch(*client, get, stream.keys.first + done, count));
        sum += part;
      }
    }
  }
  return sum;
}

}  // namespace sluice::cli
