#!/usr/bin/python3
"""Sluice beside its peers on this machine, in one run; writes bench/results/latest.md.

Every figure is the median of runs that take turns with the peers' runs; ± is half the distance
between the best and the worst run. The generator shares the machine with the servers.
"""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import scenarios  # noqa: E402
from measure import Log  # noqa: E402
from servers import Sluice, peers_missing  # noqa: E402

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


class Bench:
    def __init__(self, options, directory, log):
        self.runs = options.runs
        self.requests = 200_000 if options.quick else 1_000_000
        self.sustained = 400_000 if options.quick else 2_000_000
        self.directory = Path(directory)
        self.log = log

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def remove(self, name):
        shutil.rmtree(self.directory / name, ignore_errors=True)


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
        f"- Sluice: {first_line([Sluice.binary, '--version'])}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="*", help="S1, S2, S3, S6; all of them if none is named")
    parser.add_argument("--only", default="", help="the same, with commas between them")
    parser.add_argument("--runs", type=int, default=3, help="of each figure")
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests")
    parser.add_argument("--sluice", default=str(HERE.parent / "build/release/sluice"))
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.md", help="the report")
    options = parser.parse_args()
    names = [name.upper() for name in options.scenario + options.only.split(",") if name]
    unknown = [name for name in names if name not in scenarios.ALL]
    if unknown or options.runs < 1:
        parser.error(f"there is no scenario {unknown[0]}" if unknown else "at least one run")
    if peers_missing():
        parser.error(f"missing: {', '.join(peers_missing())}; ./dev setup installs them")
    Sluice.binary = str(Path(options.sluice).resolve())

    log = Log(RESULTS / "raw" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.txt")
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        bench = Bench(options, directory, log)
        about = machine(directory)
        sections = [scenarios.ALL[name](bench) for name in names or scenarios.ALL]
    size = f"{bench.requests} requests a run, {options.runs} runs taking turns"
    text = "\n".join(
        [
            "# Sluice beside its peers",
            "",
            f"{datetime.date.today()}; {size}; 50 connections, 1M random keys, 100-byte "
            "values; the generator shares the machine. Medians; ± is half the distance between "
            "best and worst.",
            "",
            *about,
            "",
            *sections,
            "## The exact commands",
            "",
            "```",
            *log.commands,
            "```",
            "",
        ]
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
