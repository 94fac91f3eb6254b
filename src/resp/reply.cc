#include "resp/reply.h"

#include "base/number.h"

namespace sluice::resp {
namespace {

// "$5\r\n" and its like: one append for the head of every reply.
void AppendHead(std::string& to, char marker, int64_t number) {
  char head[kIntCharsMax + 3];
  head[0] = marker;
  char* end = StoreInt(head + 1, number);
  *end++ = '\r';
  *end++ = '\n';
  to.append(head, end - head);
}

// Simple strings and errors end at the line's end, so their text must not hold one.
void AppendLine(std::string& to, char marker, std::string_view text) {
  to.push_back(marker);
  const size_t begin = to.size();
  to.append(text);
  for (size_t i = begin; i < to.size(); ++i) {
    if (to[i] == '\r' || to[i] == '\n') to[i] = ' ';
  }
  to.append("\r\n", 2);
}

}  // namespace

void Reply::Simple(std::string_view text) {
  AppendLine(to_, '+', text);
}

void Reply::Error(std::string_view text) {
  AppendLine(to_, '-', text);
}

void Reply::Int(int64_t value) {
  AppendHead(to_, ':', value);
}

void Reply::Bulk(std::string_view bytes) {
  AppendHead(to_, '$', static_cast<int64_t>(bytes.size()));
  to_.append(bytes);
  to_.append("\r\n", 2);
}

void Reply::Null() {
  to_.append(version_ == Version::k2 ? "$-1\r\n" : "_\r\n");
}

void Reply::NullArray() {
  to_.append(version_ == Version::k2 ? "*-1\r\n" : "_\r\n");
}

void Reply::Array(size_t size) {
  AppendHead(to_, '*', static_cast<int64_t>(size));
}

void Reply::Map(size_t pairs) {
  if (version_ == Version::k2) return Array(2 * pairs);
  AppendHead(to_, '%', static_cast<int64_t>(pairs));
}

void Reply::Set(size_t size) {
  if (version_ == Version::k2) return Array(size);
  AppendHead(to_, '~', static_cast<int64_t>(size));
}

void Reply::Double(double value) {
  const std::string text = PrintDouble(value);
  if (version_ == Version::k2) return Bulk(text);
  to_.push_back(',');
  to_.append(text);
  to_.append("\r\n", 2);
}

void Reply::Bool(bool value) {
  if (version_ == Version::k2) return Int(value ? 1 : 0);
  to_.append(value ? "#t\r\n" : "#f\r\n");
}

void Reply::Verbatim(std::string_view text) {
  if (version_ == Version::k2) return Bulk(text);
  AppendHead(to_, '=', static_cast<int64_t>(text.size() + 4));
  to_.append("txt:");
  to_.append(text);
  to_.append("\r\n", 2);
}

void Reply::Raw(std::string_view encoded) {
  to_.append(encoded);
}

}  // namespace sluice::resp
