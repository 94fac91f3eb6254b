#include "shard/fetch.h"

#include "command/reply_bound.h"

namespace sluice::shard {

void Fetch::Run(store::Store& store) {
  size_t read_bytes = 0;
  for (std::string& key : wanted) {
    Row row;
    auto answer = store.Get(key, store::Tier::kDisk, &row.bytes);
    if (!answer.has_value()) {
      error = answer.error();
      return;
    }
    row.exists = *answer == store::Answer::kFound;
    read_bytes += row.bytes.size();
    if (read_bytes > command::kReplyBytesMax) {
      error = Error{Code::kInvalid, std::string(command::kTooMuchToRead)};
      return;
    }
    rows.emplace(std::move(key), std::move(row));
  }
  wanted.clear();
  if (prefix.empty()) return;
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
