"""S13: large things do not hold up small ones."""

import time

from measure import MIB, Beside, fill, open_loop
from report import Section, figures, ms
from scenarios.peers import DURABLE, EVERYSEC, redis, sluice, take_turns
from servers import ask

SMALL_RATE = 2_000
LARGE_RATE = 50  # MiB a second
HASH_FIELDS = 1_000_000
FIELDS_EACH = 10
FLUSHED_KEYS = 10_000_000


def measure(bench):
    section = Section("S13", "large values, hashes and databases")
    targets = redis(bench, "everysec") + sluice(bench, "durable")
    bench.say("S13 small writes beside 1 MiB values")

    def stalls(server):
        with Beside(bench.log, server, ["--do", "SET large:{key} {value}"], LARGE_RATE,
                    bench.seconds + 2, keys=100, connections=4, value_bytes=MIB):
            time.sleep(1)
            found = open_loop(bench.log, server, ["set"], SMALL_RATE, bench.seconds)
        return {key: found["latency_us"][key] / 1000 for key in ("p99", "p99.9", "max")}

    results = take_turns(bench, targets, stalls)
    section.add(f"SET of 100 bytes at {SMALL_RATE}/s beside SET of 1 MiB at {LARGE_RATE}/s:")
    section.table(["small writes, ms", "p99", "p99.9", "max"],
                  [[name] + [ms(figures(results, name, key)) for key in ("p99", "p99.9", "max")]
                   for name in results])
    section.at_most("longest stall of a small write beside 1 MiB values, every run",
                    max(figures(results, DURABLE, "max")), 20, " ms")
    removals(bench, section, targets)
    return section


def removals(bench, section, targets):
    bench.say("S13 DEL and FLUSHALL")
    fields = " ".join(f"{{n}}.{i} x" for i in range(FIELDS_EACH))
    keys = FLUSHED_KEYS // (10 if bench.quick else 1)

    def one(server):
        fill(bench.log, server, ["HSET big " + fields], HASH_FIELDS // FIELDS_EACH, 20_000)
        length = ask(server, "HLEN", "big")[0]
        assert length == b":%d" % HASH_FIELDS, length
        deleted, _ = timed(server, "DEL", "big")
        fill(bench.log, server, ["SET key:{n} {value}"], keys, 200_000)
        flushed, _ = timed(server, "FLUSHALL")
        left = ask(server, "DBSIZE")[0]
        assert left == b":0", left
        return {"del": deleted, "flush": flushed}

    results = take_turns(bench, targets, one, runs=1)
    section.table(["ms, at the client", f"DEL of a hash of {HASH_FIELDS} fields",
                   f"FLUSHALL of {keys} keys"],
                  [[name, ms(figures(results, name, "del")), ms(figures(results, name, "flush"))]
                   for name in (EVERYSEC, DURABLE)])
    section.at_most("DEL of a 1M-field hash", figures(results, DURABLE, "del")[0], 10, " ms")
    section.at_most(f"FLUSHALL of {keys / 1e6:g}M keys", figures(results, DURABLE, "flush")[0], 10,
                    " ms")


def timed(server, *words):
    reply, seconds = ask(server, *words)
    return seconds * 1000, reply
