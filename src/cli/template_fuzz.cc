// Commands of `sluice load`: split as the server splits inline commands, and filled in to what the
// server takes apart again, whatever the cells hold.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "cli/load_template.h"
#include "resp/parser.h"

namespace sluice::cli {
namespace {

using Words = std::vector<std::string>;

// The one command in `bytes`; nothing when the parser refuses it or wants more.
Words Parsed(const std::string& bytes) {
  resp::Parser parser(resp::kLimits);
  size_t consumed = 0;
  std::vector<std::string_view> args;
  if (parser.Next(bytes, &consumed, &args) != resp::Parser::Got::kCommand) return {};
  SLUICE_CHECK(consumed == bytes.size());
  return {args.begin(), args.end()};
}

void CheckSplit(std::string_view text) {
  // Blanks that are no separators inside a line, and what is no inline command.
  if (text.find_first_of("\r\n\v\f") != std::string_view::npos || text.starts_with('*')) return;
  const auto words = SplitWords(text);
  const std::string name = words.has_value() && !words->empty() ? words->front() : "";
  if (name.empty() || name.size() == 4 || name.size() == 5) return;  // POST and Host:
  SLUICE_CHECK(Parsed(std::string(text) + "\n") == *words);
}

}  // namespace
}  // namespace sluice::cli

SLUICE_FUZZ(cli_template) {
  using namespace sluice;
  using namespace sluice::cli;
  Reader reader(bytes);
  const std::string_view text = TakePiece(reader, 120);
  CheckSplit(text);
  std::vector<std::string> columns;
  const auto command = CommandTemplate::Parse(text, &columns);
  if (!command.has_value()) return;
  Row row;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string_view cell = TakePiece(reader, 40);
    row.cells.push_back({row.text.size(), cell.size()});
    row.text += cell;
  }
  SLUICE_CHECK(command->CheckSize(row).ok());
  // Behind a word of our own: the first one might speak HTTP.
  std::string filled = "*" + std::to_string(command->words() + 1) + "\r\n$1\r\nX\r\n";
  command->AppendWords(filled, row);
  SLUICE_CHECK(Parsed(filled).size() == command->words() + 1);
  std::string scratch;
  for (size_t i = 0; i < command->keys(); ++i) command->KeyHash(i, row, &scratch);
}
