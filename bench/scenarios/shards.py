"""The worked examples about shards: what `sluice plan` says, and where a node puts ids."""

import json
import subprocess

from report import Section
from servers import Sluice

# What is asked of `sluice plan` about shards.
PLANS = [
    ["--writes", "120000", "--per-shard", "15000", "--headroom", "25%"],
    ["--writes", "96000", "--per-shard", "12000", "--headroom", "20%"],
    ["--shard-load", "24000", "--split-at", "12000"],
    ["--shard-load", "24000", "--split-at", "8000"],
    ["--loads", "25000,10x9500", "--per-shard", "15000"],
    ["--hot-key", "30000", "--per-shard", "12000"],
]
# One shard for each remainder of a bucket that the application puts into the key, and ids in order.
BUCKETS = 4
RANGES = [(1, 1_000_000), (1_000_001, 2_000_000)]
PLACES = [
    "[keyspace.user]", 'key = "user:{bucket}:{user_id}"', 'shard = "range(bucket)"',
    f"shards = {BUCKETS}", f"split_points = {json.dumps([str(i) for i in range(1, BUCKETS)])}",
    "[keyspace.account]", 'key = "account:{id}"', 'shard = "range(id)"',
    f"shards = {len(RANGES)}", f"split_points = {json.dumps([str(low) for low, _ in RANGES[1:]])}",
]


def measure(bench):
    section = Section("SHARDS", "worked examples about shards")
    plans(section)
    places(bench, section)
    return section


def shard_of(server, key):
    """As `SLUICE ROUTE` says."""
    words = subprocess.run(
        ["redis-cli", "-p", str(server.port), "SLUICE", "ROUTE", key], capture_output=True,
        text=True, check=True).stdout.split()
    return int(words[words.index("shard") + 1])


def plans(section):
    for words in PLANS:
        done = subprocess.run([Sluice.binary, "plan", *words], capture_output=True, text=True,
                              check=True)
        found = done.stdout.split("\n\nFigures that were not given")[0]
        section.add(f"```\n$ sluice plan {' '.join(words)}\n{found}\n```")


def places(bench, section):
    """Where a running node puts ids: each bucket, and each range, is a shard of its own."""
    bench.say("SHARDS places")

    def body(server):
        buckets = {shard_of(server, f"user:{bucket}:0"): bucket for bucket in range(BUCKETS)}
        users = {user: shard_of(server, f"user:{user % BUCKETS}:{user}")
                 for user in range(101, 105)}
        return buckets, users, [[shard_of(server, f"account:{end}") for end in ends]
                              for ends in RANGES]

    server = Sluice(bench.directory / "sluice", lines=PLACES)
    try:
        buckets, users, ends = body(server.start())
    finally:
        server.remove()
    told = [user % BUCKETS for user in users]
    found = [buckets.get(place) for place in users.values()]
    section.add(
        f"**`user_id % {BUCKETS}` as a bucket in the key, `shard = \"range(bucket)\"`, for "
        f"{', '.join(map(str, users))}.** Shards {', '.join(map(str, told))}; here "
        f"{', '.join(map(str, found))}. With {BUCKETS + 1} instead of {BUCKETS}, four of five ids "
        "change their bucket; a shard that is split keeps all its other keys where they are.")
    section.bar("shards of the buckets", ", ".join(map(str, found)), ", ".join(map(str, told)),
                found == told)
    whole = all(low == high for low, high in ends) and len({low for low, _ in ends}) == len(ends)
    section.add("**Ranges " + " and ".join(f"{low:,}-{high:,}" for low, high in RANGES) + ".** "
                "First and last id of each: shards " +
                ", ".join(f"{low} and {high}" for low, high in ends) + ".")
    section.bar("each id in its range", str(whole), "True", whole)
