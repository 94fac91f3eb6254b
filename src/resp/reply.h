// Reply: writes one RESP2 or RESP3 reply at the end of a string that it borrows.
//
// Format:   https://redis.io/docs/reference/protocol-spec (RESP2 and RESP3)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::resp {

enum class Version : uint8_t { k2 = 2, k3 = 3 };

class Reply {
 public:
  Reply(std::string& to, Version version) : to_(to), version_(version) {}

  Version version() const { return version_; }
  void Simple(std::string_view text);  // +OK; no CR or LF inside
  void Error(std::string_view text);  // "ERR …": the first word is the code; CR, LF become spaces
  void Int(int64_t value);
  void Bulk(std::string_view bytes);
  void Null();                           // $-1, or _
  void NullArray();                      // *-1, or _
  void Array(size_t size);               // then that many replies
  void Map(size_t pairs);                // then 2 * pairs replies; a flat array in RESP2
  void Set(size_t size);                 // an array in RESP2
  void Double(double value);             // a bulk string in RESP2, as Redis prints it
  void Bool(bool value);                 // 1 or 0 in RESP2
  void Verbatim(std::string_view text);  // txt; a bulk string in RESP2
  void Raw(std::string_view encoded);    // a reply that is encoded already

  size_t size() const { return to_.size(); }
  std::string& bytes() { return to_; }

 private:
  std::string& to_;
  Version version_;
};

}  // namespace sluice::resp
