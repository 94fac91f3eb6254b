#include "command/manual.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "command/command.h"

namespace sluice::command {
namespace {

// Goal:   every command that can be called is in the manual, by its name.
// Method: walk over the table; the manual's own order; names that are none.
TEST(Manual, HasEveryCommand) {
  for (const Spec& spec : AllCommands()) {
    if (spec.flags & kUnavailable) continue;
    const ManualEntry* entry = FindManual(spec.name);
    ASSERT_NE(entry, nullptr) << spec.name;
    EXPECT_EQ(entry->name, spec.name);
    EXPECT_EQ(entry->key_use.empty(), spec.first_key == 0) << spec.name;
  }
  EXPECT_TRUE(std::is_sorted(Manual().begin(), Manual().end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const char* name : {"", "a", "zzz", "client|", "get|x", "GET"}) {
    EXPECT_EQ(FindManual(name), nullptr) << name;
  }
}

// Writes arguments as they were written.
std::string Written(const std::vector<Argument>& arguments, std::string_view between) {
  std::string text;
  for (const Argument& argument : arguments) {
    if (!text.empty()) text += between;
    std::string one(argument.token);
    if (argument.type != "pure-token") {
      if (!one.empty()) one += ' ';
      one += argument.name;
      if (argument.type == "oneof" || argument.type == "block") {
        one += "=(" + Written(argument.arguments, argument.type == "oneof" ? " | " : " ") + ")";
      } else if (argument.type != "string" && argument.type != "key") {
        one += ":" + std::string(argument.type);
      }
    }
    if (argument.multiple) one += "...";
    text += argument.optional ? "[" + one + "]" : one;
  }
  return text;
}

// Goal:   nothing of what is written about arguments is lost or misread.
// Method: take apart what the manual says, write it again.
TEST(Manual, ArgumentsComeOutAsTheyWereWritten) {
  for (const ManualEntry& entry : Manual()) {
    EXPECT_EQ(Written(ParseArguments(entry.arguments), " "), entry.arguments) << entry.name;
  }
}

}  // namespace
}  // namespace sluice::command
