#include "shard/fetch.h"

#include <algorithm>

#include "command/reply_bound.h"

namespace sluice::shard {
namespace {

// Read at once; large rows are then read one by one, so that each command's bound holds.
constexpr size_t kBytesAtOnce = size_t{4} << 20;

}  // namespace

const Fetch::Row* Fetch::Find(std::string_view key) const {
  const auto at = std::ranges::lower_bound(rows, key, {}, &Row::key);
  return at != rows.end() && at->key == key ? &*at : nullptr;
}

void Fetch::RunAll(std::span<Fetch* const> fetches, store::Store& store) {
  std::vector<store::Store::Lookup> lookups;
  std::vector<Fetch*> owners;
  const auto read_gathered = [&] {
    while (!lookups.empty()) {
      if (const Status read = store.GetMany(lookups, kBytesAtOnce); !read.ok()) {
        for (Fetch* owner : owners) owner->error = read.error();
        lookups.clear();
      }
      size_t left = 0;
      for (size_t i = 0; i < lookups.size(); ++i) {
        if (lookups[i].answer != store::Answer::kCold) {
          owners[i]->TakeRow(lookups[i]);
          continue;
        }
        owners[left] = owners[i];
        lookups[left++] = lookups[i];
      }
      lookups.resize(left);
      owners.resize(left);
    }
  };
  for (Fetch* fetch : fetches) {
    fetch->read_bytes_ = 0;
    for (const std::string& key : fetch->wanted) {
      if (fetch->error) break;
      lookups.emplace_back().key = key;
      owners.push_back(fetch);
      if (lookups.size() == store::Store::kManyMax) read_gathered();
    }
  }
  read_gathered();
  for (Fetch* fetch : fetches) {
    fetch->wanted.clear();
    std::ranges::sort(fetch->rows, {}, &Row::key);
    // A range is read once: the rows were in memory then, and are not now.
    if (!fetch->prefix.empty() && !fetch->scanned && !fetch->error) fetch->RunRange();
  }
}

void Fetch::TakeRow(store::Store::Lookup& lookup) {
  read_bytes_ += lookup.row.size();
  if (read_bytes_ > command::kReplyBytesMax) {
    error = Error{Code::kInvalid, std::string(command::kTooMuchToRead)};
    return;
  }
  rows.push_back(
      {std::string(lookup.key), lookup.answer == store::Answer::kFound, std::move(lookup.row)});
}

void Fetch::RunRange() {
  store::Cursor& cursor = *snapshot.cursor;
  size_t bytes = 0;
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::string_view field = cursor.key().substr(prefix.size());
    bytes += field.size() + cursor.row().size() + 2 * command::kElementBytes;
    if (bytes > command::kReplyBytesMax) {
      error = Error{Code::kInvalid, std::string(command::kHashTooLong)};
      range = {};
      break;
    }
    range.emplace_back(field, cursor.row());
  }
  if (const Status status = cursor.status(); !status.ok()) error = status.error();
  snapshot.cursor.reset();
  scanned = true;
}

}  // namespace sluice::shard
