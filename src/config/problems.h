// Problems: where each setting was said, and what is wrong with it; all mistakes of a file at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace sluice::config {

struct Place {
  std::string flag;  // of the command line; else line and column of the file
  uint32_t line = 0, column = 0;
};

class Problems {
 public:
  explicit Problems(std::string_view filename) : filename_(filename) {}

  // Remembers where the setting `path` ("keyspace.likes.shards") was said.
  void Said(const std::string& path, Place place) { places_[path] = std::move(place); }
  bool WasSaid(std::string_view path) const { return places_.find(path) != places_.end(); }
  // Where it was said, or the nearest part around it that was.
  Place PlaceOf(std::string_view path) const;

  void At(const Place& place, std::string_view message);
  void At(std::string_view path, std::string_view message) { At(PlaceOf(path), message); }

  bool none() const { return lines_.empty(); }
  // kInvalid with all of them, in the order of the file, one a line; Ok when there are none.
  Status Verdict() const;

 private:
  struct Line {
    Place place;
    std::string text;
  };

  std::string filename_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<Line> lines_;
};

}  // namespace sluice::config
