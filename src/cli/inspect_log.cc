#include "cli/inspect_log.h"

#include <fmt/format.h>

#include <ostream>
#include <string_view>
#include <utility>
#include <vector>

#include "log/format.h"
#include "log/recovery.h"
#include "log/segment_reader.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kDamaged = 3;  // exit statuses

std::string FlagNames(uint32_t flags) {
  std::string names;
  if (flags & log::kGroupWitness) names += " witness";
  if (flags & log::kGroupCleanStop) names += " clean-stop";
  if (flags & log::kGroupFence) names += " fence";
  return names.empty() ? names : names.substr(1);
}

std::string JsonText(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// Writes the listing in one of its two forms.
class Listing {
 public:
  Listing(std::ostream& out, const InspectLogOptions& options) : out_(out), options_(options) {}

  void Segment(const log::SegmentHeader& header) {
    if (options_.json) {
      out_ << fmt::format(
          R"({{"segment":"{}","log":"{:016x}","bytes":{},"first_lsn":{},"durable_lsn":{},)"
          R"("term":{},"log_time_ms":{},"recycled":{}}})"
          "\n",
          log::SegmentName(header.number), header.log_id.value, header.bytes,
          header.start.next.value, header.durable.value, header.term.value, header.time.ms(),
          header.recycled);
      return;
    }
    out_ << fmt::format("segment {} · log {:016x} · {} bytes · from LSN {} · term {}{}\n",
                        log::SegmentName(header.number), header.log_id.value, header.bytes,
                        header.start.next.value, header.term.value,
                        header.recycled ? " · recycled" : "");
  }

  void Group(const log::SegmentReader& reader) {
    const log::GroupHeader& header = reader.header();
    const log::GroupView& group = reader.group();
    ++groups_;
    records_ += header.records;
    if (options_.json) {
      out_ << fmt::format(
          R"({{"group":{},"first_lsn":{},"last_lsn":{},"records":{},"batches":{},"shards":{},)"
          R"("bytes":{},"term":{},"durable_lsn":{},"log_time_ms":{},"flags":"{}",)"
          R"("checksum":"{:016x}"}})"
          "\n",
          group.offset, header.place.next.value, header.after().next.value - 1, header.records,
          header.batches, header.spans, header.bytes, header.term.value, header.durable.value,
          header.time.ms(), FlagNames(header.flags), header.checksum);
    } else {
      const std::string flags = FlagNames(header.flags);
      const std::string lsns = header.records == 0 ? fmt::format("before LSN {}", group.first.value)
                                                   : fmt::format("LSN {} to {}", group.first.value,
                                                                 header.after().next.value - 1);
      out_ << fmt::format(
          "  {:>10}  {} · {} records in {} batches · {} bytes · term {} · {} ms{}\n", group.offset,
          lsns, header.records, header.batches, header.bytes, header.term.value, header.time.ms(),
          flags.empty() ? "" : " · " + flags);
    }
    if (options_.records) Content(group);
  }

  void End(const std::string& place, std::string_view what, bool damaged) {
    if (options_.json) {
      out_ << fmt::format(R"({{"groups":{},"records":{},"damaged":{},"end":{}}})"
                          "\n",
                          groups_, records_, damaged, JsonText(fmt::format("{}{}", place, what)));
      return;
    }
    out_ << fmt::format("{} groups, {} records; {}{}{}\n", groups_, records_,
                        damaged ? "DAMAGED: " : "", place, what);
  }

 private:
  void Content(const log::GroupView& group) {
    const std::string_view batch_form =
        options_.json ? R"({{"batch":{},"records":{},"bytes":{},"log_time_ms":{}}})"
                      : "              batch from LSN {}: {} records, {} bytes, {} ms";
    const std::string_view shard_form =
        options_.json
            ? R"({{"shard":{},"epoch":{},"lineage":"{:016x}","first_seq":{},"records":{}}})"
            : "              shard {} epoch {} lineage {:016x}: from {}, {} records";
    for (const log::BatchView& batch : group.batches) {
      out_ << fmt::format(fmt::runtime(batch_form), batch.first.value, batch.records,
                          batch.bytes.size(), batch.time.ms())
           << '\n';
    }
    for (const log::ShardSpan& span : group.shards) {
      out_ << fmt::format(fmt::runtime(shard_form), span.shard.value, span.epoch.value,
                          span.lineage.value, span.first_seq.value, span.records)
           << '\n';
    }
  }

  std::ostream& out_;
  const InspectLogOptions& options_;
  uint64_t groups_ = 0, records_ = 0;
};

int StatusOf(const Error& error) {
  return error.code == Code::kCorrupt || error.code == Code::kInvalid ? kDamaged : kFailed;
}

// Lists a segment's groups, up to where `next` begins or no group follows.
Status ListSegment(const log::OpenSegment& segment, const log::SegmentHeader* next,
                   Listing& listing) {
  listing.Segment(segment.header);
  log::SegmentReader reader(segment.file, segment.header);
  for (;;) {
    if (next != nullptr && reader.place() == next->start) return Ok();
    SLUICE_ASSIGN(const auto found, reader.Next(segment.header.bytes));
    if (found != log::SegmentReader::Found::kGroup) return Ok();
    listing.Group(reader);
  }
}

Status ListAll(env::FileSystem& files, const std::string& dir, const log::Directory& directory,
               Listing& listing) {
  std::vector<log::OpenSegment> segments;
  for (const uint64_t number : directory.segments) {
    SLUICE_ASSIGN(log::OpenSegment segment, log::OpenSegmentFile(files, dir, number));
    segments.push_back(std::move(segment));
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool is_last = i + 1 == segments.size();
    SLUICE_TRY(ListSegment(segments[i], is_last ? nullptr : &segments[i + 1].header, listing));
  }
  return Ok();
}

}  // namespace

int InspectLog(env::FileSystem& files, const std::string& dir, const InspectLogOptions& options,
               std::ostream& out) {
  Listing listing(out, options);
  const auto directory = log::ListLog(files, dir);
  if (!directory.has_value()) {
    listing.End("", directory.error().message, StatusOf(directory.error()) == kDamaged);
    return StatusOf(directory.error());
  }
  if (directory->segments.empty()) {
    listing.End(dir, ": no log here", false);
    return kFailed;
  }
  const Status listed = ListAll(files, dir, *directory, listing);
  if (!listed.ok()) {
    listing.End("", listed.error().message, StatusOf(listed.error()) == kDamaged);
    return StatusOf(listed.error());
  }
  // The same judgement as at a start, without a witness from outside the log.
  const auto recovered =
      log::Recover(files, dir, directory->segments, model::Lsn(0), model::Lsn(0));
  if (!recovered.has_value()) {
    listing.End("", recovered.error().message, StatusOf(recovered.error()) == kDamaged);
    return StatusOf(recovered.error());
  }
  const log::RecoveryReport& report = recovered->report;
  const std::string next = fmt::format("next LSN {}", report.next.value);
  if (report.cut_bytes > 0) {
    listing.End(next,
                fmt::format("; torn tail of {} bytes: {}", report.cut_bytes, report.cut_reason),
                false);
  } else {
    listing.End(next, report.clean_stop ? "; stopped in order" : "; not stopped in order", false);
  }
  return kDone;
}

}  // namespace sluice::cli
