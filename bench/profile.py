#!/usr/bin/python3
"""Where the processor time of a write goes, stage by stage: perf on Sluice while redis-benchmark
loads it. Needs perf (Debian's linux-perf) and the right to use it.

  bench/profile.py [SET|INCR|HOT|HSET|GET]… [-P N]… [--lanes N] [--symbols N]

HOT is INCR of one key.
"""

import argparse
import collections
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))  # postgres.py

import measure  # noqa: E402
from report import table  # noqa: E402
from servers import Sluice  # noqa: E402

PER_SECOND = 1_999  # samples; no divisor of anything that happens every millisecond
SECONDS = 5
COMMANDS = {"SET": measure.SET, "INCR": measure.INCR, "HOT": ["INCR", "counter:hot"],
            "HSET": measure.HSET, "GET": measure.GET}

# The first whose pattern a symbol matches, among those of the program or of the kernel.
STAGES = [(name, re.compile(pattern)) for name, pattern in (
    ("runs, compaction", r"rocksdb|store::Rocks|Sorted|LZ4|ZSTD|snappy|crc32c"),
    ("parse", r"resp::|Parser::"),
    ("session, replies", r"server::"),
    ("route", r"route::"),
    ("execute", r"command::|shard::|model::"),
    ("write buffer", r"store::"),
    ("lane", r"ingest::"),
    ("groups, checksums", r"log::"),
    ("loop, sockets", r"env::"),
    ("meters", r"meter::"),
    ("copy, compare, allocate", r"^(__)?mem(cpy|move|set|cmp|chr)|malloc|free|operator new"),
    ("kernel: disk", r"ext4|jbd2|blk|bio_|virtio|submit_|filemap|folio|page_|iomap|sync|writeb"),
    ("kernel: network", r"tcp|sock|skb|inet|net|ip_|ipv4|loopback|sendmsg|recv|copy_|csum"),
    ("kernel: sleep, wake", r"epoll|ep_|sched|futex|wake|eventfd|schedule|switch|queue|idle"),
)]


def stage_of(symbol, dso):
    for name, pattern in STAGES:
        if name.startswith("kernel") == ("kernel" in dso) and pattern.search(symbol):
            return name
    return "kernel: the rest" if "kernel" in dso else "the rest"


def samples(pid, seconds, path):
    subprocess.run(
        ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(PER_SECOND), "-p", str(pid), "-o",
         path, "--", "sleep", str(seconds)], check=True, capture_output=True)
    lines = subprocess.run(["perf", "script", "-i", path, "-F", "comm,ip,sym,dso"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        found = re.match(r"\s*(.+?)\s+[0-9a-f]+ (.+) \((.*)\)\s*$", line)
        if found:
            yield found.groups()


def profile(log, directory, what, pipeline, lanes):
    """(writes per second, {(thread, stage): ns per command}, {symbol: ns per command})."""
    server = Sluice(directory / "sluice", lanes=lanes)
    command = measure.redis_benchmark_command(server, COMMANDS[what], 1_000_000_000, pipeline)
    load = None
    try:
        server.start()
        server.settle()
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        before, begin = server.metric("sluice_server_commands_total"), time.monotonic()
        found = list(samples(server.process.pid, SECONDS, str(directory / "perf.data")))
        seconds = time.monotonic() - begin
        commands = server.metric("sluice_server_commands_total") - before
    finally:
        if load is not None:
            load.kill()
            load.wait()
        server.remove()
    log.add(command, f"{commands} in {seconds} s", "profile")
    # perf watched for SECONDS of the `seconds` in which the commands were counted.
    each = 1e9 / PER_SECOND / (commands * SECONDS / seconds)
    stages, symbols = collections.Counter(), collections.Counter()
    for thread, symbol, dso in found:
        stages[thread, stage_of(symbol, dso)] += each
        symbols[f"{thread}: {symbol.split('(')[0]}"] += each
    return commands / seconds, stages, symbols


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["SET"], choices=COMMANDS)
    parser.add_argument("-P", type=int, action="append", dest="pipelines")
    parser.add_argument("--lanes", type=int, default=0)
    parser.add_argument("--symbols", type=int, default=25, help="that take most")
    parser.add_argument("--sluice", default="build/release/sluice")
    options = parser.parse_args()
    Sluice.binary = str(Path(options.sluice).resolve())
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        log = measure.Log(Path(directory) / "log")
        for what in options.what:
            for pipeline in options.pipelines or [64, 1]:
                rate, stages, symbols = profile(log, Path(directory), what, pipeline, options.lanes)
                print(f"\n## {what} -P {pipeline}: {rate:.0f}/s, "
                      f"{sum(stages.values()):.0f} ns of processor time each\n")
                print(table(["thread", "stage", "ns"], [
                    [thread, stage, f"{ns:.0f}"] for (thread, stage), ns in stages.most_common()
                    if ns >= 0.5]))
                print()
                print(table(["symbol", "ns"], [
                    [symbol.replace("|", "\\|"), f"{ns:.1f}"]
                    for symbol, ns in symbols.most_common(options.symbols)]))


if __name__ == "__main__":
    main()
