#include "server/once.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/text.h"

namespace sluice::server {
namespace {

void AddSized(XXH3_state_t* state, std::string_view bytes) {
  char size[8];
  StoreLe(size, uint64_t{bytes.size()});
  XXH3_64bits_update(state, size, sizeof size);
  XXH3_64bits_update(state, bytes.data(), bytes.size());
}

}  // namespace

OnceRequest ReadOnce(command::Args args) {
  OnceRequest request;
  const bool producer = args[2].starts_with('@');
  const std::string_view name = producer ? args[2].substr(1) : args[2];
  if (name.empty() || name.size() > kOnceTokenBytesMax) {
    request.error = producer ? "ERR a producer's name has 1 to 1024 bytes behind its @"
                             : "ERR a ONCE token has 1 to 1024 bytes";
    return request;
  }
  request.once.kind = producer ? shard::Once::Kind::kProducer : shard::Once::Kind::kToken;
  request.once.token = name;
  size_t inner = 3;
  if (producer) {
    int64_t seq = 0;
    if (!ParseInt(args[3], &seq) || seq < 1) {
      request.error = "ERR a producer's sequence number is an integer from 1 on";
      return request;
    }
    request.once.seq = static_cast<uint64_t>(seq);
    inner = 4;
  }
  if (inner == args.size()) {
    request.error = "ERR SLUICE ONCE needs a command to run";
    return request;
  }
  request.inner = args.subspan(inner);
  request.once.digest = DigestOf(request.inner);
  return request;
}

uint64_t DigestOf(command::Args args) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  AddSized(&state, Lower(args[0]));
  for (const std::string_view arg : args.subspan(1)) AddSized(&state, arg);
  return XXH3_64bits_digest(&state);
}

}  // namespace sluice::server
