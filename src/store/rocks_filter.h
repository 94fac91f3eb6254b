// Drops the field rows of hashes that ended, when RocksDB compacts them: those whose generation the
// key's present row does not have any more. So ending a large hash costs one row, not its fields.
//
// A run is atomic and generations only grow, so the store never holds a head without its fields: a
// field row whose generation is not the head's now will never be a hash's again.
//
// Threads:  any; each compaction makes a filter of its own.
#pragma once

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "model/ids.h"
#include "model/keyspace.h"

namespace sluice::store {

using KeyspaceOfId = std::function<const model::Keyspace*(model::KeyspaceId)>;

class GenerationFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  explicit GenerationFilterFactory(KeyspaceOfId keyspaces) : keyspaces_(std::move(keyspaces)) {}

  // Until it knows the store it drops nothing: compactions may begin before the store is open.
  void Use(rocksdb::DB* db) { db_.store(db, std::memory_order_release); }

  const char* Name() const override { return "sluice.generations"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;

 private:
  KeyspaceOfId keyspaces_;
  std::atomic<rocksdb::DB*> db_ = nullptr;
};

}  // namespace sluice::store
