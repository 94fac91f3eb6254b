#include "cli/load_window.h"

#include <deque>
#include <map>
#include <set>

#include "base/prng.h"
#include "cli/refusal.h"

namespace sluice::cli {
namespace {

using Request = std::vector<std::string>;

// Takes the requests of a pipeline apart.
std::vector<Request> Requests(std::string_view bytes) {
  std::vector<Request> requests;
  const auto number = [&] {
    const size_t end = bytes.find("\r\n");
    const size_t value = std::stoul(std::string(bytes.substr(1, end - 1)));
    bytes.remove_prefix(end + 2);
    return value;
  };
  while (!bytes.empty()) {
    Request request(number());
    for (std::string& word : request) {
      const size_t size = number();
      word = bytes.substr(0, size);
      bytes.remove_prefix(size + 2);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

resp::Value Text(std::string text) {
  const auto type = text.starts_with('-') ? resp::Value::Type::kError : resp::Value::Type::kSimple;
  resp::Value value;
  value.type = type;
  value.text = type == resp::Value::Type::kError ? text.substr(1) : std::move(text);
  return value;
}

class Rejects final : public RejectSink {
 public:
  void Add(const Row& row, std::string_view reason) override {
    rows.push_back(row.raw + ": " + std::string(reason));
  }
  Result<uint64_t> Flush() override { return rows.size(); }

  std::vector<std::string> rows;
};

// A server that does what is said once, remembers kSequenceSpan numbers, and keeps the order in
// which each key was written.
class FakeServer {
 public:
  std::string Carry(const Request& request) {
    if (request[0] == "HSET") {
      progress[request[2]] = std::stoull(request[3]);
      progress["rejected"] = std::stoull(request[5]);
      progress["done"] = std::stoull(request[9]);
      return "OK";
    }
    EXPECT_EQ(request[0] + " " + request[1] + " " + request[2].substr(0, 3), "SLUICE ONCE @p.");
    std::map<uint64_t, Request>& done = done_[request[2]];
    const uint64_t sequence = std::stoull(request[3]);
    const Request command(request.begin() + 4, request.end());
    if (const auto known = done.find(sequence); known != done.end()) {
      EXPECT_EQ(known->second, command) << "another command under sequence number " << sequence;
      return "OK";
    }
    // An older number would have been forgotten: its command would be applied a second time.
    EXPECT_TRUE(done.empty() || sequence + kSequenceSpan > done.rbegin()->first);
    done[sequence] = command;
    if (command[0] == "INCRBY") counters[command[1]] += std::stoll(command[2]);
    if (command[0] == "SET") written[command[1]].push_back(command[2]);
    return "OK";
  }

  std::map<std::string, std::vector<std::string>> written;
  std::map<std::string, int64_t> counters;
  std::map<std::string, uint64_t> progress;

 private:
  std::map<std::string, std::map<uint64_t, Request>> done_;  // by producer
};

LoadPlan PlanOf(std::vector<std::string> texts, std::vector<std::string>* columns) {
  LoadPlan plan{.commands = {}, .producer = "p", .progress_key = "load:p"};
  for (const std::string& text : texts) {
    plan.commands.push_back(*CommandTemplate::Parse(text, columns));
  }
  return plan;
}

void FillRow(Row* row, const std::vector<std::string>& cells) {
  row->Clear();
  for (const std::string& cell : cells) {
    row->cells.push_back({row->text.size(), cell.size()});
    row->text += cell;
  }
  row->raw = row->text;
}

// What a load of `rows` rows must end with: the sum per counter, and the rows per key in their
// order.
struct Expected {
  std::map<std::string, std::vector<std::string>> written;
  std::map<std::string, int64_t> counters;
};

// Drives one load against a server that loses connections, refuses commands and answers late, all
// drawn from the seed; a new LoadWindow takes over from the stored progress when it is killed.
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : prng_(seed) {
    rows_ = prng_.Below(12'000);
    keys_ = 1 + prng_.Below(prng_.OneIn(2) ? 5 : 2000);
    window_ = prng_.OneIn(3) ? 1 + prng_.Below(8) : kInFlightMax;
    for (uint64_t row = 0; row < rows_; ++row) {
      expected.written[KeyOf(row)].push_back(std::to_string(row));
      expected.counters["n:" + std::to_string(row % 3)] += row % 7;
    }
  }

  void Run() {
    const LoadPlan plan = PlanOf({"SET {key} {row}", "INCRBY n:{third} {amount}"}, &columns_);
    while (server.progress["done"] == 0) {
      Rejects rejects;
      LoadProgress from{.rows = server.progress["rows"]};
      LoadWindow window(plan, rejects, from, window_);
      Session(window, from.rows);
      EXPECT_TRUE(window.failure().ok());
      EXPECT_TRUE(rejects.rows.empty());
      ASSERT_LT(++sessions_, 200);
    }
  }

  FakeServer server;
  Expected expected;

 private:
  std::string KeyOf(uint64_t row) { return std::to_string((row * row + row / 3) % keys_); }

  void Session(LoadWindow& window, uint64_t next) {
    std::deque<Request> wire;
    uint64_t now = 1;
    for (int turn = 0; !window.finished(); ++turn) {
      if (prng_.OneIn(window_ < 10 ? 8000 : 400)) return;  // the loader is killed
      ASSERT_LT(turn, 100'000);
      while (next < rows_ && window.WantsRow() && !prng_.OneIn(50)) {
        FillRow(&window.NextRow(), {KeyOf(next), std::to_string(next), std::to_string(next % 3),
                                    std::to_string(next % 7)});
        window.Push();
        ++next;
      }
      if (next == rows_) window.End(true);
      std::string out;
      window.Emit(out, now);
      for (Request& request : Requests(out)) wire.push_back(std::move(request));
      for (uint64_t count = prng_.Below(wire.size() + 1); count > 0; --count) {
        Answer(window, wire.front(), now);
        wire.pop_front();
        if (window.wants_reconnect()) break;
      }
      if (window.wants_reconnect() || prng_.OneIn(20)) {
        // Some of what was on the wire is carried out all the same.
        for (uint64_t count = prng_.Below(wire.size() + 1); count > 0; --count) {
          server.Carry(wire.front());
          wire.pop_front();
        }
        wire.clear();
        window.OnDisconnect();
      }
      now += prng_.Below(40);
    }
  }

  void Answer(LoadWindow& window, const Request& request, uint64_t now) {
    if (prng_.OneIn(30)) {
      const char* refusals[] = {"-THROTTLED reason=limit scope=x retry_ms=30 applied=no",
                                "-OVERLOADED reason=queue class=low retry_ms=5 applied=no",
                                "-TRYAGAIN moving", "-NOSPACE the disk is full"};
      window.OnReply(Text(refusals[prng_.Below(4)]), now);
    } else if (prng_.OneIn(300)) {
      if (prng_.OneIn(2)) server.Carry(request);
      window.OnReply(Text("-INDOUBT the log failed"), now);
    } else {
      window.OnReply(Text(server.Carry(request)), now);
    }
  }

  Prng prng_;
  uint64_t rows_, keys_;
  size_t window_;
  std::vector<std::string> columns_;
  int sessions_ = 0;
};

// Goal:   every row is applied once and the rows of one key in their order, whatever is refused,
//         lost, in doubt or killed.
// Method: seeded chaos against a model of the server, which forgets as early as it may.
// Broken on purpose: a span beyond kSequenceSpan, no order by key, retries under new numbers, and
//         progress counted before the replies each fail it.
TEST(LoadWindow, AppliesEveryRowOnceAndInOrder) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    chaos.Run();
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    ASSERT_EQ(chaos.server.counters, chaos.expected.counters);
    ASSERT_EQ(chaos.server.written, chaos.expected.written);
  }
}

class Window : public testing::Test {
 protected:
  void Begin(std::vector<std::string> commands, size_t in_flight = kInFlightMax) {
    plan_ = PlanOf(std::move(commands), &columns_);
    window_.emplace(plan_, rejects_, LoadProgress{}, in_flight);
  }
  void Push(const std::vector<std::string>& cells) {
    FillRow(&window_->NextRow(), cells);
    window_->Push();
  }
  // The commands sent now, without SLUICE ONCE; progress is answered at once.
  std::vector<std::string> Sent(uint64_t now = 0) {
    std::string out;
    window_->Emit(out, now);
    std::vector<std::string> sent;
    for (const Request& request : Requests(out)) {
      std::string text;
      for (size_t i = request[0] == "SLUICE" ? 4 : 0; i < request.size(); ++i) {
        text += (text.empty() ? "" : " ") + request[i];
      }
      sent.push_back(text);
    }
    return sent;
  }
  void Reply(const std::string& text, uint64_t now = 0) { window_->OnReply(Text(text), now); }

  std::vector<std::string> columns_;
  LoadPlan plan_;
  Rejects rejects_;
  std::optional<LoadWindow> window_;
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(Window, SendsARowsCommandsOneAfterTheOther) {
  Begin({"SET a{r} 1", "SET b{r} 2"});
  Push({"1"});
  Push({"2"});
  EXPECT_THAT(Sent(), ElementsAre("SET a1 1", "SET a2 1"));
  Reply("OK");
  EXPECT_THAT(Sent(), ElementsAre("SET b1 2"));
}

TEST_F(Window, HoldsWritesOfOneKeyBackUnlessTheyCommute) {
  Begin({"SET k{r} {v}"});
  for (const char* row : {"1", "1", "2", "1"}) Push({row, "x"});
  EXPECT_THAT(Sent(), ElementsAre("SET k1 x", "SET k2 x"));
  Reply("OK");
  EXPECT_THAT(Sent(), ElementsAre("SET k1 x"));

  Begin({"INCR n{n}"});
  for (int i = 0; i < 3; ++i) Push({"1", "x", "1"});
  EXPECT_THAT(Sent(), ElementsAre("INCR n1", "INCR n1", "INCR n1"));
}

TEST_F(Window, RejectsARowAndDoesNotSendItsLaterCommands) {
  Begin({"SET a{r} 1", "INCR b{r}", "SET c{r} 3"});
  Push({"1"});
  Push({"2"});
  window_->NextRow().Clear();
  window_->NextRow().raw = "bad";
  window_->NextRow().error = "not a row";
  window_->Push();
  window_->End(true);
  EXPECT_THAT(Sent(), ElementsAre("SET a1 1", "SET a2 1"));
  Reply("OK");
  Reply("OK");
  EXPECT_THAT(Sent(), ElementsAre("INCR b1", "INCR b2"));
  Reply("-WRONGTYPE no");
  Reply("OK");
  EXPECT_THAT(Sent(), ElementsAre("SET c2 3"));
  Reply("OK");
  EXPECT_THAT(rejects_.rows,
              ElementsAre("1: command 2 of 3, INCR: WRONGTYPE no; 1 applied", "bad: not a row"));
  EXPECT_THAT(Sent(), ElementsAre("HSET load:p rows 3 rejected 2 rejects_bytes 2 done 1"));
  EXPECT_FALSE(window_->finished());
  Reply("OK");
  EXPECT_TRUE(window_->finished());
  EXPECT_EQ(window_->rows(), 3u);
  EXPECT_EQ(window_->rejected(), 2u);
}

TEST_F(Window, WaitsAsLongAsARefusalSays) {
  Begin({"SET a{r} 1"});
  Push({"1"});
  Push({"2"});
  EXPECT_THAT(Sent(100), ElementsAre("SET a1 1", "SET a2 1"));
  Reply("-THROTTLED reason=limit retry_ms=40 applied=no", 100);
  EXPECT_THAT(Sent(139), IsEmpty());
  EXPECT_THAT(Sent(140), ElementsAre("SET a1 1"));
  Reply("-TRYAGAIN later", 150);
  Reply("-OVERLOADED retry_ms=99999999999999999999", 150);
  EXPECT_EQ(window_->paused_until_ms(), 150 + kRetryMsUsual);
  EXPECT_THAT(Sent(150 + kRetryMsUsual), ElementsAre("SET a1 1", "SET a2 1"));
}

TEST_F(Window, KeepsItsBounds) {
  Begin({"SET a{r} 1"}, 3);
  for (int i = 0; i < 5; ++i) Push({std::to_string(i)});
  EXPECT_EQ(Sent().size(), 3u);
  EXPECT_EQ(Sent().size(), 0u);
  Reply("OK");
  EXPECT_EQ(Sent().size(), 1u);

  Begin({"SET a{r} 1"});
  for (size_t i = 0; i < kProducers * kSequenceSpan; ++i) {
    ASSERT_TRUE(window_->WantsRow());
    Push({std::to_string(i)});
  }
  EXPECT_FALSE(window_->WantsRow());

  Begin({"SET a{r} 1"});
  size_t rows = 0;
  for (; window_->WantsRow(); ++rows) Push({std::string(kRowMax / 2, 'x')});
  EXPECT_EQ(rows, kWindowBytesMax / kRowMax);  // the text and the raw row both count
}

TEST_F(Window, GivesUpOnWhatNoRowCanSurvive) {
  for (const char* hopeless : {"-NOAUTH Authentication required.", "-ERR Protocol error: x"}) {
    Begin({"SET a{r} 1"});
    Push({"1"});
    EXPECT_EQ(Sent().size(), 1u);
    Reply(hopeless);
    EXPECT_FALSE(window_->failure().ok());
    EXPECT_THAT(rejects_.rows, IsEmpty());
  }
  Begin({"SET a{r} 1"});
  window_->End(true);
  EXPECT_EQ(Sent().size(), 1u);
  Reply("-NOPERM no");
  EXPECT_FALSE(window_->failure().ok());
}

}  // namespace
}  // namespace sluice::cli
