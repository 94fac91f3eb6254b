// CommandTemplate: a command with the places where a row's columns go.
//
// 'HSET review:{id} text {text}' is split into words first, by the quoting rules of redis-cli, and
// filled in then, so that a value may hold spaces and quotes. {{ and }} stand for braces.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/row_source.h"

namespace sluice::cli {

inline constexpr size_t kWordsMax = 4'096;            // of one command
inline constexpr size_t kWordBytesMax = 16 << 20;     // of one word filled in, as servers take it
inline constexpr size_t kCommandBytesMax = 32 << 20;  // of one command filled in

// Splits as redis-cli does: "…" with \n \r \t \b \a \xHH \" \\, '…' with \', blanks between words.
//   kInvalid  a quote is not closed, or closed in the middle of a word.
Result<std::vector<std::string>> SplitWords(std::string_view text);

class CommandTemplate {
 public:
  // Whether the command may change places with others of the same kind on the same key.
  enum class Order : uint8_t { kCommutative, kOrdered };

  // Columns not yet in `columns` are added to it.
  //   kInvalid  the text is no command; the message says where.
  static Result<CommandTemplate> Parse(std::string_view text, std::vector<std::string>* columns);

  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }  // upper case
  Order order() const { return order_; }
  size_t words() const { return words_.size(); }
  // How many of its words are keys; KeyHash(i) is equal for equal keys, whatever the template.
  size_t keys() const { return keys_.size(); }
  uint64_t KeyHash(size_t key, const Row& row, std::string* scratch) const;

  // kInvalid: filled in, a word or the command is larger than servers take.
  Status CheckSize(const Row& row) const;
  // Appends its words, each as "$size\r\nbytes\r\n".
  void AppendWords(std::string& to, const Row& row) const;

 private:
  struct Part {
    std::string literal;
    size_t cell = 0;
    bool is_cell = false;
  };
  struct Word {
    std::vector<Part> parts;
    std::string encoded;  // of a word without columns
  };

  Status ParseWord(std::string_view word, std::vector<std::string>* columns);
  void FindKeys();
  static size_t SizeOf(const Word& word, const Row& row);
  static void AppendBytes(std::string& to, const Word& word, const Row& row);

  std::string text_, name_;
  std::vector<Word> words_;
  std::vector<size_t> keys_;  // words that are keys
  Order order_ = Order::kOrdered;
};

}  // namespace sluice::cli
