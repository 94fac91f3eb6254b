#include "project/change.h"

#include <algorithm>
#include <utility>

namespace sluice::project {
namespace {

constexpr size_t kChangeBytes = 64;  // of a change or field, beside its texts

// `newer` on top: increments of increments add up; whatever else is there replaces.
template <class Part>
void MergeAdded(const Part& older, Part& newer) {
  if (!newer.added) return;
  newer.added = older.added && !__builtin_add_overflow(older.delta, newer.delta, &newer.delta);
  if (!newer.added) newer.delta = 0;
}

}  // namespace

void FoldFields(std::vector<FieldChange>& fields) {
  std::stable_sort(fields.begin(), fields.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  size_t kept = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (kept > 0 && fields[kept - 1].name == fields[i].name) {
      MergeAdded(fields[kept - 1], fields[i]);
      fields[kept - 1] = std::move(fields[i]);
    } else {
      if (kept != i) fields[kept] = std::move(fields[i]);
      ++kept;
    }
  }
  fields.resize(kept);
}

void MergeChange(Change& older, Change&& newer) {
  newer.writes += older.writes;
  if (newer.kind == Change::Kind::kValue && older.kind == Change::Kind::kValue) {
    MergeAdded(older, newer);
  } else if (newer.kind == Change::Kind::kValue) {
    // An increment from nothing is a value like any other.
    newer.added = false;
    newer.delta = 0;
  }
  if (newer.kind == Change::Kind::kFields && !newer.whole) {
    if (older.kind == Change::Kind::kFields) {
      newer.whole = older.whole;
      newer.fields.insert(newer.fields.begin(), std::make_move_iterator(older.fields.begin()),
                          std::make_move_iterator(older.fields.end()));
      FoldFields(newer.fields);
      // Of a whole hash, a field that is not there is absent.
      if (newer.whole) std::erase_if(newer.fields, [](const auto& field) { return !field.value; });
    } else {
      newer.whole = true;
    }
  }
  older = std::move(newer);
}

void SortByKey(std::vector<Change>& changes) {
  std::sort(changes.begin(), changes.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
}

size_t BytesOf(const Change& change) {
  size_t bytes = kChangeBytes + change.key.size() + change.value.size();
  for (const FieldChange& field : change.fields) {
    bytes += kChangeBytes + field.name.size() + (field.value ? field.value->size() : 0);
  }
  return bytes;
}

}  // namespace sluice::project
