// LoadWindow: the rows of a load that are under way, and what happens to them.
//
//   NextRow(), Push() take one more row in.     Emit()     writes the requests that may go now.
//   OnReply()        hears the replies in the order of the requests.   OnDisconnect()  starts over.
//
// Every command goes as `SLUICE ONCE @producer seq …` with a number of its own, so that sending it
// again can never apply it twice. A row's next command goes when the one before it is applied; a
// command goes when earlier ones on its key are done, unless both commute (INCR and INCR). So a row
// is applied in order, and so are the rows of one key, whatever is refused, lost or sent again.
//
// Progress is the number of rows all done from the first on; it is kept in the server, in a hash.
// The server remembers the last kSequenceSpan numbers of a producer. Rows are dealt to kProducers
// of them, and none is taken in that is further than this from the progress last stored: whoever
// resumes from there resends nothing that is forgotten.
//
// Owns:     the rows. Borrows the plan and the sink.
// Threads:  none; `now_ms` is any clock that does not step back.
// Failure:  a reply that a row cannot survive rejects the row: its later commands are not sent.
//           One that no row can survive sets failure().
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/load_template.h"
#include "cli/row_source.h"
#include "resp/decoder.h"

namespace sluice::cli {

inline constexpr size_t kSequenceSpan = 1024;   // numbers a server keeps of one producer
inline constexpr size_t kProducers = 4;         // so that stored progress may lag behind
inline constexpr size_t kCommandsMax = 64;      // of one row
inline constexpr size_t kInFlightUsual = 1024;  // commands sent and not answered
inline constexpr size_t kInFlightMax = 1024;
inline constexpr size_t kWindowBytesMax = 64 << 20;  // of rows under way; one larger goes alone
inline constexpr size_t kEmitBytes = 256 << 10;  // of requests that one Emit writes, and one more

struct LoadPlan {
  std::vector<CommandTemplate> commands;  // 1 to kCommandsMax
  std::string producer;                   // the server counts under PRODUCER.0, PRODUCER.1, …
  std::string progress_key;
};

struct LoadProgress {
  uint64_t rows = 0;           // all before this one are done
  uint64_t rejected = 0;       // of those
  uint64_t rejects_bytes = 0;  // of the rejects file that speak of those
  bool done = false;           // the input ended there
};

// Where rejected rows go, in the order of the file.
class RejectSink {
 public:
  virtual ~RejectSink() = default;
  virtual void Add(const Row& row, std::string_view reason) = 0;
  // Makes what was added last beyond this process, and says how long it is now. An error ends the
  // load.
  virtual Result<uint64_t> Flush() = 0;
};

class LoadWindow {
 public:
  LoadWindow(const LoadPlan& plan, RejectSink& sink, const LoadProgress& from,
             size_t in_flight_max);

  bool WantsRow() const;
  // Where to read the next row. Requires: WantsRow().
  Row& NextRow() { return row_at(tail_).row; }
  void Push();
  // There are no more rows (true), or none are read any more (false): the rest is carried out, and
  // the last progress stored says which it was.
  void End(bool whole);

  // Appends requests until the window or kEmitBytes is full.
  void Emit(std::string& to, uint64_t now_ms);
  // Requires: something is in flight.
  void OnReply(const resp::Value& reply, uint64_t now_ms);
  // All that is in flight will be sent again.
  void OnDisconnect();

  bool awaits_reply() const { return flight_begin_ != flight_end_; }
  // The server said that it does not know what it did: reconnect, as after a broken connection.
  bool wants_reconnect() const { return wants_reconnect_; }
  uint64_t paused_until_ms() const { return paused_until_ms_; }
  // Everything taken in is done, and the progress stored.
  bool finished() const { return ended_ && head_ == tail_ && stored_final_; }
  const Status& failure() const { return failure_; }

  uint64_t rows() const { return head_ - from_; }  // done in this run
  uint64_t rejected() const { return rejected_; }  // of those
  uint64_t commands() const { return commands_; }  // applied in this run
  uint64_t refusals() const { return refusals_; }
  const std::string& last_refusal() const { return last_refusal_; }
  const LoadProgress& stored() const { return stored_; }

 private:
  static constexpr uint32_t kProgress = ~uint32_t{0};
  static constexpr size_t kSlots = 8192;  // keys under way, by hash

  struct RowState {
    Row row;
    std::string failure;   // why it is rejected
    uint32_t applied = 0;  // commands
    uint32_t open = 0;     // commands not done
    size_t bytes = 0;
  };
  struct Command {
    uint64_t place = 0;  // among all commands of the input
    uint32_t waits = 0;  // commands that must be done before this one goes
    bool done = true;
    bool blocked = false;  // it is in blocked_
  };
  struct KeySlot {
    uint32_t by_order[2] = {};  // commands under way on these keys, by CommandTemplate::Order
    uint32_t waiting = 0;       // of those, how many are in blocked_
  };

  RowState& row_at(uint64_t row) { return rows_[row % rows_.size()]; }
  size_t index_of(uint64_t row, size_t command) const {
    return row % rows_.size() * plan_.commands.size() + command;
  }
  uint64_t RowOf(size_t index) const { return row_commands_[index].place / plan_.commands.size(); }
  const CommandTemplate& Template(size_t index) const {
    return plan_.commands[index % plan_.commands.size()];
  }
  std::span<const uint32_t> SlotsOf(size_t index) const;

  Status CheckRow(const Row& row) const;
  void Schedule(uint64_t row);
  void MakeReady(size_t index);
  void Unblock(size_t index);
  void Finish(size_t index);
  void FreeWaiters(uint32_t slot, size_t by);
  void RejectRow(size_t index, std::string_view reason);
  void Settle();
  void OnCommandReply(size_t index, const resp::Value& reply, uint64_t now_ms);
  void OnProgressReply(const resp::Value& reply, uint64_t now_ms);
  void Pause(std::string_view refusal, uint64_t now_ms);
  void EncodeCommand(std::string& to, size_t index);
  void SendNote(uint32_t what);
  bool ProgressDue() const;
  void EncodeProgress(std::string& to);

  const LoadPlan& plan_;
  RejectSink& sink_;
  const size_t in_flight_max_;
  const uint64_t from_;
  std::vector<std::string> once_heads_;  // by producer and command: its request up to the number

  std::vector<RowState> rows_;         // a ring, by row number
  std::vector<Command> row_commands_;  // by index_of
  uint64_t head_, tail_;               // rows under way: [head_, tail_)
  size_t row_bytes_ = 0;               // of those

  std::vector<size_t> key_begin_;  // by command of the plan: its first key among a row's
  size_t keys_per_row_ = 0;
  std::vector<uint32_t> key_slots_;  // by row in the ring, then by key
  std::vector<KeySlot> slots_;
  std::vector<uint32_t> blocked_;  // commands that wait for a key
  std::vector<uint32_t> ready_;    // a heap: the first in the input first
  std::vector<uint32_t> flight_;   // a ring of what was sent, oldest first
  uint64_t flight_begin_ = 0, flight_end_ = 0;
  size_t in_flight_ = 0;  // commands in flight_

  LoadProgress stored_, sending_;
  bool progress_in_flight_ = false;
  bool ended_ = false, whole_ = false, sending_final_ = false, stored_final_ = false;

  uint64_t rejected_ = 0, commands_ = 0, refusals_ = 0;
  uint64_t rejected_before_;
  uint64_t paused_until_ms_ = 0;
  bool wants_reconnect_ = false;
  std::string last_refusal_, scratch_;
  Status failure_;
};

}  // namespace sluice::cli
