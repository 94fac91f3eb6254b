#include "cli/advise.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "cli/advise_live.h"
#include "cli/http_get.h"
#include "cli/object_rows.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kDamaged = 3;
constexpr unsigned kLiveSecondsMost = 600;
constexpr size_t kRowsFew = 1'000;  // with fewer, the figures are guesses

int StatusOf(const Error& error) {
  if (error.code == Code::kCorrupt) return kDamaged;
  const bool usage = error.code == Code::kInvalid || error.code == Code::kNotFound;
  return usage ? kWrongUsage : kFailed;
}

// A column's name that no text file would have.
Status CheckNames(const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) {
      return Fail(Code::kInvalid, fmt::format("column {} of the header has no name", i + 1));
    }
    const bool text = std::none_of(names[i].begin(), names[i].end(), [](char c) {
      return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
    });
    if (!text) return Fail(Code::kInvalid, "the header row is no text: is it CSV, and unpacked?");
  }
  return Ok();
}

struct Said {
  std::string file, format, live, keyspace;
  unsigned seconds = LiveOptions().seconds;
  AdviceOptions advice;
  bool json = false;
};

// "host:port", or "http://user:password@host:port", with a slash behind it or not.
Result<Address> LiveAddress(const std::string& text) {
  constexpr std::string_view kHttp = "http://";
  std::string place = text.substr(text.starts_with(kHttp) ? kHttp.size() : 0);
  if (place.ends_with('/')) place.pop_back();
  const size_t at = place.rfind('@');
  const bool path = place.find('/', at == std::string::npos ? 0 : at) != std::string::npos;
  Result<Address> address = ParseUrl("redis://" + place, kHttpPort);
  if (!path && address.has_value()) return address;
  return Fail(Code::kInvalid,
              "--live must be host[:port] or http://[user:password@]host[:port], without a path");
}

Result<Advice> RunLive(const Said& said) {
  LiveOptions options{
      .http = {}, .keyspace = said.keyspace, .seconds = said.seconds, .advice = said.advice};
  SLUICE_ASSIGN(options.http, LiveAddress(said.live));
  env::LinuxClock clock;
  return AdviseLive(options, clock);
}

Result<Advice> Run(const Said& said) {
  if (!said.live.empty()) return RunLive(said);
  Format format = Format::kCsv;
  if (!said.format.empty()) {
    format = said.format == "csv"   ? Format::kCsv
             : said.format == "tsv" ? Format::kTsv
                                    : Format::kNdjson;
  } else if (said.file != "-" && !FormatOfName(said.file, &format)) {
    return Fail(Code::kInvalid, said.file + ": say --format csv, tsv or ndjson");
  }
  SLUICE_ASSIGN(Input input, OpenInput(said.file));
  Result<Advice> advice = AdviseRows(*input.bytes, format, said.advice);
  const std::string name = said.file == "-" ? "standard input" : said.file;
  if (!advice.has_value()) return Fail(advice.error().In(name));
  advice->source = name;
  return advice;
}

}  // namespace

Result<Advice> AdviseRows(ByteSource& bytes, Format format, const AdviceOptions& options) {
  std::unique_ptr<RowSource> table;
  std::vector<std::string> header;
  const std::vector<std::string>* names = &header;
  if (format == Format::kNdjson) {
    auto objects = std::make_unique<ObjectRows>(bytes);
    names = &objects->columns();
    table = std::move(objects);
  } else {
    SLUICE_ASSIGN(table, OpenTable(bytes, format, &header));
    SLUICE_TRY(CheckNames(header));
  }
  plan::Columns columns;
  Row row;
  std::vector<std::string_view> cells;
  uint64_t bad = 0;
  std::string first_bad;
  for (;;) {
    SLUICE_ASSIGN(const RowSource::State state, table->Next(&row));
    if (state == RowSource::State::kEnd) break;
    if (state == RowSource::State::kWait) {
      WaitForInput(bytes, -1);
      continue;
    }
    if (!row.error.empty()) {
      if (bad++ == 0) first_bad = fmt::format("line {}: {}", row.line, row.error);
      continue;
    }
    cells.clear();
    for (size_t i = 0; i < row.cells.size(); ++i) cells.push_back(row.cell(i));
    columns.Add(cells);
  }
  if (columns.rows() == 0) {
    return Fail(Code::kUnavailable,
                bad == 0 ? "there are no rows" : "none of its rows could be used; " + first_bad);
  }
  if (columns.count() == 0) return Fail(Code::kUnavailable, "its rows have no columns");
  SLUICE_ASSIGN(Advice advice, Advise(*names, columns, options));
  advice.bad_rows = bad;
  advice.first_bad = first_bad;
  return advice;
}

int AdviseMain(int argc, const char* const* argv) {
  Said said;
  CLI::App app("Grades the columns of real rows as shard keys, best first, with the figures why.",
               "sluice advise");
  CLI::Option* file =
      app.add_option("FILE", said.file, "a file (.csv .tsv .ndjson, also .gz .zst .bz2), or -");
  CLI::Option* live = app.add_option("--live", said.live,
                                     "instead of a file, the writes of a running node: its HTTP "
                                     "address, host:port or http://user:password@host:port");
  file->excludes(live);
  app.add_option("--keyspace", said.keyspace, "whose writes; else of the one with the most")
      ->needs(live);
  app.add_option("--seconds", said.seconds, "how long it looks")
      ->needs(live)
      ->check(CLI::Range(1u, kLiveSecondsMost))
      ->capture_default_str();
  app.add_option("--format", said.format, "if the name does not say")
      ->check(CLI::IsMember({"csv", "tsv", "ndjson"}));
  app.add_option("--shards", said.advice.shards, "of the maps that are simulated")
      ->check(CLI::Range(2u, kShardsMost))
      ->capture_default_str();
  app.add_option("--record", said.advice.record,
                 "the column that tells records apart; found, where it can be");
  app.add_option("--together", said.advice.together,
                 "the column whose rows of one value are written by one command");
  app.add_flag("--json", said.json, "one JSON object");
  app.footer("Exit status: 0 done, 1 no row could be used, 2 wrong usage, 3 a damaged archive.");
  try {
    app.parse(argc, argv);
    if (said.file.empty() && said.live.empty()) throw CLI::RequiredError("FILE or --live");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  const Result<Advice> advice = Run(said);
  if (!advice.has_value()) {
    fmt::print(stderr, "sluice advise: {}\n", Printable(advice.error().message));
    return StatusOf(advice.error());
  }
  if (advice->rows < kRowsFew) {
    fmt::print(stderr, "sluice advise: {} rows are few; the figures are guesses\n", advice->rows);
  }
  fmt::print("{}", said.json ? AdviceJson(*advice) : AdviceText(*advice));
  return kDone;
}

}  // namespace sluice::cli
