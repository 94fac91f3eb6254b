#include "store/rocks_filter.h"

#include <string_view>

#include "base/bytes.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/breaks.h"

namespace sluice::store {
namespace {

class GenerationFilter : public rocksdb::CompactionFilter {
 public:
  GenerationFilter(const KeyspaceOfId& keyspaces, rocksdb::DB* db)
      : keyspaces_(keyspaces), db_(db) {}

  const char* Name() const override { return "sluice.generations"; }

  Decision FilterV2(int, const rocksdb::Slice& slice, ValueType type, const rocksdb::Slice& row,
                    std::string*, std::string*) const override {
    breaks_.DidRow(slice.size() + row.size());
    const std::string_view key = slice.ToStringView();
    if (key.size() < 3 || model::KindOf(key) != model::Kind::kField || type != ValueType::kValue) {
      return Decision::kKeep;
    }
    // The rows of one generation lie side by side, so one look at the head decides for all.
    if (prefix_.empty() || !key.starts_with(prefix_)) stale_ = Judge(key);
    return stale_ ? Decision::kRemove : Decision::kKeep;
  }

 private:
  // True if the hash that the field row belongs to ended. In doubt: false.
  bool Judge(std::string_view key) const {
    prefix_.clear();
    const model::KeyspaceId id = model::KeyspaceOf(key);
    const model::Keyspace* keyspace = keyspaces_(id);
    model::StoredKeyParts parts;
    if (!keyspace || !model::SplitStoredKey(*keyspace, key, &parts) || parts.rest.size() < 8) {
      return false;
    }
    model::ValueKey(value_key_, id, parts.token, parts.key);
    const auto status = db_->Get(read_, db_->DefaultColumnFamily(), value_key_, &head_);
    if (!status.ok() && !status.IsNotFound()) return false;
    prefix_.assign(key.substr(0, key.size() - parts.rest.size() + 8));
    if (status.IsNotFound()) return true;
    model::RowView row;
    const bool decoded = model::DecodeRow(head_.ToStringView(), &row);
    head_.Reset();
    const model::Generation generation(LoadBe64(parts.rest.data()));
    return decoded && (row.type != model::RowType::kLargeHash || generation < row.generation);
  }

  const KeyspaceOfId& keyspaces_;
  rocksdb::DB* const db_;
  const rocksdb::ReadOptions read_ = [] {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    return options;
  }();
  // The verdict on the generation seen last. The interface is const; each compaction has its own.
  mutable std::string prefix_, value_key_;
  mutable rocksdb::PinnableSlice head_;
  mutable bool stale_ = false;
  mutable Breaks breaks_;
};

}  // namespace

std::unique_ptr<rocksdb::CompactionFilter> GenerationFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
  rocksdb::DB* db = db_.load(std::memory_order_acquire);
  if (!db || !keyspaces_) return nullptr;
  return std::make_unique<GenerationFilter>(keyspaces_, db);
}

}  // namespace sluice::store
