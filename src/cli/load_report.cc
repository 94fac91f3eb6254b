#include "cli/load_report.h"

#include <csv.h>
#include <errno.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::cli {
namespace {

constexpr uint64_t kEveryMs = 1'000;
constexpr size_t kBarWidth = 30;
constexpr size_t kRowShown = 120;  // characters of a rejected row on standard error

// A row's beginning on one line, with nothing in it that a terminal would obey.
std::string Printable(std::string_view row) {
  std::string text(row.substr(0, kRowShown));
  for (char& c : text) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  if (row.size() > kRowShown) text += "…";
  return text;
}

}  // namespace

Result<std::unique_ptr<RejectFile>> RejectFile::Open(const std::string& path, uint64_t keep_bytes) {
  std::FILE* file = nullptr;
  if (!path.empty()) {
    const auto failure = [&] {
      return Fail(Code::kIo, fmt::format("{}: {}", path, std::strerror(errno)));
    };
    file = std::fopen(path.c_str(), "ab");
    if (file == nullptr) return failure();
    std::fseek(file, 0, SEEK_END);
    keep_bytes = std::min<uint64_t>(keep_bytes, std::ftell(file));
    if (ftruncate(fileno(file), static_cast<off_t>(keep_bytes)) != 0) {
      const Failure why = failure();
      std::fclose(file);
      return why;
    }
  }
  return std::unique_ptr<RejectFile>(new RejectFile(path, file, file == nullptr ? 0 : keep_bytes));
}

RejectFile::~RejectFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void RejectFile::Add(const Row& row, std::string_view reason) {
  if (file_ == nullptr) {
    if (seen_++ < kRejectsShown) {
      fmt::print(stderr, "line {}: rejected: {}: {}\n", row.line, reason, Printable(row.raw));
    } else if (seen_ == kRejectsShown + 1) {
      fmt::print(stderr, "more rejected rows are not shown; --rejects FILE takes them all\n");
    }
    return;
  }
  Write(fmt::format("{},", row.line));
  WriteQuoted(reason);
  Write(",");
  WriteQuoted(row.raw);
  Write("\n");
}

Result<uint64_t> RejectFile::Flush() {
  if (file_ != nullptr && (std::fflush(file_) != 0 || failed_)) {
    return Fail(Code::kIo, fmt::format("{}: {}", path_, std::strerror(errno)));
  }
  return bytes_;
}

void RejectFile::Write(std::string_view bytes) {
  failed_ |= std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size();
  bytes_ += bytes.size();
}

void RejectFile::WriteQuoted(std::string_view text) {
  quoted_.resize(2 * text.size() + 2);
  Write({quoted_.data(), csv_write(quoted_.data(), quoted_.size(), text.data(), text.size())});
  if (quoted_.capacity() > kRowKeep) std::string().swap(quoted_);
}

ProgressLine::ProgressLine(uint64_t now_ms)
    : terminal_(isatty(STDERR_FILENO) == 1), next_ms_(now_ms + kEveryMs), last_ms_(now_ms) {}

void ProgressLine::Show(const Counts& counts, uint64_t consumed, uint64_t now_ms) {
  if (now_ms < next_ms_) return;
  const uint64_t rows = counts.rows;
  const uint64_t rate = (rows - last_rows_) * 1000 / std::max<uint64_t>(1, now_ms - last_ms_);
  next_ms_ = now_ms + kEveryMs;
  last_ms_ = now_ms;
  last_rows_ = rows;
  std::string text;
  if (total_ > 0) {
    const uint64_t percent = std::min<uint64_t>(100, consumed * 100 / total_);
    if (terminal_) {
      const size_t full = kBarWidth * percent / 100;
      text += fmt::format("[{}{}] ", std::string(full, '#'), std::string(kBarWidth - full, ' '));
    }
    text += fmt::format("{} %, ", percent);
  }
  text += fmt::format("{} {}, {} {}/s, {} rejected", rows, counts.name, rate, counts.name,
                      counts.rejected);
  if (counts.refusals > 0) text += fmt::format(", {} refusals", counts.refusals);
  if (terminal_) {
    fmt::print(stderr, "\r{}\x1b[K", text);
    drawn_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
  std::fflush(stderr);
}

void ProgressLine::Say(std::string_view text) {
  Close();
  fmt::print(stderr, "{}\n", text);
}

void ProgressLine::Close() {
  if (drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

}  // namespace sluice::cli
