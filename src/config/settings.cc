#include "config/settings.h"

#include "config/quantity.h"

namespace sluice::config {
namespace {

constexpr uint64_t kKiB = uint64_t{1} << 10, kMiB = uint64_t{1} << 20, kGiB = uint64_t{1} << 30,
                   kTiB = uint64_t{1} << 40;
constexpr uint64_t kSecondMs = 1'000, kDayMs = 86'400'000;

using S = ServerConfig;
constexpr Setting<S> kServer[] = {
    {{"listen", Type::kAddress, R"("127.0.0.1:7379")", 0, 0, Change::kRestart,
      "Where clients connect. An address that other machines reach needs a user with a password."},
     &S::listen},
    {{"http", Type::kAddress, R"("127.0.0.1:7380")", 0, 0, Change::kRestart,
      "Where metrics, health and the console are served; the same rule as for `listen`."},
     &S::http},
    {{"lanes",
      Type::kCount,
      "0",
      0,
      256,
      Change::kRestart,
      "Threads that own shards and connections; 0 makes one per core that the process may use "
      "(affinity, and the CPU limit of a container), but for one that is left to log and store.",
      {"1", "2", "3", "5"}},
     &S::lanes},
    {{"memory", Type::kSize, R"("1GiB")", 64 * kMiB, 64 * kTiB, Change::kRestart,
      "For everything Sluice holds: write buffers, queues, client buffers, block cache."},
     &S::memory_bytes},
    {{"once_window",
      Type::kMillis,
      R"("10m")",
      kSecondMs,
      30 * kDayMs,
      Change::kLive,
      "How long `SLUICE ONCE` remembers a token.",
      {"1s", "30s"}},
     &S::once_window_ms},
    {{"once_bytes", Type::kSize, R"("64MiB")", 64 * kKiB, kTiB, Change::kRestart,
      "Room for remembered tokens. At this bound a new token is refused; none is forgotten early."},
     &S::once_bytes},
};

using L = LogConfig;
constexpr Setting<L> kLog[] = {
    {{"group_bytes",
      Type::kSize,
      R"("256KiB")",
      4 * kKiB,
      64 * kMiB,
      Change::kLive,
      "A group of records closes at this size, for one fsync. At most `segment`.",
      {"4KiB", "5001", "64KiB"}},
     &L::group_bytes},
    {{"group_delay",
      Type::kMicros,
      R"("0ms")",
      0,
      1'000'000,
      Change::kLive,
      "Or this long after its first record; 0ms: as soon as the disk is free.",
      {"1us", "1ms", "50ms"}},
     &L::group_delay_us},
    {{"latency_target",
      Type::kMicros,
      R"("0ms")",
      0,
      1'000'000,
      Change::kLive,
      "How long a write may wait to be durable so that fewer syncs pay for more writes: a group "
      "stays open as long as this leaves beside the measured time of a sync, and while more "
      "comes. Then `group_delay` is only a bound, unless it is 0ms. 0ms: no target.",
      {"1us", "5ms", "50ms"}},
     &L::latency_target_us},
    {{"segment",
      Type::kSize,
      R"("128MiB")",
      kMiB,
      4 * kGiB,
      Change::kRestart,
      "Size of the files that the log is made of.",
      {"1MiB"}},
     &L::segment_bytes},
    {{"keep", Type::kText, R"("25%")", 0, 0, Change::kRestart,
      "How far behind a projection may be: a size, or a share of what the disk has for the log at "
      "the start. At this bound the projection's `on_full` decides."},
     &L::keep},
};

using W = RebalanceConfig;
constexpr Setting<W> kRebalance[] = {
    {{"mode", Type::kText, R"("preview")", 0, 0, Change::kLive,
      "What the balancer does: `on`, starts jobs; `preview`, says what it would start, and what no "
      "job would cure; `off`, says the second only."},
     &W::mode},
    {{"cooldown", Type::kMillis, R"("5m")", 60 * kSecondMs, kDayMs, Change::kLive,
      "How long a shard that was split, merged or moved is left alone. Where a shard or a lane has "
      "nearly all that it carries, a minute is enough."},
     &W::cooldown_ms},
    {{"window", Type::kText, R"("always")", 0, 0, Change::kLive,
      "The part of each day in which the balancer may start jobs: `02:00-05:00`, UTC; over "
      "midnight when it ends before it begins."},
     &W::window},
    {{"jobs", Type::kCount, "1", 1, 64, Change::kLive,
      "Jobs under way at which the balancer starts no more, whoever began them."},
     &W::jobs},
};

using K = KeyspaceConfig;
constexpr Setting<K> kKeyspace[] = {
    {{"key", Type::kText, "", 0, 0, Change::kNever,
      "The template of its keys, `likes:{post_id}`. Every keyspace needs one; `default` has none."},
     &K::key},
    {{"shard", Type::kText, "", 0, 0, Change::kNever,
      "How a key becomes a token: `hash(a, b)`, `range(a, b)`, `geo(a) then hash(b)`, `geo(a) then "
      "range(b)`. Default: hash over all segments."},
     &K::shard},
    {{"shards", Type::kCount, "", 1, kShardsMax, Change::kBegin,
      "Shards to begin with. Default: 8 for hash, one more than `split_points` for range. With geo "
      "each region says its own."},
     &K::shards},
    {{"split_points", Type::kSplitPoints, "", 0, 0, Change::kBegin,
      "Where range shards are cut, in order: `[\"2000\", \"4000\"]`, or with several segments "
      "`[[\"a\", \"10\"]]`. One fewer than `shards`."},
     &K::split_points},
    {{"ack", Type::kAck, R"("durable")", 0, 0, Change::kLive,
      "When a write is answered: `memory`, once it is applied; `durable`, once it is on disk."},
     &K::ack},
    {{"regions", Type::kRegions, "", 0, 0, Change::kRestart,
      "The regions of a geo keyspace. Regions may be added; what a region matches stays."},
     &K::regions},
    {{"unknown_region", Type::kText, R"("reject")", 0, 0, Change::kNever,
      "What to do with a value that no region matches: `reject`, or the region to use."},
     &K::unknown_region},
    {{"ttl", Type::kMillis, "", 1, 36'500 * kDayMs, Change::kLive,
      "Life of keys written without one; `none`: they stay. Default: none."},
     &K::ttl_ms},
    {{"append_only", Type::kFlag, "false", 0, 0, Change::kLive,
      "Refuses deleting and overwriting."},
     &K::append_only},
    {{"hot_key", Type::kText, R"("fold")", 0, 0, Change::kLive,
      "What many writes to one key become: `fold`, those of one turn of the shard are one record "
      "of "
      "the log; `off`, each is a record of its own."},
     &K::hot_key},
    {{"priority", Type::kText, R"("normal")", 0, 0, Change::kLive,
      "What is served first when there is not enough for all: `critical`, `normal`, then `low`. A "
      "connection may lower its own (`SLUICE PRIORITY`)."},
     &K::priority},
    {{"limit", Type::kText, R"("none")", 0, 0, Change::kLive,
      "Writes of the whole keyspace: `50000/s`, `600/m burst 50`."},
     &K::limit},
    {{"client_limit", Type::kText, R"("none")", 0, 0, Change::kLive,
      "Writes of each user, or of each address where there is no user with a password."},
     &K::client_limit},
    {{"limit_by", Type::kLimitBy, R"("none")", 0, 0, Change::kLive,
      "Writes for each value of one segment: `{ segment = \"tenant\", rate = \"2000/s\" }`."},
     &K::limit_by},
    {{"limit_mode", Type::kText, R"("enforce")", 0, 0, Change::kLive,
      "`enforce`: writes past a limit are refused. `observe`: they are only counted."},
     &K::limit_mode},
    {{"capacity", Type::kText, R"("none")", 0, 0, Change::kLive,
      "Writes that one shard carries, `12000/s`: what the balancer goes by. `none`: it splits only "
      "what is too large to be moved."},
     &K::capacity},
    {{"split_at", Type::kText, R"("0.66")", 0, 0, Change::kLive,
      "From where on a shard is split: a share of `capacity` from 0.1 to 1, or a rate within "
      "these, "
      "`8000/s`. A rate needs a `capacity`, which cannot become `none` while it stands."},
     &K::split_at},
};

using Y = LimitByConfig;
constexpr Setting<Y> kLimitBy[] = {
    {{"segment", Type::kText, "", 0, 0, Change::kLive, "A segment of the keyspace's template."},
     &Y::segment},
    {{"rate", Type::kText, "", 0, 0, Change::kLive, "Writes for each of its values."}, &Y::rate},
};

using R = RegionConfig;
constexpr Setting<R> kRegion[] = {
    {{"match", Type::kTexts, "", 0, 0, Change::kRestart,
      "Values of the geo segment that mean this region. Default: its name."},
     &R::match},
    {{"shards", Type::kCount, "", 1, kShardsMax, Change::kBegin,
      "Shards to begin with. Default: 1, or one more than `split_points`."},
     &R::shards},
    {{"tag", Type::kText, "", 0, 0, Change::kRestart,
      "Nodes that may own it. On one node it keeps no bytes apart."},
     &R::tag},
    {{"split_points", Type::kSplitPoints, "", 0, 0, Change::kBegin,
      "Where the region's range shards are cut."},
     &R::split_points},
};

using B = BatchConfig;
constexpr Setting<B> kBatch[] = {
    {{"rows",
      Type::kCount,
      "10000",
      1,
      100'000,
      Change::kRestart,
      "Rows of one batch at most. Batches are smaller where the sink takes long for them.",
      {"1", "7"}},
     &B::rows},
    {{"every",
      Type::kMicros,
      R"("50ms")",
      0,
      3'600'000'000,
      Change::kRestart,
      "A batch that is not full waits so long for more.",
      {"0ms", "1s"}},
     &B::every_us},
};

using P = ProjectionConfig;
constexpr Setting<P> kProjection[] = {
    {{"from", Type::kText, "", 0, 0, Change::kRestart, "The keyspace whose writes it carries on."},
     &P::from},
    {{"to", Type::kText, "", 0, 0, Change::kRestart,
      "Where to: `postgresql://user@host/database`, or `file:DIR` for an archive of NDJSON files."},
     &P::to},
    {{"table", Type::kText, "", 0, 0, Change::kRestart,
      "The table, `schema.table` if it is not in the search path."},
     &P::table},
    {{"columns", Type::kColumns, "", 0, 0, Change::kRestart,
      "What fills each column: `{segment}` of the key, `{key}`, `value` of a string or counter, or "
      "a "
      "hash's field by its name."},
     &P::columns},
    {{"key", Type::kTexts, "", 0, 0, Change::kRestart,
      "The columns that tell rows apart. Together they hold all segments, or `{key}`."},
     &P::key},
    {{"mode", Type::kText, R"("set")", 0, 0, Change::kRestart,
      "`set`: rows get values. `add`: rows get deltas, and only increments are allowed on the "
      "keys."},
     &P::mode},
    {{"adopt", Type::kText, R"("refuse")", 0, 0, Change::kRestart,
      "A table with rows and without this projection's position: `refuse` it, `overwrite` rows, "
      "`add` to them, or `seed`: read them into the keyspace first."},
     &P::adopt},
    {{"on_expire", Type::kText, R"("keep")", 0, 0, Change::kRestart,
      "What the end of a key's life does to its row: `keep` or `delete`."},
     &P::on_expire},
    {{"rate", Type::kText, "", 0, 0, Change::kRestart,
      "A pace that the sink likes, `5000 rows/s`. Default: as fast as it goes."},
     &P::rate},
    {{"batch", Type::kBatch, "", 0, 0, Change::kRestart,
      "`{ rows = 10000, every = \"50ms\" }`: how large batches are, and how long they gather."},
     &P::batch},
    {{"connections", Type::kCount, "2", 1, 16, Change::kRestart, "To the database, at most."},
     &P::connections},
    {{"on_full", Type::kText, R"("stop")", 0, 0, Change::kRestart,
      "At the bound of `log.keep`: `stop` this projection, or `block` the writers."},
     &P::on_full},
    {{"create", Type::kFlag, "false", 0, 0, Change::kRestart, "Makes the table if there is none."},
     &P::create},
};

using U = UserConfig;
constexpr Setting<U> kUser[] = {
    {{"password_sha256", Type::kText, "", 0, 0, Change::kLive,
      "SHA-256 of the password in 64 hex digits: `printf %s PASSWORD | sha256sum`. Only `default` "
      "may be without."},
     &U::password_sha256},
    {{"commands", Type::kTexts, R"(["read", "write"])", 0, 0, Change::kLive,
      "What the user may run: `read`, `write`, `admin`."},
     &U::commands},
    {{"keys", Type::kTexts, R"(["*"])", 0, 0, Change::kLive,
      "Glob patterns of the keys that the user may use."},
     &U::keys},
};

constexpr Later kLater[] = {
    {"keyspace", "history"}, {"projection", "set"},   {"projection", "where"},
    {"projection", "every"}, {"projection", "route"},
};

}  // namespace

std::span<const Setting<ServerConfig>> ServerSettings() {
  return kServer;
}
std::span<const Setting<LogConfig>> LogSettings() {
  return kLog;
}
std::span<const Setting<RebalanceConfig>> RebalanceSettings() {
  return kRebalance;
}
std::span<const Setting<KeyspaceConfig>> KeyspaceSettings() {
  return kKeyspace;
}
std::span<const Setting<RegionConfig>> RegionSettings() {
  return kRegion;
}
std::span<const Setting<LimitByConfig>> LimitBySettings() {
  return kLimitBy;
}
std::span<const Setting<ProjectionConfig>> ProjectionSettings() {
  return kProjection;
}
std::span<const Setting<BatchConfig>> BatchSettings() {
  return kBatch;
}
std::span<const Setting<UserConfig>> UserSettings() {
  return kUser;
}
std::span<const Later> LaterSettings() {
  return kLater;
}

std::string FormatBound(Type type, uint64_t value) {
  if (type == Type::kSize) return FormatSize(value);
  if (type == Type::kMillis) return FormatDuration(value * 1'000);
  if (type == Type::kMicros) return FormatDuration(value);
  return std::to_string(value);
}

}  // namespace sluice::config
