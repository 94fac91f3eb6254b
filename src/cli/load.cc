#include "cli/load.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/number.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::cli {
namespace {

constexpr uint64_t kBackoffFirstMs = 50, kBackoffMostMs = 1'000;
constexpr uint64_t kTickMs = 200;       // how often an idle load looks at the clock
constexpr size_t kUnsentMax = 1 << 20;  // requests waiting for the socket

// The same for the same input and commands, in every run and from every place.
std::string Identify(const Input& input, const std::vector<CommandTemplate>& commands) {
  std::string about = fmt::format("sluice load 1\n{}\n", input.size);
  const XXH128_hash_t bytes = XXH3_128bits(input.beginning.data(), input.beginning.size());
  about += fmt::format("{:016x}{:016x}\n", bytes.high64, bytes.low64);
  for (const CommandTemplate& command : commands) {
    about += fmt::format("{}\n{}\n", command.text().size(), command.text());
  }
  const XXH128_hash_t hash = XXH3_128bits(about.data(), about.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

// The field's number in a reply to HGETALL; 0 when it is not there.
uint64_t FieldOf(const resp::Value& fields, std::string_view name) {
  for (size_t i = 0; i + 1 < fields.items.size(); i += 2) {
    int64_t number = 0;
    if (fields.items[i].text == name && ParseInt(fields.items[i + 1].text, &number)) return number;
  }
  return 0;
}

}  // namespace

std::vector<std::vector<std::string>> LoadGreeting() {
  return {{"SLUICE", "ACK", "durable"}, {"SLUICE", "PRIORITY", "background"}};
}

Status Load::Prepare() {
  if (options_.commands.empty()) return Fail(Code::kInvalid, "--do says what to do with each row");
  if (options_.commands.size() > kCommandsMax) {
    return Fail(Code::kInvalid, fmt::format("more than {} commands", kCommandsMax));
  }
  for (const std::string& text : options_.commands) {
    Result<CommandTemplate> command = CommandTemplate::Parse(text, &columns_);
    if (!command.has_value()) return Fail(command.error().In(fmt::format("--do '{}'", text)));
    plan_.commands.push_back(std::move(*command));
  }
  Format format = Format::kCsv;
  if (options_.format.has_value()) {
    format = *options_.format;
  } else if (options_.file != "-" && !FormatOfName(options_.file, &format)) {
    return Fail(Code::kInvalid, options_.file + ": say --format csv, tsv or ndjson");
  }
  SLUICE_ASSIGN(input_, OpenInput(options_.file));
  identity_ = Identify(input_, plan_.commands);
  Result<std::unique_ptr<RowSource>> rows = OpenRows(*input_.bytes, format, columns_);
  if (!rows.has_value()) return Fail(rows.error().In(options_.file));
  rows_ = std::move(*rows);
  return Ok();
}

Status Load::Connect() {
  client_.reset();
  SLUICE_ASSIGN(std::unique_ptr<Client> client,
                Client::Connect(options_.address, clock_, kConnectMs));
  for (const std::vector<std::string>& said : LoadGreeting()) {
    const std::vector<std::string_view> words(said.begin(), said.end());
    SLUICE_ASSIGN(const resp::Value reply, client->Call(words, kCallMs));
    if (!reply.is_error()) continue;
    const bool unknown = reply.text.starts_with("ERR unknown command");
    return Fail(reply.text.starts_with("LOADING") ? Code::kUnavailable : Code::kInvalid,
                unknown ? "that is not a Sluice server" : reply.text);
  }
  client_ = std::move(client);
  return Ok();
}

// Looks up what earlier runs did, and begins a new one or goes on with the last.
Result<LoadProgress> Load::Begin() {
  plan_.progress_key = "load:" + identity_;
  SLUICE_ASSIGN(const resp::Value fields, client_->Call({"HGETALL", plan_.progress_key}, kCallMs));
  if (fields.is_error()) return Fail(Code::kInvalid, plan_.progress_key + ": " + fields.text);
  LoadProgress before{.rows = FieldOf(fields, "rows"),
                      .rejected = FieldOf(fields, "rejected"),
                      .rejects_bytes = FieldOf(fields, "rejects_bytes"),
                      .done = FieldOf(fields, "done") != 0};
  uint64_t run = FieldOf(fields, "run");
  using Begin = LoadOptions::Begin;
  if (run > 0 && options_.begin == Begin::kResume) {
    plan_.producer = fmt::format("{}.{}", identity_, run);
    return before;
  }
  if (run > 0 && !before.done && options_.begin == Begin::kNew) {
    return Fail(Code::kConflict,
                fmt::format("this load was begun before and stopped behind row {}: add --resume to "
                            "go on from there, or --restart to apply every row again",
                            before.rows));
  }
  if (run > 0 && before.done) {
    progress_->Say(
        fmt::format("this file was loaded before ({} rows); loading it again", before.rows));
  } else if (run == 0 && options_.begin == Begin::kResume) {
    progress_->Say("the server knows nothing of this load: beginning with the first row");
  }
  ++run;
  plan_.producer = fmt::format("{}.{}", identity_, run);
  const std::string number = std::to_string(run);
  SLUICE_ASSIGN(const resp::Value reply,
                client_->Call({"HSET", plan_.progress_key, "run", number, "rows", "0", "rejected",
                               "0", "rejects_bytes", "0", "done", "0"},
                              kCallMs));
  if (reply.is_error()) return Fail(Code::kInvalid, plan_.progress_key + ": " + reply.text);
  return LoadProgress{};
}

// Passes over the rows of earlier runs.
Status Load::Skip(uint64_t rows) {
  Row row;
  while (rows > 0 && !stopping()) {
    SLUICE_ASSIGN(const RowSource::State state, rows_->Next(&row));
    if (state == RowSource::State::kEnd) {
      return Fail(Code::kInvalid, "the input is shorter than when this load began");
    }
    if (state == RowSource::State::kWait) {
      WaitForInput(*input_.bytes, static_cast<int>(kTickMs));
    } else {
      --rows;
    }
  }
  return Ok();
}

Result<bool> Load::Run() {
  started_ms_ = answered_ms_ = NowMs();
  progress_.emplace(started_ms_);
  progress_->Expect(input_.size);
  SLUICE_TRY(Connect());
  SLUICE_ASSIGN(const LoadProgress before, Begin());
  SLUICE_ASSIGN(rejects_, RejectFile::Open(options_.rejects, before.rejects_bytes));
  window_.emplace(plan_, *rejects_, before, options_.window);
  if (before.done) {
    Summary(before);
    return before.rejected == 0;
  }
  if (before.rows > 0) {
    progress_->Say(fmt::format("going on behind row {}", before.rows));
    SLUICE_TRY(Skip(before.rows));
  }
  const Status pumped = Pump();
  progress_->Close();
  SLUICE_TRY(rejects_->Flush());
  Summary(before);
  const std::string resume = fmt::format("{} rows are done; the same command with --resume goes on",
                                         window_->stored().rows);
  if (!pumped.ok()) return Fail(pumped.error().code, pumped.error().message + "; " + resume);
  if (!input_failure_.ok()) {
    return Fail(input_failure_.error().code, input_failure_.error().message + "; " + resume);
  }
  if (!window_->stored().done) return Fail(Code::kUnavailable, "stopped; " + resume);
  return window_->stored().rejected == 0;
}

Status Load::Pump() {
  while (!window_->finished()) {
    const uint64_t now = NowMs();
    if (stopping() && drain_until_ms_ == 0) {
      drain_until_ms_ = now + kDrainMs;
      window_->End(false);
      ended_ = true;
    }
    if (drain_until_ms_ > 0 && (now > drain_until_ms_ || client_ == nullptr)) return Ok();
    if (now - answered_ms_ > kPatienceMs) {
      return Fail(Code::kUnavailable,
                  fmt::format("the server has applied nothing for {} s{}{}", kPatienceMs / 1000,
                              window_->last_refusal().empty() ? "" : "; it said: ",
                              window_->last_refusal()));
    }
    if (client_ == nullptr && now >= connect_at_ms_) {
      if (Status connected = Connect(); !connected.ok()) {
        if (connected.error().code == Code::kInvalid) return connected;
        Reconnect(connected.error());
      }
    }
    SLUICE_TRY(ReadRows());
    bool moved = false;
    if (client_ != nullptr) {
      if (Status exchanged = Exchange(&moved); !exchanged.ok()) Reconnect(exchanged.error());
    }
    SLUICE_TRY(window_->failure());
    progress_->Show({window_->rows(), window_->rejected(), window_->refusals()},
                    input_.bytes->consumed(), NowMs());
    if (!moved) Wait();
  }
  return Ok();
}

Status Load::ReadRows() {
  input_waits_ = false;
  while (!ended_ && window_->WantsRow()) {
    Result<RowSource::State> state = rows_->Next(&window_->NextRow());
    if (!state.has_value()) {
      input_failure_ = Fail(state.error().In(options_.file));
      ended_ = true;
      window_->End(false);
      return Ok();
    }
    if (*state == RowSource::State::kRow) {
      window_->Push();
      continue;
    }
    ended_ = *state == RowSource::State::kEnd;
    if (ended_) window_->End(true);
    input_waits_ = !ended_;
    return Ok();
  }
  return Ok();
}

Status Load::Exchange(bool* moved) {
  const uint64_t now = NowMs();
  if (client_->unsent() < kUnsentMax) window_->Emit(client_->out(), now);
  SLUICE_TRY(client_->Write());
  SLUICE_TRY(client_->Read());
  const uint64_t done = window_->commands() + window_->rejected();
  for (;;) {
    SLUICE_ASSIGN(const bool whole, client_->Next(&reply_));
    if (!whole) break;
    if (!window_->awaits_reply()) {
      return Fail(Code::kIo, "the server said something that was not asked: " + reply_.text);
    }
    window_->OnReply(reply_, now);
    *moved = true;
  }
  if (window_->commands() + window_->rejected() > done || !window_->awaits_reply()) {
    if (now >= window_->paused_until_ms()) answered_ms_ = now;
    backoff_ms_ = 0;
  }
  if (window_->wants_reconnect()) return Fail(Code::kIo, window_->last_refusal());
  return Ok();
}

void Load::Reconnect(const Error& why) {
  if (client_ != nullptr || backoff_ms_ == 0) {
    progress_->Say(fmt::format("{}: {}; connecting again", options_.address.text(), why.message));
  }
  client_.reset();
  window_->OnDisconnect();
  backoff_ms_ = std::clamp(2 * backoff_ms_, kBackoffFirstMs, kBackoffMostMs);
  connect_at_ms_ = NowMs() + backoff_ms_;
}

void Load::Wait() {
  const uint64_t now = NowMs();
  uint64_t until = now + kTickMs;
  if (client_ == nullptr) until = std::min(until, connect_at_ms_);
  if (window_->paused_until_ms() > now) until = std::min(until, window_->paused_until_ms());
  std::array<pollfd, 2> waiting{};
  nfds_t count = 0;
  if (client_ != nullptr) {
    const auto events = static_cast<short>(client_->unsent() > 0 ? POLLIN | POLLOUT : POLLIN);
    waiting[count++] = {.fd = client_->fd(), .events = events, .revents = 0};
  }
  if (input_waits_) {
    waiting[count++] = {.fd = input_.bytes->wait_fd(), .events = POLLIN, .revents = 0};
  }
  poll(waiting.data(), count, static_cast<int>(until > now ? until - now : 0));
}

void Load::Summary(const LoadProgress& before) const {
  const uint64_t ms = std::max<uint64_t>(1, NowMs() - started_ms_);
  const uint64_t rows = before.rows + window_->rows();
  const uint64_t rejected = before.rejected + window_->rejected();
  fmt::print("{} rows read = {} applied + {} rejected\n", rows, rows - rejected, rejected);
  if (before.rows > 0) fmt::print("{} of these rows were done by earlier runs\n", before.rows);
  fmt::print("{}.{:03} s, {} rows/s, {} commands/s, {} bytes read\n", ms / 1000, ms % 1000,
             window_->rows() * 1000 / ms, window_->commands() * 1000 / ms,
             input_.bytes->consumed());
  std::fflush(stdout);
}

}  // namespace sluice::cli
