"""S12: three times the load that the node can carry.

Critical clients have connections of their own, and ask for a thirtieth of all: at three times the
peak a tenth of what the node can carry. Nothing could carry critical work that is as much as the
node; the excess is what may wait.
"""

import os
import subprocess

from measure import MIB, median, open_loop
from report import Section, rate
from servers import Sluice

SCENARIO = "mixed"
SERVER_CPU, GENERATOR_CPU = 0, 1
MEMORY_MIB = 512
CONNECTIONS, PIPELINE = 1_000, 16
FIRST_RATE = 200_000
RAMP = 1.3  # from one rate to the next
GREW = 1.02  # of the most so far; below it a rate has brought no more
PASSED = 3  # so often in a row, and the peak is passed
UNLOADED = 0.1  # of the peak
TIMES = 3
SECONDS, QUICK_SECONDS = 600, 20


def measure(bench):
    section = Section("S12", f"{TIMES} times the load that the node can carry")
    if os.cpu_count() < 2:
        raise RuntimeError("S12 needs a core for the server and one for the generator")
    config = subprocess.run([Sluice.binary, "bench", SCENARIO, "--print-config"],
                            capture_output=True, text=True, check=True).stdout
    server = Sluice(bench.directory / "sluice", lanes=1, memory=f"{MEMORY_MIB}MiB", cpu=SERVER_CPU,
                    lines=config.splitlines())
    try:
        server.start()
        server.settle()
        peak, at = find_peak(bench, section, server)
        unloaded = load(bench, server, UNLOADED * peak, bench.seconds)
        seconds = QUICK_SECONDS if bench.quick else SECONDS
        chart = bench.log.path.with_suffix(".s12.svg")
        over = load(bench, server, TIMES * peak, seconds, svg=chart)
        resident = server.peak_resident()
        after = carried(load(bench, server, at, bench.seconds))
    finally:
        server.remove()
    tell(section, peak, unloaded, over, seconds)
    section.add(f"The rate of the peak once more, after it: {rate(after)}/s answered.")
    bars(section, peak, unloaded, over, resident)
    return section


def load(bench, server, per_second, seconds, **options):
    found = open_loop(bench.log, server, [SCENARIO], per_second, seconds, connections=CONNECTIONS,
                      pipeline=PIPELINE, cpu=GENERATOR_CPU, drain=0, may_leave=True, **options)
    bench.say(f"  {rate(per_second)}/s due: {rate(carried(found))}/s answered, "
              f"{found['refused']} refused, critical p99 {critical_p99(found):.3g} ms, generator "
              f"{found['generator_cores']:.2f} of a core")
    return found


def carried(found):
    """Answers a second while more came; what is answered afterwards is not part of it."""
    answers = [each["answered"] for each in found["timeline"]
               if each["at_seconds"] <= found["seconds"]]
    return sum(answers) / found["seconds"]


def critical_p99(found):
    return found["streams"]["critical"]["latency_us"]["p99"] / 1000


def find_peak(bench, section, server):
    """The most answers a second, at any rate, and that rate: rates rise until thrice in a row they
    bring no more; the best is measured twice more, and the median counts. Just above what its
    clients carry without waiting a node answers less than further above."""
    bench.say("S12 the peak")
    rows, peak, at, stayed, per_second = [], 0, 0, 0, FIRST_RATE
    while stayed < PASSED:
        found = load(bench, server, per_second, bench.seconds)
        rows.append([rate(per_second), rate(carried(found)), found["refused"],
                     f"{critical_p99(found):.3g}"])
        stayed = 0 if carried(found) > GREW * peak else stayed + 1
        if carried(found) > peak:
            peak, at = carried(found), per_second
        per_second *= RAMP
    again = [carried(load(bench, server, at, bench.seconds)) for _ in range(2)]
    section.add(f"`sluice bench {SCENARIO}`, {CONNECTIONS} connections, at most {PIPELINE} "
                f"commands under way on each; server on core {SERVER_CPU} with one lane and "
                f"{MEMORY_MIB} MiB, generator on core {GENERATOR_CPU}. Rising rates, "
                f"{bench.seconds} s each. A thirtieth of what is due is critical, on an eighth of "
                "the connections:")
    section.table(["due/s", "answered/s", "refused", "critical p99 ms"], rows)
    section.add(f"{rate(at)}/s twice more: {rate(again[0])}/s and {rate(again[1])}/s answered.")
    return median([peak, *again]), at


def tell(section, peak, unloaded, over, seconds):
    section.add(f"At {TIMES} times its peak of {rate(peak)}/s for {seconds} s:")
    rows = []
    for name, stream in over["streams"].items():
        latency = stream["latency_us"]
        rows.append([
            name, rate(stream["due"] / seconds), rate(stream["answered_per_second"]),
            rate(stream["refused"] / seconds),
            *[f"{latency[p] / 1000:.3g}" for p in ("p50", "p90", "p99", "p99.9", "max")],
            f"{unloaded['streams'][name]['latency_us']['p99'] / 1000:.3g}"])
    section.table(["class", "due/s", "answered/s", "refused/s", "p50 ms", "p90", "p99", "p99.9",
                   "max", f"p99 at {UNLOADED:g} of the peak"], rows)
    reasons = ", ".join(f"{reason}: {count}" for reason, count in over["refusals"].items())
    section.add(f"Refusals: {reasons or 'none'}. The generator used "
                f"{over['generator_cores']:.2f} of its core.")


def bars(section, peak, unloaded, over, resident):
    section.at_least("goodput at 3x to the peak", carried(over) / peak, 0.9, "x")
    quiet = critical_p99(unloaded)
    section.at_most(f"critical p99 (unloaded {quiet:.3g} ms)", critical_p99(over),
                    max(2 * quiet, quiet + 5), " ms")
    section.at_most("peak resident memory", resident / MIB, MEMORY_MIB, " MiB")
    section.bar("increments applied and acknowledged",
                f"{over['applied']} and {over['acknowledged']}",
                "equal", over["acknowledged"] == over["applied"])
