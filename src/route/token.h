// Tokens: from a key's segments to its place in its keyspace's ordered space.
//
// Format (docs/formats/topology.md): the parts of model::TokenPart, one after the other.
//   hash    XXH3-64 of the segments, each followed by a zero byte; big-endian. Keyspace `default`
//           hashes the key, or its {tag}, as it is.
//   range   per segment
//             01 n digits tie    at most 20 digits: n significant ones (leading zeroes dropped),
//             then
//                                255 - leading zeroes; for zero (n = 0) how many zeroes
//             02 bytes 00 01     all else, with 00 written as 00 ff
//   geo     the region's number; big-endian, 2 bytes
//
// Threads:  any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::route {

inline constexpr size_t kNumberDigitsMax = 20;  // a longer segment of digits sorts by bytes

// What keyspace `default` hashes of a key: what stands between the first `{` and the next `}` if
// that is not empty, else all of it. As in Redis Cluster.
std::string_view HashedPart(std::string_view key);

// Each adds its bytes at the end of `to`.
void AppendHash(std::string& to, std::string_view bytes);
void AppendHash(std::string& to, std::span<const std::string_view> segments);
void AppendRangeCode(std::string& to, std::string_view segment);
void AppendRegion(std::string& to, uint16_t number);

}  // namespace sluice::route
