// The manual: what clients are told of each command besides its entry in the table, and of each
// command of a container ("client|kill").
//
// Arguments are written as a person would write them, and taken apart for COMMAND DOCS:
//
//   key, value           an argument of that name; `count:integer` says its type, else it is a
//                        string
//   GET, COUNT count     a word to be written as it stands, alone or before an argument
//   [x]  x...            may be left out; may be repeated
//   name=(a b)           a b, in this order; name=(a | b): one of them
//
// Threads:  any; constant.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace sluice::command {

struct ManualEntry {
  std::string_view name;   // lower case
  std::string_view since;  // version of Redis that brought it; of Sluice, for its own
  std::string_view complexity;
  std::string_view arguments = {};  // without the command's own words
  std::string_view key_use = {};    // what it does with its keys, as key specifications say it
};

std::span<const ManualEntry> Manual();  // by name
// Null if there is none.
const ManualEntry* FindManual(std::string_view name);

struct Argument {
  std::string_view name, type;  // types as COMMAND DOCS names them
  std::string_view token;       // the word to be written before it, or instead of it
  bool optional = false, multiple = false;
  std::vector<Argument> arguments;  // of a block or of a choice
};

// Requires: `text` is as described above.
std::vector<Argument> ParseArguments(std::string_view text);

}  // namespace sluice::command
