// `sluice load`: feeds the rows of a file, or of standard input, to a running server as commands.
//
//   LoadMain()  the command line: options, messages, exit status.
//   Load        the work: connects, reads, sends, resumes.
//
// Every row is applied once, however often the load or the server is interrupted; how, is said in
// load_window.h. The load's identity is made of the file's beginning and size and of the commands;
// its progress is the hash `load:<identity>` in the server.
//
// Threads:  none. LoadMain takes SIGINT and SIGTERM for itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/client.h"
#include "cli/load_input.h"
#include "cli/load_report.h"
#include "cli/load_window.h"
#include "cli/row_source.h"

namespace sluice::cli {

inline constexpr int kConnectMs = 2'000;          // for one attempt
inline constexpr int kCallMs = 30'000;            // for one reply while nothing else is under way
inline constexpr uint64_t kPatienceMs = 120'000;  // without any answer, before a load gives up
inline constexpr uint64_t kDrainMs = 10'000;      // for what is under way when it is told to stop

// What a load says first on each connection. What counts as done must have survived a crash,
// whatever the keyspaces ask for; and loads give way to everybody else, because they have time.
std::vector<std::vector<std::string>> LoadGreeting();

struct LoadOptions {
  std::string file;  // "-": standard input
  std::vector<std::string> commands;
  Address address;
  std::string rejects;  // a file; empty: standard error
  std::optional<Format> format;
  size_t window = kInFlightUsual;
  enum class Begin : uint8_t { kNew, kResume, kRestart } begin = Begin::kNew;
};

// argv[0] is "load". Returns the exit status: 0 every row applied, 1 not so, 2 wrong usage.
int LoadMain(int argc, const char* const* argv);

class Load {
 public:
  // `stop` becomes non-zero when the load should end early.
  Load(LoadOptions options, env::Clock& clock, const volatile int* stop)
      : options_(std::move(options)), clock_(clock), stop_(stop) {}

  // Reads the templates and the header. Nothing is sent.
  //   kInvalid, kNotFound  wrong usage: a command, the file or its columns.
  Status Prepare();
  // Loads all of it, or as much as can be; the summary goes to standard output.
  //   kConflict  this load was begun before, and the options do not say what to do about it.
  // True: every row is applied.
  Result<bool> Run();

 private:
  Result<LoadProgress> Begin();
  Status OpenRun(const LoadProgress& before, uint64_t run);
  Status Skip(uint64_t rows);
  Status Pump();
  Status ReadRows();
  Status Exchange(bool* moved);
  void Wait();
  void Reconnect(const Error& why);
  Status Connect();
  bool stopping() const { return *stop_ != 0; }
  uint64_t NowMs() const { return clock_.MonotonicUs() / 1000; }
  void Summary(const LoadProgress& before) const;

  const LoadOptions options_;
  env::Clock& clock_;
  const volatile int* const stop_;
  std::vector<std::string> columns_;
  LoadPlan plan_;
  std::string identity_;
  Input input_;
  std::unique_ptr<RowSource> rows_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<RejectFile> rejects_;
  std::optional<LoadWindow> window_;
  std::optional<ProgressLine> progress_;
  resp::Value reply_;
  bool ended_ = false;        // no more rows are read
  bool input_waits_ = false;  // the input has nothing right now
  Status input_failure_;      // why it ended early
  uint64_t started_ms_ = 0;
  uint64_t answered_ms_ = 0;  // when the server last answered, or nothing was asked of it
  uint64_t drain_until_ms_ = 0;
  uint64_t backoff_ms_ = 0, connect_at_ms_ = 0;
};

}  // namespace sluice::cli
