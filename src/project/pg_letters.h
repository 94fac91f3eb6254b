// Dead letters in a table of PostgreSQL: each change in columns that people can read, and what of
// it is bytes as bytes.
//
// Threads:  any; pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "project/pg_connection.h"
#include "project/sink.h"

namespace sluice::project {

// Tables with their schema, quoted. A letter goes with its row in `projections`.
std::string CreateLetterTable(const std::string& table, const std::string& projections);
PgStatement AddLetter(const std::string& table, const std::string& projection,
                      const DeadLetter& letter);
PgStatement RemoveLetters(const std::string& table, const std::string& projection,
                          const std::vector<uint64_t>& ids);
PgStatement ReadLetters(const std::string& table, const std::string& projection);
// What ReadLetters found. kInvalid: somebody changed it so that it is no letter.
Result<DeadLetter> LetterOf(const PgRow& row);

}  // namespace sluice::project
