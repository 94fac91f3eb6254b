// What becomes of changes that follow each other on one key.
//
// Threads:  any; pure functions.
#pragma once

#include <cstddef>

#include "project/sink.h"

namespace sluice::project {

// Puts fields by name, each once; of one that is there several times, the later one counts on top
// of the earlier.
void FoldFields(std::vector<FieldChange>& fields);

// Makes `older` what it and then `newer`, on the same key, come to.
void MergeChange(Change& older, Change&& newer);

// As a batch has them.
void SortByKey(std::vector<Change>& changes);

// About what it holds in memory, and costs to send.
size_t BytesOf(const Change& change);

}  // namespace sluice::project
