#include "shard/fetch.h"

namespace sluice::shard {

void Fetch::Run(store::Store& store) {
  for (std::string& key : wanted) {
    Row row;
    auto answer = store.Get(key, store::Tier::kDisk, &row.bytes);
    if (!answer.has_value()) {
      error = answer.error();
      return;
    }
    row.exists = *answer == store::Answer::kFound;
    rows.emplace(std::move(key), std::move(row));
  }
  wanted.clear();
  if (prefix.empty()) return;
  store::Cursor& cursor = *snapshot.cursor;
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    range.emplace_back(cursor.key().substr(prefix.size()), cursor.row());
  }
  if (const Status status = cursor.status(); !status.ok()) error = status.error();
  snapshot.cursor.reset();
  scanned = true;
}

}  // namespace sluice::shard
