// Listing: what an inspection found, line by line, for people or as JSON.
//
// A line is an object whose first member says what it is about: for people
// `table 000012.sst · level 0`, with --json one object a line.
//
// Threads:  none.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

namespace sluice::cli {

class Listing {
 public:
  using Line = nlohmann::ordered_json;

  Listing(std::ostream& out, bool json) : out_(out), json_(json) {}
  // `depth`: how far it is set in, for people.
  void Put(const Line& line, int depth = 0);

 private:
  std::ostream& out_;
  const bool json_;
};

// Bytes as they can be shown anywhere: what is no printable ASCII, quotes and backslashes too, as
// \xHH, \", \\, \n, \r, \t. Of more than `most` bytes, the beginning, and how many follow.
std::string Shown(std::string_view bytes, size_t most = 256);

}  // namespace sluice::cli
