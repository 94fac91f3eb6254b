// SLUICE_FUZZ: what must hold of any bytes at all, as one function per decoder.
//
//   SLUICE_FUZZ(resp_requests) { … `bytes` … }
//
// In the build of `./dev fuzz` it is what libFuzzer calls, in a program of its own. In every other
// build it is a test that takes each file of tests/fuzz/corpus/resp_requests, and no bytes at all.
//
// Failure:  a SLUICE_CHECK that does not hold, or a sanitizer's report, ends the program.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sluice {

// Up to `most` bytes off the front, as many as the first of them says; fewer at the end. So that a
// target can make several arguments of its bytes.
inline std::string_view TakePiece(Reader& reader, size_t most) {
  const size_t size = reader.Le<uint8_t>() % (most + 1);
  return reader.Bytes(std::min(size, reader.left()));
}

}  // namespace sluice

#ifdef SLUICE_LIBFUZZER

#define SLUICE_FUZZ(name)                                                   \
  static void Fuzz_##name(std::string_view bytes);                          \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    Fuzz_##name({reinterpret_cast<const char*>(data), size});               \
    return 0;                                                               \
  }                                                                         \
  static void Fuzz_##name(std::string_view bytes)

#else

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice {

inline void ReplayCorpus(const std::string& name, void (*target)(std::string_view)) {
  target({});
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    // Its own allocation, of its size: a sanitizer sees each read past the end.
    std::string content(std::istreambuf_iterator<char>(file), {});
    content.shrink_to_fit();
    target(content);
    ++files;
  }
  EXPECT_GT(files, 0u) << "tests/fuzz/corpus/" << name << " is empty";
}

}  // namespace sluice

#define SLUICE_FUZZ(name)                          \
  static void Fuzz_##name(std::string_view bytes); \
  TEST(Fuzz, name) {                               \
    sluice::ReplayCorpus(#name, Fuzz_##name);      \
  }                                                \
  static void Fuzz_##name(std::string_view bytes)

#endif
