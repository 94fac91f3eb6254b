"""S3 and S5: many writes over as many keys, until compaction has caught up; what the disk wrote."""

import time

from measure import CLIENT_BYTES, MIB, SET, Highest, db_bench, disk_bytes, redis_benchmark
from report import Section, rate
from scenarios.peers import DURABLE, EVERYSEC, redis, sluice, take_turns

DRAIN_SECONDS_MAX = 600
QUIET_POLLS = 5  # so often without any pending compaction, a tenth of a second apart
DISTINCT = 0.632  # of n draws out of n keys


def drained(server):
    """Waits until no compaction is pending, and it stays so."""
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    quiet = 0
    while quiet < QUIET_POLLS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"compaction still pending after {DRAIN_SECONDS_MAX} s")
        quiet = quiet + 1 if server.metric("sluice_store_pending_compaction_bytes") == 0 else 0
        time.sleep(0.1)


def sustain(bench, server, count):
    """`count` SETs in four equal parts, over as many keys; rates, memory, and bytes to disk."""
    parts = []
    begin = time.monotonic()
    for _ in range(4):
        parts.append(redis_benchmark(bench.log, server, SET, count // 4, 64, keys=count)["rps"])
    written = time.monotonic()
    if server.name == DURABLE:
        drained(server)
    seconds = time.monotonic() - begin
    return {
        "rps": count / seconds,
        "drain": time.monotonic() - written,
        "first": parts[0],
        "last": parts[3],
        "resident": server.peak_resident(),
        "written": server.written(),
        "disk": disk_bytes(server.directory),
        "stored": disk_bytes(server.directory / "data" / "store"),
    }


def measure(bench):
    count = bench.sustained
    section = Section("S3", f"{count / 1e6:g}M SET over {count / 1e6:g}M keys, -P 64 (and S5)")
    bench.say(f"S3 {count} SET over {count} keys")
    kept = {}

    def one(server):
        if server.name != DURABLE:
            return sustain(bench, server, count)
        with Highest(server, "sluice_log_disk_bytes") as log:
            result = sustain(bench, server, count)
        kept["log"] = log.value
        return result

    targets = redis(bench, "everysec") + sluice(bench, "durable")
    results = {name: each[0] for name, each in take_turns(bench, targets, one, runs=1).items()}
    rocks = db_bench(bench.log, bench.directory / "rocks", count, 100)
    bench.remove("rocks")
    bench.say(f"  db_bench: {rocks}")
    sent = count * CLIENT_BYTES
    live = sent * DISTINCT
    rows = [
        [name, rate(found["rps"]), f"{found['drain']:.1f} s", f"{found['resident'] / MIB:.0f} MiB",
         f"{found['last'] / found['first']:.2f}x", f"{found['written'] / sent:.2f}x",
         f"{found['disk'] / live:.2f}x"]
        for name, found in results.items()
    ]
    rows.append(["RocksDB db_bench, WAL synced, batches of 100", rate(rocks["drained"]),
                 f"{count / rocks['drained'] - count / rocks['rps']:.1f} s", "", "", "", ""])
    section.table(["", "writes/s, compaction drained", "of that, draining", "peak resident",
                   "last quarter to first", "disk bytes written to bytes sent",
                   "disk bytes kept to live bytes"], rows)
    section.add(
        "One run of each. Bytes sent are keys and values; written is what went to the disk: "
        "the log, and the zeroes that its segments are made of, are in it; live bytes are "
        f"those of the {DISTINCT:.1%} of keys that so many draws hit, kept includes the log.")
    judge(section, results, rocks, sent, live, kept["log"])
    return section


def judge(section, results, rocks, sent, live, log_bytes):
    ours, peer = results[DURABLE], results[EVERYSEC]
    section.ratio("to Redis everysec", [ours["rps"]], [peer["rps"]], 1.3)
    section.ratio("to db_bench", [ours["rps"]], [rocks["drained"]], 2.0)
    section.at_least("last quarter to first", ours["last"] / ours["first"], 0.8, "x")
    section.at_most("resident memory to Redis's", ours["resident"] / peer["resident"], 0.2, "x")
    section.at_most("S5: write amplification", ours["written"] / sent, 6, "x")
    section.at_most("S5: space amplification, the store", ours["stored"] / live, 1.6, "x")
    section.at_most("S6: log segments kept at any time", log_bytes / MIB, 512, " MiB")
