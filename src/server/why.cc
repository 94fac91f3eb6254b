#include "server/why.h"

#include <fmt/format.h>

#include <algorithm>

#include "admit/refusal.h"

namespace sluice::server {
namespace {

// What two refusals for one cause have in common: all but how many writes there were and how long
// it takes.
std::string_view CauseOf(std::string_view words) {
  return words.substr(0, std::min(words.find(" retry_ms="), words.find(" writes=")));
}

// Calls `visit` with each "name=value".
template <class Visit>
void ForEachWord(std::string_view words, Visit visit) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    const size_t equals = word.find('=');
    if (equals != std::string_view::npos) visit(word.substr(0, equals), word.substr(equals + 1));
  }
}

}  // namespace

void Why::Refused(std::string_view error, std::string_view command, uint64_t now_us) {
  const std::string words = admit::WordsOf(error.substr(0, error.find('\r')));
  if (!words.empty()) Note("refused", words, command, now_us);
}

void Why::Observed(std::string_view words, std::string_view command, uint64_t now_us) {
  Note("observed", words, command, now_us);
}

void Why::Waited(std::string_view reason, model::Priority priority, uint64_t waited_us,
                 uint64_t now_us) {
  Note("waited", fmt::format("reason={} class={}", reason, admit::NameOf(priority)), {}, now_us)
      .waited_us += waited_us;
}

Why::Entry& Why::Note(std::string_view outcome, std::string_view words, std::string_view command,
                      uint64_t now_us) {
  if (entries_ == nullptr) entries_ = std::make_unique<std::vector<Entry>>();
  const auto found = std::find_if(entries_->begin(), entries_->end(), [&](const Entry& entry) {
    return entry.outcome == outcome && entry.command == command &&
           CauseOf(entry.words) == CauseOf(words);
  });
  if (found != entries_->end()) {
    std::rotate(found, found + 1, entries_->end());
  } else {
    if (entries_->size() == kEntries) entries_->erase(entries_->begin());
    entries_->push_back({outcome, std::string(command), {}});
  }
  Entry& entry = entries_->back();
  entry.words = words;
  entry.last_us = now_us;
  ++entry.times;
  return entry;
}

void Why::Tell(resp::Reply& reply, uint64_t now_us) const {
  if (entries_ == nullptr) return reply.Array(0);
  reply.Array(entries_->size());
  for (auto entry = entries_->rbegin(); entry != entries_->rend(); ++entry) {
    size_t fields = 3 + (entry->command.empty() ? 0 : 1) + (entry->waited_us == 0 ? 0 : 1);
    ForEachWord(entry->words, [&](std::string_view, std::string_view) { ++fields; });
    reply.Map(fields);
    reply.Bulk("outcome");
    reply.Bulk(entry->outcome);
    if (!entry->command.empty()) {
      reply.Bulk("command");
      reply.Bulk(entry->command);
    }
    reply.Bulk("times");
    reply.Int(static_cast<int64_t>(entry->times));
    reply.Bulk("ms_ago");
    reply.Int(static_cast<int64_t>((now_us - std::min(now_us, entry->last_us)) / 1'000));
    if (entry->waited_us > 0) {
      reply.Bulk("waited_ms");
      reply.Int(static_cast<int64_t>(entry->waited_us / 1'000));
    }
    ForEachWord(entry->words, [&](std::string_view name, std::string_view value) {
      reply.Bulk(name);
      reply.Bulk(value);
    });
  }
}

}  // namespace sluice::server
