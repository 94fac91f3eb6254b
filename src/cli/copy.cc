#include "cli/copy.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/number.h"
#include "cli/refusal.h"
#include "model/stored_key.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::cli {
namespace {

constexpr uint64_t kNumbersPerPage = 1024;                  // that a server keeps of a producer
constexpr size_t kFieldMax = 60'000, kValueMax = 16 << 20;  // docs/compatibility.md

std::string Identify(const CopyOptions& options) {
  const std::string about = fmt::format("sluice copy 1\n{}\n{}\n{}", options.from.text(),
                                        options.from.database, options.match);
  const XXH128_hash_t hash = XXH3_128bits(about.data(), about.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string TextOf(const resp::Value& fields, std::string_view name) {
  for (size_t i = 0; i + 1 < fields.items.size(); i += 2) {
    if (fields.items[i].text == name) return fields.items[i + 1].text;
  }
  return {};
}

bool IsNull(const resp::Value& value) {
  return value.type == resp::Value::Type::kNull;
}

// Why no server takes this field; empty: it does.
std::string TooLong(std::string_view field, std::string_view value) {
  if (field.size() > kFieldMax) return fmt::format("a field is longer than {} bytes", kFieldMax);
  if (value.size() > kValueMax) return fmt::format("a value is longer than {} bytes", kValueMax);
  return {};
}

}  // namespace

Copy::Copy(CopyOptions options, env::Clock& clock, const volatile int* stop)
    : options_(std::move(options)),
      clock_(clock),
      stop_(stop),
      progress_(clock.MonotonicUs() / 1000),
      source_(options_.from, {}, clock, stop,
              [this](const std::string& text) { progress_.Say(text); }),
      target_(options_.to, LoadGreeting(), clock, stop,
              [this](const std::string& text) { progress_.Say(text); }) {}

Status Copy::Begin() {
  progress_key_ = "load:" + Identify(options_);
  SLUICE_ASSIGN(const resp::Value fields, target_.Ask(Words{"HGETALL", progress_key_}));
  if (fields.is_error()) return Fail(Code::kInvalid, progress_key_ + ": " + fields.text);
  ParseInt(TextOf(fields, "run"), &run_);
  const bool finished = TextOf(fields, "done") == "1";
  using Begin = LoadOptions::Begin;
  if (run_ > 0 && options_.begin == Begin::kResume) {
    if (!state_.Decode(TextOf(fields, "copy"))) {
      return Fail(Code::kInvalid, progress_key_ + " is not the progress of a copy");
    }
    done_ = finished;
  } else {
    if (run_ > 0 && !finished && options_.begin == Begin::kNew) {
      return Fail(
          Code::kConflict,
          "this copy was begun before and is not finished: add --resume to go on with it, or "
          "--restart to apply every key again");
    }
    ++run_;
  }
  producer_ = fmt::format("@{}.{}", progress_key_.substr(5), run_);
  counts_ = state_.counts;
  before_ = counts_.read;
  SLUICE_ASSIGN(rejects_, RejectFile::Open(options_.rejects, counts_.rejects_bytes));
  if (done_) return Ok();
  // Else a run that is stopped before its first page would be resumed with what one before it had
  // stored.
  SLUICE_TRY(Store());
  return Ok();
}

Result<bool> Copy::Run() {
  const uint64_t begun_ms = clock_.MonotonicUs() / 1000;
  SLUICE_TRY(source_.Open());
  SLUICE_TRY(target_.Open());
  SLUICE_ASSIGN(const resp::Value keys, source_.Ask(Words{"DBSIZE"}));
  if (keys.is_error()) return Fail(Code::kInvalid, options_.from.text() + ": " + keys.text);
  SLUICE_TRY(Begin());
  if (options_.match.empty()) progress_.Expect(static_cast<uint64_t>(keys.number));
  // The page that was under way when this was stopped.
  if (!done_ && !state_.items.empty()) {
    SLUICE_TRY(state_.hash.name.empty() ? DoKeys(true) : DoFields({}, true));
  }
  Status status;
  while (!done_ && status.ok() && *stop_ == 0) {
    const Result<bool> more = NextPage();
    if (!more.has_value()) {
      status = Fail(Error(more.error()));
    } else if (*more) {
      status = state_.hash.name.empty() ? DoKeys(false) : DoFields(std::move(values_), false);
    } else {
      done_ = true;
      const Result<bool> stored = Store();
      if (!stored.has_value()) status = Fail(Error(stored.error()));
    }
    Show();
  }
  progress_.Close();
  SLUICE_TRY(rejects_->Flush());
  const uint64_t ms = std::max<uint64_t>(1, clock_.MonotonicUs() / 1000 - begun_ms);
  fmt::print("{} keys read = {} applied + {} rejected\n", counts_.read,
             counts_.read - counts_.rejected, counts_.rejected);
  if (counts_.vanished > 0) fmt::print("{} more were gone when they were read\n", counts_.vanished);
  if (before_ > 0) fmt::print("{} of these keys were done by earlier runs\n", before_);
  fmt::print("{}.{:03} s, {} keys/s\n", ms / 1000, ms % 1000, (counts_.read - before_) * 1000 / ms);
  std::fflush(stdout);
  if (status.ok() && !done_) status = Fail(Code::kUnavailable, "stopped");
  if (!status.ok()) {
    return Fail(status.error().code,
                status.error().message + "; the same command with --resume goes on");
  }
  return counts_.rejected == 0;
}

void Copy::Show() {
  progress_.Show({counts_.read - before_, counts_.rejected, refusals_, "keys"}, counts_.read,
                 clock_.MonotonicUs() / 1000);
}

// --- What the next page is. ---

// False: there is none.
Result<bool> Copy::NextPage() {
  ++state_.page;
  state_.items.clear();
  state_.first = state_.each = false;
  for (;;) {
    if (!state_.hash.name.empty() || !state_.large.empty()) {
      SLUICE_ASSIGN(const bool more, NextFields());
      if (more) return Store();
      continue;
    }
    if (state_.later.empty() && !state_.scanned) {
      Words scan = {"SCAN", state_.cursor, "COUNT", std::to_string(options_.count)};
      if (!options_.match.empty()) scan.insert(scan.end(), {"MATCH", options_.match});
      SLUICE_ASSIGN(const auto replies, AskSource({scan}));
      if (replies[0].items.size() != 2) return Fail(Code::kInvalid, "that is no reply to SCAN");
      state_.cursor = replies[0].items[0].text;
      state_.scanned = state_.cursor == "0";
      for (const resp::Value& key : replies[0].items[1].items) state_.later.push_back(key.text);
      std::sort(state_.later.begin(), state_.later.end());
      state_.later.erase(std::unique(state_.later.begin(), state_.later.end()), state_.later.end());
      continue;
    }
    if (state_.later.empty()) return false;
    SLUICE_TRY(NextKeys());
    return Store();
  }
}

Status Copy::NextKeys() {
  const size_t size = std::min(kPageKeys, state_.later.size());
  std::vector<Words> looks;
  for (size_t i = 0; i < size; ++i) {
    state_.items.push_back({.name = state_.later[i]});
    looks.push_back({"TYPE", state_.later[i]});
    looks.push_back({"PTTL", state_.later[i]});
  }
  state_.later.erase(state_.later.begin(), state_.later.begin() + static_cast<ptrdiff_t>(size));
  SLUICE_ASSIGN(const auto replies, AskSource(looks));
  for (size_t i = 0; i < size; ++i) {
    const std::string& type = replies[2 * i].text;
    state_.items[i].kind = type == "string" ? 's' : type == "hash" ? 'h' : 0;
    state_.items[i].expire_at_ms = ExpiryOf(replies[2 * i + 1].number);
  }
  return Ok();
}

// The next fields of the hash under way, or of the next one. False: it is copied whole.
Result<bool> Copy::NextFields() {
  if (state_.hash.name.empty()) {
    state_.hash = std::move(state_.large.back());
    state_.large.pop_back();
    state_.hash_cursor.clear();
  }
  state_.first = state_.hash_cursor.empty();
  values_.clear();
  while (state_.items.empty() && state_.hash_cursor != "0") {
    const std::string& from = state_.hash_cursor;
    SLUICE_ASSIGN(const auto replies,
                  AskSource({{"HSCAN", state_.hash.name, from.empty() ? "0" : from, "COUNT",
                              std::to_string(kPageKeys)}}));
    if (replies[0].items.size() != 2) break;  // it is no hash any more
    state_.hash_cursor = replies[0].items[0].text;
    const auto& pairs = replies[0].items[1].items;
    uint64_t bytes = 0;
    for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
      state_.items.push_back({.name = pairs[i].text});
      values_.push_back(pairs[i + 1].text);
      bytes += pairs[i].text.size() + pairs[i + 1].text.size();
    }
    // One command of them all would be larger than servers take.
    state_.each = bytes > kTogetherBytes && state_.items.size() <= 3 * kPageKeys;
  }
  if (!state_.items.empty()) return true;
  if (state_.first) {
    ++counts_.vanished;
  } else {
    ++counts_.read;
  }
  state_.hash = {};
  return false;
}

// Writes down what the page is made of. True.
Result<bool> Copy::Store() {
  SLUICE_ASSIGN(counts_.rejects_bytes, rejects_->Flush());
  state_.counts = counts_;
  const Words words = {"HSET",     progress_key_,
                       "run",      std::to_string(run_),
                       "copy",     state_.Encode(),
                       "rows",     std::to_string(counts_.read),
                       "rejected", std::to_string(counts_.rejected),
                       "done",     done_ ? "1" : "0"};
  for (;;) {
    SLUICE_ASSIGN(const resp::Value reply, target_.Ask(words));
    if (!reply.is_error()) return true;
    if (!IsRefusalForNow(reply.text))
      return Fail(Code::kInvalid, progress_key_ + ": " + reply.text);
    poll(nullptr, 0, static_cast<int>(RetryMs(reply.text)));
    if (*stop_ != 0) return Fail(Code::kUnavailable, "stopped");
  }
}

// --- Carrying a page out. `again`: it was begun before, by this run or an earlier one. ---

Status Copy::DoKeys(bool again) {
  outcomes_.assign(state_.items.size(), {});
  std::vector<Words> looks;
  for (const CopyKey& key : state_.items) {
    looks.push_back({key.kind == 'h' ? "HLEN" : "STRLEN", key.name});
  }
  SLUICE_ASSIGN(const auto sizes, AskSource(looks));
  uint64_t bytes = 0;
  size_t begin = 0;
  for (size_t i = 0; i < state_.items.size(); ++i) {
    const CopyKey& key = state_.items[i];
    if (key.kind == 's' && sizes[i].number > static_cast<int64_t>(kValueMax)) {
      outcomes_[i].rejected = fmt::format("the value is longer than {} bytes", kValueMax);
    } else if (key.kind == 'h' && sizes[i].number > static_cast<int64_t>(kLargeFields)) {
      state_.large.push_back(key);
      outcomes_[i].large = true;
    }
    bytes +=
        static_cast<uint64_t>(std::max<int64_t>(0, sizes[i].number)) * (key.kind == 'h' ? 4096 : 1);
    if (bytes < kBatchBytes && i + 1 < state_.items.size()) continue;
    SLUICE_TRY(DoBatch(begin, i + 1, again));
    begin = i + 1;
    bytes = 0;
  }
  Settle();
  return Ok();
}

Status Copy::DoBatch(size_t begin, size_t end, bool again) {
  std::vector<Words> reads;
  for (size_t i = begin; i < end; ++i) {
    const CopyKey& key = state_.items[i];
    if (outcomes_[i].wanted())
      reads.push_back({key.kind == 'h' ? "HGETALL" : key.kind == 's' ? "GET" : "TYPE", key.name});
  }
  SLUICE_ASSIGN(const auto replies, AskSource(reads));
  std::vector<Write> ends, puts, times;
  auto reply = replies.begin();
  for (size_t i = begin; i < end; ++i) {
    if (!outcomes_[i].wanted()) continue;
    const CopyKey& key = state_.items[i];
    const resp::Value& value = *reply++;
    const std::string expiry = std::to_string(key.expire_at_ms);
    if (key.name.size() > model::kKeyBytesMax) {
      outcomes_[i].rejected = fmt::format("the key is longer than {} bytes", model::kKeyBytesMax);
    } else if (IsNull(value) || (key.kind == 'h' && value.items.empty()) || value.text == "none") {
      outcomes_[i].vanished = true;
      if (again) SLUICE_TRY(Clean(i, key, SeqOf(i, 1)));
    } else if (value.is_error()) {
      outcomes_[i].rejected = value.text;
    } else if (key.kind == 0 && (value.text == "string" || value.text == "hash")) {
      outcomes_[i].rejected = "its type changed while it was copied";
    } else if (key.kind == 0) {
      outcomes_[i].rejected = fmt::format("keys of type {} cannot be copied yet", value.text);
    } else if (key.kind == 's') {
      Words words = {"SET", key.name, value.text};
      if (key.expire_at_ms != 0) words.insert(words.end(), {"PXAT", expiry});
      puts.push_back({i, SeqOf(i, 1), std::move(words)});
    } else {
      Words words = {"HSET", key.name};
      uint64_t bytes = 0;
      for (size_t at = 0; at + 1 < value.items.size() && outcomes_[i].rejected.empty(); at += 2) {
        outcomes_[i].rejected = TooLong(value.items[at].text, value.items[at + 1].text);
        words.insert(words.end(), {value.items[at].text, value.items[at + 1].text});
        bytes += value.items[at].text.size() + value.items[at + 1].text.size();
      }
      if (bytes > kTogetherBytes && outcomes_[i].rejected.empty()) {
        state_.large.push_back(key);
        outcomes_[i].large = true;
      }
      ends.push_back({i, SeqOf(i, 0), {"PEXPIREAT", key.name, "1"}});
      puts.push_back({i, SeqOf(i, 1), std::move(words)});
      if (key.expire_at_ms != 0) times.push_back({i, SeqOf(i, 2), {"PEXPIREAT", key.name, expiry}});
    }
  }
  SLUICE_TRY(Send(std::move(ends)));
  SLUICE_TRY(Send(std::move(puts)));
  return Send(std::move(times));
}

Status Copy::DoFields(std::vector<std::string> values, bool again) {
  const CopyKey& key = state_.hash;
  outcomes_.assign(1, {});
  if (again) {
    Words read = {"HMGET", key.name};
    for (const CopyKey& field : state_.items) read.push_back(field.name);
    SLUICE_ASSIGN(const auto replies, AskSource({read}));
    for (size_t i = state_.items.size(); i-- > 0;) {
      const bool there = i < replies[0].items.size() && !IsNull(replies[0].items[i]);
      values.insert(values.begin(), there ? replies[0].items[i].text : std::string());
      if (!there) state_.items[i].kind = 'v';  // vanished
    }
  }
  std::vector<Write> puts;
  Words all = {"HSET", key.name};
  for (size_t i = 0; i < state_.items.size() && outcomes_[0].rejected.empty(); ++i) {
    if (state_.items[i].kind == 'v') continue;
    outcomes_[0].rejected = TooLong(state_.items[i].name, values[i]);
    if (state_.each) {
      puts.push_back(
          {0, SeqOf(1, i), {"HSET", key.name, state_.items[i].name, std::move(values[i])}});
    } else {
      all.insert(all.end(), {state_.items[i].name, std::move(values[i])});
    }
  }
  if (all.size() > 2) puts.push_back({0, SeqOf(0, 1), std::move(all)});
  if (puts.empty() && again && state_.first) SLUICE_TRY(Clean(0, key, SeqOf(0, 1)));
  if (state_.first) SLUICE_TRY(Send({{0, SeqOf(0, 0), {"PEXPIREAT", key.name, "1"}}}));
  SLUICE_TRY(Send(std::move(puts)));
  if (state_.first && key.expire_at_ms != 0) {
    SLUICE_TRY(Send({{0, SeqOf(0, 2), {"PEXPIREAT", key.name, std::to_string(key.expire_at_ms)}}}));
  }
  if (!outcomes_[0].rejected.empty()) {
    Row row;
    row.line = ++counts_.read;
    row.raw = key.name;
    rejects_->Add(row, outcomes_[0].rejected + "; some of its fields may be applied");
    ++counts_.rejected;
    state_.hash = {};
  }
  return Ok();
}

// The key of a page that was begun before is gone. If its fields were applied, so must be the time
// at which they expire: whether they were, tells a write under their number that changes nothing.
Status Copy::Clean(size_t item, const CopyKey& key, uint64_t seq) {
  if (key.kind != 'h' || key.expire_at_ms == 0) return Ok();
  const Words probe = {"SLUICE", "ONCE", producer_, std::to_string(seq), "HDEL", key.name, ""};
  SLUICE_ASSIGN(const resp::Value reply, target_.Ask(probe));
  if (!reply.text.starts_with("TOKENMISMATCH")) return Ok();
  return Send({{item, seq + 1, {"PEXPIREAT", key.name, std::to_string(key.expire_at_ms)}}});
}

// Sends the writes of items that are not rejected, until each is applied or rejected.
Status Copy::Send(std::vector<Write> writes) {
  std::erase_if(writes, [this](const Write& write) {
    return !outcomes_[write.item].rejected.empty() || outcomes_[write.item].large;
  });
  while (!writes.empty()) {
    std::vector<Words> commands;
    for (const Write& write : writes) {
      Words words = {"SLUICE", "ONCE", producer_, std::to_string(write.seq)};
      words.insert(words.end(), write.words.begin(), write.words.end());
      commands.push_back(std::move(words));
    }
    SLUICE_ASSIGN(const std::vector<resp::Value> replies, target_.Ask(commands));
    std::vector<Write> left;
    uint64_t wait_ms = 0;
    for (size_t i = 0; i < writes.size(); ++i) {
      const std::string& text = replies[i].text;
      if (!replies[i].is_error() || text.starts_with("TOKENMISMATCH")) continue;
      const bool in_doubt = text.starts_with("INDOUBT");
      if (in_doubt) target_.Drop();
      if (!in_doubt && !IsRefusalForNow(text)) {
        outcomes_[writes[i].item].rejected = text;
        continue;
      }
      wait_ms = std::max(wait_ms, RetryMs(text));
      ++refusals_;
      left.push_back(std::move(writes[i]));
    }
    writes = std::move(left);
    if (writes.empty()) break;
    if (*stop_ != 0) return Fail(Code::kUnavailable, "stopped");
    poll(nullptr, 0, static_cast<int>(wait_ms));
  }
  return Ok();
}

// Counts what became of the page's keys.
void Copy::Settle() {
  for (size_t i = 0; i < state_.items.size(); ++i) {
    counts_.vanished += outcomes_[i].vanished;
    if (outcomes_[i].vanished || outcomes_[i].large) continue;
    ++counts_.read;
    if (outcomes_[i].rejected.empty()) continue;
    ++counts_.rejected;
    Row row;
    row.line = counts_.read;
    row.raw = state_.items[i].name;
    rejects_->Add(row, outcomes_[i].rejected);
  }
}

Result<std::vector<resp::Value>> Copy::AskSource(const std::vector<Words>& commands) {
  SLUICE_ASSIGN(std::vector<resp::Value> replies, source_.Ask(commands));
  for (const resp::Value& reply : replies) {
    for (const std::string_view hopeless :
         {"NOAUTH", "NOPERM", "ERR unknown command", "ERR this cursor"}) {
      if (reply.is_error() && reply.text.starts_with(hopeless)) {
        return Fail(Code::kInvalid, options_.from.text() + ": " + reply.text);
      }
    }
  }
  return replies;
}

uint64_t Copy::SeqOf(size_t item, size_t step) const {
  return state_.page * kNumbersPerPage + 1 + 3 * item + step;
}

uint64_t Copy::ExpiryOf(int64_t pttl) const {
  return pttl < 0 ? 0 : clock_.WallMs() + static_cast<uint64_t>(pttl);
}

}  // namespace sluice::cli
