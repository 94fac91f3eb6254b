#!/usr/bin/python3
"""Sluice beside its peers on this machine, in one run; writes bench/results/latest.md.

Every figure is the median of runs that take turns with the peers' runs; ± is half the distance
between the best and the worst run. The generator shares the machine with the servers.
"""

import argparse
import datetime
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))  # postgres.py

from measure import Log  # noqa: E402
from postgres import BINARIES  # noqa: E402
from report import Section, summary  # noqa: E402
from scenarios import ALIASES, ALL  # noqa: E402
from servers import Sluice, peers_missing  # noqa: E402

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


# requests of one run · writes of S3 · seconds of an open-loop run
FULL = (1_000_000, 50_000_000, 10)
QUICK = (200_000, 2_000_000, 3)


class Bench:
    def __init__(self, options, directory, log):
        self.runs = options.runs
        self.quick = options.quick
        self.requests, self.sustained, self.seconds = QUICK if options.quick else FULL
        self.directory = Path(directory)
        self.log = log
        self.begun = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.begun:5.0f} s  {text}", file=sys.stderr, flush=True)

    def remove(self, name):
        shutil.rmtree(self.directory / name, ignore_errors=True)


def raise_descriptor_limit():
    """As many sockets as the system gives, here and in the servers: S7 opens ten thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def machine(directory):
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in open("/proc/cpuinfo", encoding="utf-8")
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    filesystem = first_line(["stat", "-f", "-c", "%T", str(directory)])
    return [
        f"- {os.cpu_count()} x {cpu}, {memory:.0f} GiB, {filesystem}, Linux {platform.release()}",
        f"- {first_line(['redis-server', '--version'])}",
        f"- {first_line(['redis-benchmark', '--version'])}",
        f"- {first_line(['db_bench', '--version'])}",
        f"- {first_line([f'{BINARIES}/postgres', '--version'])}",
        f"- Sluice: {first_line([Sluice.binary, '--version'])}",
    ]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="*", help=f"{', '.join(ALL)}, S5; all if none is named")
    parser.add_argument("--only", default="", help="the same, with commas between them")
    parser.add_argument("--runs", type=int, default=3, help="of each figure")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--sluice", default=str(HERE.parent / "build/release/sluice"))
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.md", help="the report")
    options = parser.parse_args()
    names = [name.upper() for name in options.scenario + options.only.split(",") if name]
    options.names = list(dict.fromkeys(ALIASES.get(name, name) for name in names)) or list(ALL)
    unknown = [name for name in options.names if name not in ALL]
    if unknown or options.runs < 1:
        parser.error(f"there is no scenario {unknown[0]}" if unknown else "at least one run")
    if peers_missing():
        parser.error(f"missing: {', '.join(peers_missing())}; ./dev setup installs them")
    return options


def report(bench, about, sections):
    sizes = f"{bench.requests} requests a run, {bench.runs} runs taking turns"
    if bench.quick:
        sizes = f"QUICK, a look and not a measurement: {sizes}"
    return "\n".join([
        "# Sluice beside its peers",
        "",
        f"{datetime.date.today()}; {sizes} unless a section says otherwise; 50 connections, 1M "
        "random keys, 100-byte values that differ each time and are half compressible; the "
        "generator shares the machine. Medians; ± is half the distance between best and worst, in "
        "brackets are the best and the worst.",
        "",
        *about,
        "",
        summary(sections),
        "",
        *[section.text() for section in sections],
        "## The exact commands",
        "",
        "```",
        *bench.log.commands,
        "```",
        "",
    ])


def main():
    options = arguments()
    Sluice.binary = str(Path(options.sluice).resolve())
    raise_descriptor_limit()
    log = Log(RESULTS / "raw" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.txt")
    sections, failed = [], []
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        bench = Bench(options, directory, log)
        about = machine(directory)
        for name in options.names:
            try:
                sections.append(ALL[name](bench))
            except Exception:
                # Whatever it was, hours of the others are not lost; the exit status tells.
                why = traceback.format_exc()
                bench.say(f"{name} FAILED: {why}")
                failed.append(name)
                sections.append(Section(name, "failed"))
                sections[-1].add(f"```\n{why[-2000:]}\n```")
    text = report(bench, about, sections)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
