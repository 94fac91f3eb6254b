"""Running the generators and reading what they print; counting what the machine did meanwhile."""

import csv
import io
import json
import mmap
import os
import re
import statistics
import subprocess
import threading
import time
from pathlib import Path

from servers import Sluice

CLIENTS = 50
KEYS = 1_000_000
MIB = 1 << 20
SYNCS = 2_000

# 100 bytes, different in each command, that compress to about half: redis-benchmark replaces each
# __rand_int__ by twelve digits, of which the last six vary.
VALUE = "__rand_int__" * 4 + "x" * 52
SET = ["SET", "key:__rand_int__", VALUE]
GET = ["GET", "key:__rand_int__"]
INCR = ["INCR", "counter:__rand_int__"]
HSET = ["HSET", "hash:__rand_int__", "field", VALUE]
CLIENT_BYTES = 116  # of a SET: its key and its value


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
        words = [f"'{word}'" if " " in word else word for word in command]
        shown = re.sub(r"-p(ort)? \d+", r"-p\1 PORT", " ".join(words))
        shown = re.sub(r"--rate \d+", "--rate RATE", shown)
        shown = re.sub(r"/\S*sluice-bench-\S*", "DIR", shown)
        shown = re.sub(r"^\S*/sluice ", "sluice ", shown)
        if shown not in self.commands:
            self.commands.append(shown)


def run(log, command, note):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log.add(command, done.stdout + done.stderr, note)
    return done


def redis_benchmark_command(server, words, requests, pipeline, keys=KEYS, clients=CLIENTS):
    command = ["redis-benchmark", "-p", server.port, "-c", clients, "-n", requests, "-r", keys]
    return [str(word) for word in [*command, "-P", pipeline, "--csv", *words]]


def redis_benchmark_result(log, server, command, status, output):
    """{"rps", "p50", "p99"}: requests per second, and milliseconds from sending to reply."""
    log.add(command, output, server.name)
    # A refused write would look like a fast one.
    if status != 0 or "rror" in output:
        raise RuntimeError(f"redis-benchmark against {server.name}: {output}")
    row = list(csv.reader(io.StringIO(output)))[-1]
    return {"rps": float(row[1]), "p50": float(row[4]), "p99": float(row[6])}


def redis_benchmark(log, server, words, requests, pipeline, keys=KEYS, clients=CLIENTS):
    command = redis_benchmark_command(server, words, requests, pipeline, keys, clients)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return redis_benchmark_result(log, server, command, done.returncode, done.stdout + done.stderr)


def side_by_side(log, server, each_words, requests, pipeline, clients):
    """Several redis-benchmarks at once; all their requests by the time until the last is done."""
    begin = time.monotonic()
    running = []
    for words in each_words:
        command = redis_benchmark_command(server, words, requests, pipeline, clients=clients)
        running.append((command, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
    for command, process in running:
        output, _ = process.communicate()
        redis_benchmark_result(log, server, command, process.returncode, output)
    return {"rps": len(running) * requests / (time.monotonic() - begin)}


def open_loop_command(server, words, rate, seconds, **options):
    command = [Sluice.binary, "bench", *words, "--port", server.port, "--rate", int(rate)]
    command += ["--seconds", int(seconds), "--json"]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value]
    return [str(word) for word in command]


def open_loop_result(log, server, command, status, output, errors, may_leave=False):
    log.add(command, errors + output, server.name)
    found = json.loads(output) if output and may_leave else {}
    left = found.get("unanswered", 0) > 0 and not found["errors"]
    if status != 0 and not left:
        raise RuntimeError(f"sluice bench against {server.name}: {errors}{output}")
    return json.loads(output)


def open_loop(log, server, words, rate, seconds, may_leave=False, **options):
    """What `sluice bench --json` says of `words`: a scenario, or --do and commands. `may_leave`:
    commands without a reply are no failure; more is asked than can be done."""
    command = open_loop_command(server, words, rate, seconds, **options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return open_loop_result(log, server, command, done.returncode, done.stdout, done.stderr,
                            may_leave)


class Beside:
    """`sluice bench` in the background, for as long as the block lasts."""

    def __init__(self, log, server, words, rate, seconds, **options):
        self.log, self.server = log, server
        self.command = open_loop_command(server, words, rate, seconds, **options)
        self.result = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        output, _ = self.process.communicate()
        if not kind:
            self.result = open_loop_result(
                self.log, self.server, self.command, self.process.returncode, output, "")


def fill(log, server, commands, count, rate, pipeline=64, **options):
    """Sends `count` commands, each --do in turn by weight, {n} from 0 on; all are answered."""
    words = [word for command in commands for word in ("--do", command)]
    seconds = max(1, round(count / rate))
    return open_loop(log, server, words, count // seconds, seconds, pipeline=pipeline, **options)


def db_bench(log, directory, count, batch):
    """{"rps", "drained"}: writes per second of RocksDB's own benchmark, each batch synced to its
    WAL; and the same with the time until compaction has caught up."""
    command = [
        "db_bench",
        "--benchmarks=fillrandom,waitforcompaction",
        f"--db={directory}",
        f"--num={count}",
        f"--batch_size={batch}",
        "--sync=1",
        "--key_size=20",
        "--value_size=100",
        "--compression_ratio=0.5",
        "--threads=1",
    ]
    begin = time.monotonic()
    done = run(log, command, "RocksDB")
    seconds = time.monotonic() - begin
    found = re.search(r"fillrandom\s*:.*?(\d+) ops/sec", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"db_bench: {done.stdout}{done.stderr}")
    return {"rps": float(found.group(1)), "drained": count / seconds}


def fdatasync_p99(directory):
    """Milliseconds, of 4 KiB written over a preallocated file of zeroes: what a group of the log
    costs at least."""
    block = mmap.mmap(-1, 4096)  # aligned
    block.write(os.urandom(4096))
    path = Path(directory) / "fdatasync"
    path.write_bytes(bytes(16 * MIB))
    file = os.open(path, os.O_RDWR)
    times = []
    try:
        os.fsync(file)
        for i in range(SYNCS):
            begin = time.perf_counter()
            os.pwrite(file, block, i * 4096 % (16 * MIB))
            os.fdatasync(file)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()
    return sorted(times)[int(len(times) * 0.99)] * 1000


def disk_bytes(directory):
    """What the files below a directory take up on the disk."""
    total = 0
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(Path(path) / name).st_blocks * 512
            except FileNotFoundError:
                pass  # compaction has removed it
    return total


def cpu_seconds(server):
    """The processor time that a server has used so far."""
    stat = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def cpu_share(server, seconds):
    """The share of one core that a server uses while nobody asks it for anything."""
    before = cpu_seconds(server)
    time.sleep(seconds)
    return (cpu_seconds(server) - before) / seconds


class Highest:
    """The greatest value that a metric of Sluice has while the block lasts."""

    def __init__(self, server, metric):
        self.server, self.metric = server, metric
        self.value = 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.stop.wait(0.2):
            try:
                self.value = max(self.value, self.server.metric(self.metric))
            except OSError:
                pass  # it is busy, or being restarted

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def median(values):
    return statistics.median(values)


def spread(values):
    """How far the runs lie apart, as a share of their median."""
    return (max(values) - min(values)) / median(values) if median(values) else 0.0
