#include "config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "config/problems.h"
#include "config/read.h"
#include "config/resolve.h"

namespace sluice::config {

std::string Address::Text() const {
  const bool bare_v6 = host.find(':') != std::string::npos;
  return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool Address::IsLoopback() const {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

Result<Config> Load(std::string_view text, std::string_view filename, const Overrides& overrides) {
  Problems problems(filename);
  Config config = Read(text, overrides, problems);
  Resolve(config, problems);
  SLUICE_TRY(problems.Verdict());
  return config;
}

Result<Config> LoadFile(const std::string& path, const Overrides& overrides) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const Code code = errno == ENOENT ? Code::kNotFound : Code::kIo;
    return Fail(code, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return Fail(Code::kIo, fmt::format("{}: cannot be read", path));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) {
    return Fail(Code::kInvalid, fmt::format("{}: larger than {} bytes", path, kFileBytesMax));
  }
  return Load(text, path, overrides);
}

}  // namespace sluice::config
