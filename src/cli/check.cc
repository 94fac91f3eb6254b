#include "cli/check.h"

#include <ostream>

#include "config/config.h"
#include "config/print.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kWrong = 2;

}  // namespace

int Check(const std::string& file, std::ostream& out, std::ostream& err) {
  const auto config = config::LoadFile(file, {});
  if (!config) {
    err << config.error().message << '\n';
    return kWrong;
  }
  out << config::ToToml(*config);
  return kDone;
}

}  // namespace sluice::cli
