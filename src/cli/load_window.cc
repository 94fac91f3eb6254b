#include "cli/load_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "cli/client.h"
#include "cli/refusal.h"

namespace sluice::cli {
namespace {

using Order = CommandTemplate::Order;

// What no row can survive.
constexpr std::array<std::string_view, 2> kHopeless = {"NOAUTH ", "ERR Protocol error"};

std::string_view FirstWord(std::string_view text) {
  return text.substr(0, text.find(' '));
}

bool Conflict(Order a, Order b) {
  return a == Order::kOrdered || b == Order::kOrdered;
}

}  // namespace

LoadWindow::LoadWindow(const LoadPlan& plan, RejectSink& sink, const LoadProgress& from,
                       size_t in_flight_max)
    : plan_(plan),
      sink_(sink),
      in_flight_max_(in_flight_max),
      from_(from.rows),
      head_(from.rows),
      tail_(from.rows),
      slots_(kSlots),
      flight_(kInFlightMax + 1),
      stored_(from),
      rejected_before_(from.rejected) {
  const size_t commands = plan.commands.size();
  SLUICE_CHECK(commands >= 1 && commands <= kCommandsMax && in_flight_max >= 1 &&
               in_flight_max <= kInFlightMax);
  for (const CommandTemplate& command : plan.commands) {
    key_begin_.push_back(keys_per_row_);
    keys_per_row_ += command.keys();
  }
  for (size_t producer = 0; producer < kProducers; ++producer) {
    const std::string name = fmt::format("@{}.{}", plan.producer, producer);
    for (const CommandTemplate& command : plan.commands) {
      once_heads_.push_back(fmt::format("*{}\r\n$6\r\nSLUICE\r\n$4\r\nONCE\r\n${}\r\n{}\r\n",
                                        4 + command.words(), name.size(), name));
    }
  }
  const size_t rows = kSequenceSpan / commands * kProducers;
  rows_.resize(rows);
  row_commands_.resize(rows * commands);
  key_slots_.resize(rows * keys_per_row_);
}

bool LoadWindow::WantsRow() const {
  return !ended_ && failure_.ok() && tail_ - stored_.rows < rows_.size() &&
         (row_bytes_ < kWindowBytesMax || head_ == tail_);
}

void LoadWindow::Push() {
  SLUICE_CHECK(WantsRow());
  RowState& state = row_at(tail_);
  state.bytes = state.row.raw.size() + state.row.text.size();
  row_bytes_ += state.bytes;
  state.applied = state.open = 0;
  state.failure.clear();
  if (Status usable = CheckRow(state.row); !usable.ok()) {
    state.failure = std::move(usable.error().message);
    ++tail_;
    Settle();
    return;
  }
  Schedule(tail_++);
}

Status LoadWindow::CheckRow(const Row& row) const {
  if (!row.error.empty()) return Fail(Code::kInvalid, row.error);
  for (const CommandTemplate& command : plan_.commands) SLUICE_TRY(command.CheckSize(row));
  return Ok();
}

void LoadWindow::End(bool whole) {
  ended_ = true;
  whole_ = whole;
}

std::span<const uint32_t> LoadWindow::SlotsOf(size_t index) const {
  const size_t command = index % plan_.commands.size();
  const size_t row = index / plan_.commands.size();
  return {key_slots_.data() + row * keys_per_row_ + key_begin_[command],
          plan_.commands[command].keys()};
}

// Puts a row's commands in line behind the earlier ones on their keys.
void LoadWindow::Schedule(uint64_t row) {
  RowState& state = row_at(row);
  const size_t commands = plan_.commands.size();
  uint32_t* slot_of_key = key_slots_.data() + row % rows_.size() * keys_per_row_;
  state.open = static_cast<uint32_t>(commands);
  for (size_t i = 0; i < commands; ++i) {
    const CommandTemplate& form = plan_.commands[i];
    const size_t index = index_of(row, i);
    Command& command = row_commands_[index];
    command = {.place = row * commands + i, .waits = 0, .done = false, .blocked = false};
    for (size_t key = 0; key < form.keys(); ++key) {
      const size_t slot = form.KeyHash(key, state.row, &scratch_) % kSlots;
      *slot_of_key++ = static_cast<uint32_t>(slot);
      const KeySlot& others = slots_[slot];
      command.waits += others.by_order[static_cast<size_t>(Order::kOrdered)];
      if (form.order() == Order::kOrdered) {
        command.waits += others.by_order[static_cast<size_t>(Order::kCommutative)];
      }
    }
    command.blocked = command.waits > 0;
    if (command.blocked) blocked_.push_back(static_cast<uint32_t>(index));
    for (const uint32_t slot : SlotsOf(index)) {
      ++slots_[slot].by_order[static_cast<size_t>(form.order())];
      slots_[slot].waiting += command.blocked;
    }
    if (i > 0) ++command.waits;  // for the row's command before it
    if (command.waits == 0) MakeReady(index);
  }
}

void LoadWindow::MakeReady(size_t index) {
  ready_.push_back(static_cast<uint32_t>(index));
  std::push_heap(ready_.begin(), ready_.end(), [this](uint32_t a, uint32_t b) {
    return row_commands_[a].place > row_commands_[b].place;
  });
}

void LoadWindow::Unblock(size_t index) {
  Command& command = row_commands_[index];
  if (!command.blocked) return;
  command.blocked = false;
  blocked_.erase(std::find(blocked_.begin(), blocked_.end(), index));
  for (const uint32_t slot : SlotsOf(index)) --slots_[slot].waiting;
}

// The command is applied, or will never be sent: whatever waits for it may go on.
void LoadWindow::Finish(size_t index) {
  Command& command = row_commands_[index];
  command.done = true;
  --row_at(RowOf(index)).open;
  Unblock(index);
  const size_t order = static_cast<size_t>(Template(index).order());
  for (const uint32_t slot : SlotsOf(index)) {
    --slots_[slot].by_order[order];
    if (slots_[slot].waiting > 0) FreeWaiters(slot, index);
  }
  const bool last = index % plan_.commands.size() + 1 == plan_.commands.size();
  if (last || row_commands_[index + 1].done) return;
  if (--row_commands_[index + 1].waits == 0) {
    Unblock(index + 1);
    MakeReady(index + 1);
  }
}

// One of the commands under way on `slot` is done: those that came behind it wait for one less.
void LoadWindow::FreeWaiters(uint32_t slot, size_t by) {
  const uint64_t place = row_commands_[by].place;
  size_t kept = 0;
  for (const uint32_t index : blocked_) {
    Command& command = row_commands_[index];
    const auto slots = SlotsOf(index);
    if (command.place > place && Conflict(Template(index).order(), Template(by).order())) {
      const auto freed = std::count(slots.begin(), slots.end(), slot);
      command.waits -= static_cast<uint32_t>(freed);
      if (freed > 0 && command.waits == 0) {
        command.blocked = false;
        for (const uint32_t own : slots) --slots_[own].waiting;
        MakeReady(index);
        continue;
      }
    }
    blocked_[kept++] = index;
  }
  blocked_.resize(kept);
}

void LoadWindow::RejectRow(size_t index, std::string_view reason) {
  const size_t commands = plan_.commands.size();
  const size_t command = index % commands;
  RowState& state = rows_[index / commands];
  if (commands == 1) {
    state.failure = reason;
  } else {
    state.failure = fmt::format("command {} of {}, {}: {}; {} applied", command + 1, commands,
                                Template(index).name(), reason, state.applied);
  }
  for (size_t i = index; i < index + commands - command; ++i) row_commands_[i].done = true;
  for (size_t i = index; i < index + commands - command; ++i) Finish(i);
}

void LoadWindow::Settle() {
  while (head_ < tail_ && row_at(head_).open == 0) {
    RowState& state = row_at(head_++);
    if (!state.failure.empty()) {
      sink_.Add(state.row, state.failure);
      ++rejected_;
    }
    row_bytes_ -= state.bytes;
    state.row.Clear();
  }
}

void LoadWindow::Emit(std::string& to, uint64_t now_ms) {
  if (now_ms < paused_until_ms_ || wants_reconnect_ || !failure_.ok()) return;
  const size_t full = to.size() + kEmitBytes;
  while (in_flight_ < in_flight_max_ && !ready_.empty() && to.size() < full) {
    std::pop_heap(ready_.begin(), ready_.end(), [this](uint32_t a, uint32_t b) {
      return row_commands_[a].place > row_commands_[b].place;
    });
    const uint32_t index = ready_.back();
    ready_.pop_back();
    EncodeCommand(to, index);
    SendNote(index);
    ++in_flight_;
  }
  if (ProgressDue()) EncodeProgress(to);
}

void LoadWindow::SendNote(uint32_t what) {
  flight_[flight_end_++ % flight_.size()] = what;
}

void LoadWindow::EncodeCommand(std::string& to, size_t index) {
  const size_t commands = plan_.commands.size(), command = index % commands;
  const uint64_t row = RowOf(index);
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                  row / kProducers * commands + command + 1)
                        .ptr;
  const std::string_view sequence(digits.data(), end - digits.data());
  to.append(once_heads_[row % kProducers * commands + command]);
  to.push_back('$');
  if (sequence.size() >= 10) to.push_back(static_cast<char>('0' + sequence.size() / 10));
  to.push_back(static_cast<char>('0' + sequence.size() % 10));
  to.append("\r\n").append(sequence).append("\r\n");
  Template(index).AppendWords(to, rows_[index / commands].row);
}

bool LoadWindow::ProgressDue() const {
  if (progress_in_flight_) return false;
  if (ended_ && head_ == tail_) return !stored_final_;
  const uint64_t news = head_ - stored_.rows;
  return news > 0 && (news >= rows_.size() / 4 || tail_ - stored_.rows == rows_.size());
}

void LoadWindow::EncodeProgress(std::string& to) {
  Result<uint64_t> rejects_bytes = sink_.Flush();
  if (!rejects_bytes.has_value()) {
    failure_ = Fail(std::move(rejects_bytes).error());
    return;
  }
  sending_ = {.rows = head_,
              .rejected = rejected_before_ + rejected_,
              .rejects_bytes = *rejects_bytes,
              .done = ended_ && whole_ && head_ == tail_};
  const std::array<std::string, 4> values = {
      std::to_string(sending_.rows), std::to_string(sending_.rejected),
      std::to_string(sending_.rejects_bytes), sending_.done ? "1" : "0"};
  const std::array<std::string_view, 10> words = {
      "HSET",    plan_.progress_key, "rows",    values[0], "rejected",
      values[1], "rejects_bytes",    values[2], "done",    values[3]};
  AppendRequest(to, words);
  sending_final_ = ended_ && head_ == tail_;
  progress_in_flight_ = true;
  SendNote(kProgress);
}

void LoadWindow::OnReply(const resp::Value& reply, uint64_t now_ms) {
  SLUICE_CHECK(awaits_reply());
  const uint32_t what = flight_[flight_begin_++ % flight_.size()];
  if (reply.is_error() && std::any_of(kHopeless.begin(), kHopeless.end(), [&](auto hopeless) {
        return std::string_view(reply.text).starts_with(hopeless);
      })) {
    failure_ = Fail(Code::kInvalid, reply.text);
  }
  if (what == kProgress) {
    OnProgressReply(reply, now_ms);
  } else {
    --in_flight_;
    OnCommandReply(what, reply, now_ms);
  }
}

void LoadWindow::OnCommandReply(size_t index, const resp::Value& reply, uint64_t now_ms) {
  const std::string_view text = reply.text;
  if (!reply.is_error()) {
    ++rows_[index / plan_.commands.size()].applied;
    ++commands_;
    Finish(index);
  } else if (IsRefusalForNow(text) || FirstWord(text) == "INDOUBT" || !failure_.ok()) {
    wants_reconnect_ |= FirstWord(text) == "INDOUBT";
    Pause(text, now_ms);
    MakeReady(index);
  } else {
    RejectRow(index, text);
  }
  Settle();
}

void LoadWindow::OnProgressReply(const resp::Value& reply, uint64_t now_ms) {
  progress_in_flight_ = false;
  if (!reply.is_error()) {
    stored_ = sending_;
    stored_final_ = sending_final_;
  } else if (IsRefusalForNow(reply.text) || FirstWord(reply.text) == "INDOUBT") {
    wants_reconnect_ |= FirstWord(reply.text) == "INDOUBT";
    Pause(reply.text, now_ms);
  } else {
    failure_ = Fail(Code::kInvalid, fmt::format("the progress cannot be stored in \"{}\": {}",
                                                plan_.progress_key, reply.text));
  }
}

void LoadWindow::Pause(std::string_view refusal, uint64_t now_ms) {
  paused_until_ms_ = std::max(paused_until_ms_, now_ms + RetryMs(refusal));
  ++refusals_;
  last_refusal_ = refusal;
}

void LoadWindow::OnDisconnect() {
  for (; flight_begin_ < flight_end_; ++flight_begin_) {
    const uint32_t what = flight_[flight_begin_ % flight_.size()];
    if (what != kProgress) MakeReady(what);
  }
  in_flight_ = 0;
  progress_in_flight_ = false;
  wants_reconnect_ = false;
}

}  // namespace sluice::cli
