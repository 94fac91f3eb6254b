"""Running redis-benchmark and db_bench, and reading what they print."""

import csv
import io
import re
import statistics
import subprocess
from pathlib import Path

CLIENTS = 50
KEYS = 1_000_000
# 100 bytes, different in each command, that compress to about half: redis-benchmark replaces each
# __rand_int__ by twelve digits, of which the last six vary.
UNIQUE_VALUE = "__rand_int__" * 4 + "x" * 52

COMMANDS = {
    "SET": ["SET", "key:__rand_int__", UNIQUE_VALUE],
    "SET, one value": ["SET", "key:__rand_int__", "x" * 100],
    "INCR": ["INCR", "counter:__rand_int__"],
    "HSET": ["HSET", "hash:__rand_int__", "field", UNIQUE_VALUE],
}


class Log:
    """Everything that was run, and what it printed, goes to one raw file."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("")
        self.commands = []  # each kind once, for the report

    def add(self, command, output, note=""):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"# {note}\n$ {' '.join(command)}\n{output}\n")
        shown = re.sub(r"-p \d+", "-p PORT", " ".join(command))
        shown = re.sub(r"/\S*sluice-bench-\S*", "DIR", shown)
        if shown not in self.commands:
            self.commands.append(shown)


def redis_benchmark(log, server, what, requests, pipeline, keys=KEYS):
    """{"rps", "p50", "p99"}: requests per second, and milliseconds from sending to reply."""
    command = [
        "redis-benchmark",
        "-p",
        str(server.port),
        "-c",
        str(CLIENTS),
        "-n",
        str(requests),
        "-r",
        str(keys),
        "-P",
        str(pipeline),
        "--csv",
        *COMMANDS[what],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log.add(command, done.stdout + done.stderr, server.name)
    # A refused write would look like a fast one.
    if done.returncode != 0 or "rror" in done.stdout + done.stderr:
        raise RuntimeError(f"redis-benchmark against {server.name}: {done.stdout}{done.stderr}")
    row = list(csv.reader(io.StringIO(done.stdout)))[-1]
    return {"rps": float(row[1]), "p50": float(row[4]), "p99": float(row[6])}


def db_bench(log, directory, count, batch):
    """Writes per second of RocksDB's own benchmark, each batch synced to its WAL."""
    command = [
        "db_bench",
        "--benchmarks=fillrandom",
        f"--db={directory}",
        f"--num={count}",
        f"--batch_size={batch}",
        "--sync=1",
        "--key_size=20",
        "--value_size=100",
        "--compression_ratio=0.5",
        "--threads=1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log.add(command, done.stdout + done.stderr, "RocksDB")
    found = re.search(r"fillrandom\s*:.*?(\d+) ops/sec", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"db_bench: {done.stdout}{done.stderr}")
    return float(found.group(1))


def median(values):
    return statistics.median(values)


def spread(values):
    """How far the runs lie apart, as a share of their median."""
    return (max(values) - min(values)) / median(values) if median(values) else 0.0


def rate(value):
    """12345.6 as '12.3k'."""
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.1f}k" if value < 1e5 else f"{value / 1e3:.0f}k"


def shown(values):
    return f"{rate(median(values))} ±{spread(values) * 50:.0f}%"
