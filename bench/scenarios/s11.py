"""S11: shards are split and moved under full load."""

import json
import subprocess
import threading

from measure import SET, open_loop, redis_benchmark
from report import Section, figures, ms, shown
from scenarios.peers import DURABLE, sluice, take_turns

PIPELINE = 16
LOAD = 0.8  # of what a closed loop reaches: full, and yet its own queue is not what is measured
WARM_SECONDS = 3
BETWEEN_SECONDS = 1.5
LEAST = 0.9  # of the rate; a second below it is a dip
KEYS = 1_000_000
RANGE_RATE = 50_000  # writes a second, all to the range that is changed
RANGE_KEYS = 20_000
COUNTED_AT_ONCE = 1000  # keys of one MGET


def shard(server, *words):
    """What a verb of `sluice shard` says: an object for each line."""
    command = [server.binary, "shard", *map(str, words), "--json", "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


class Changes(threading.Thread):
    """Splits the hottest shard, moves a part of it there and back, and merges both again, until
    told to stop."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.over = threading.Event()
        self.done, self.error = 0, None

    def run(self):
        self.over.wait(WARM_SECONDS)
        try:
            while not self.over.is_set():
                shards = shard(self.server, "ls")
                hottest = max(shards, key=lambda one: one["writes_per_second"])
                low, high = self.change("split", hottest["shard"])["made"]
                self.change("move", high, 1 - hottest["lane"])
                self.change("move", high, hottest["lane"])
                self.change("merge", low, high)
        except RuntimeError as error:
            self.error = error

    def change(self, *words):
        job = shard(self.server, *words, "--wait")[-1]
        self.done += 1
        self.over.wait(BETWEEN_SECONDS)
        return job


def measure(bench):
    section = Section("S11", "shards that change under load")
    targets = sluice(bench, "durable", lanes=2)
    seconds = max(20, bench.seconds)
    bench.say("S11")

    def one(server):
        full = redis_benchmark(bench.log, server, SET, bench.requests, PIPELINE)["rps"]
        changes = Changes(server)
        changes.start()
        found = open_loop(bench.log, server, ["--do", "SET key:{key} {value}"], LOAD * full,
                          seconds, keys=KEYS, pipeline=PIPELINE)
        changes.over.set()
        changes.join()
        rate = found["rate"]
        if changes.error is not None:
            raise changes.error
        answered = [moment["answered"] for moment in found["timeline"]][WARM_SECONDS:-1]
        dips = sum(1 for each in answered if each < LEAST * rate)
        return {
            "rps": rate,
            "changes": changes.done,
            "errors": sum(found["errors"].values()) + found["refused"],
            "dips": dips,
            "longest": found["latency_us"]["max"] / 1000,
            "rest": server.metric("sluice_rebalance_rest_seconds_sum") * 1000,
            "halt": server.metric("sluice_rebalance_halt_seconds_sum") * 1000,
        }

    results = take_turns(bench, targets, one)
    each = {key: figures(results, DURABLE, key)
            for key in ("rps", "changes", "errors", "dips", "longest", "rest", "halt")}
    section.table(["", "median and runs"], [
        ["writes/s, open loop", shown(each["rps"])],
        ["splits, moves and merges", ", ".join(map(str, each["changes"]))],
        ["sockets rested, ms in all", ms(each["rest"])],
        ["lanes stood still, ms in all", ms(each["halt"])],
    ])
    section.at_most("errors and refusals, every run", max(each["errors"]), 0)
    section.at_most("seconds below 0.9x for each change, every run",
                    max(dips / max(1, done) for dips, done in zip(each["dips"], each["changes"])),
                    1)
    section.at_most("longest time to a reply, every run", max(each["longest"]), 500, " ms")
    section.at_least("changes in the least of the runs", min(each["changes"]), 4)
    moving_range(bench, section, seconds)
    return section


def counted(server):
    """The sum of all counters."""
    total = 0
    for first in range(0, RANGE_KEYS, COUNTED_AT_ONCE):
        keys = [f"key:{n:012}" for n in range(first, first + COUNTED_AT_ONCE)]
        done = subprocess.run(["redis-cli", "-p", str(server.port), "MGET", *keys],
                              capture_output=True, text=True, check=True)
        total += sum(int(value) for value in done.stdout.split())
    return total


def moving_range(bench, section, seconds):
    """All writes are increments of keys in one shard, which is split, moved there and back, and
    merged all the time: the jobs come to their end, and each write counts once."""
    bench.say("S11, one range")

    def one(server):
        changes = Changes(server)
        changes.start()
        found = open_loop(bench.log, server, ["--do", "INCR key:{key}"], RANGE_RATE, seconds,
                          keys=RANGE_KEYS, pipeline=64)
        changes.over.set()
        changes.join()
        if changes.error is not None:
            raise changes.error
        return {"rate": found["answered_per_second"], "changes": changes.done,
                "errors": sum(found["errors"].values()) + found["refused"],
                "missing": found["answered"] - counted(server),
                "longest": found["latency_us"]["max"] / 1000}

    results = take_turns(bench, sluice(bench, "durable", lanes=2, shards=1), one)
    each = {key: figures(results, DURABLE, key)
            for key in ("rate", "changes", "errors", "missing", "longest")}
    section.add(f"**{RANGE_RATE:,} increments/s, all to the range that is split, moved and "
                "merged.** A job that fails ends the run with its reason.")
    section.table(["", "median and runs"], [
        ["increments/s, open loop", shown(each["rate"])],
        ["splits, moves and merges that ended as done", ", ".join(map(str, each["changes"]))],
        ["longest time to a reply, ms", ms(each["longest"])],
    ])
    section.at_least("increments/s, the least of the runs", min(each["rate"]), 0.98 * RANGE_RATE)
    section.at_least("jobs done, the least of the runs", min(each["changes"]), 4)
    section.at_most("errors and refusals, every run", max(each["errors"]), 0)
    section.at_most("increments acknowledged and not applied, or applied twice, every run",
                    max(abs(one) for one in each["missing"]), 0)
