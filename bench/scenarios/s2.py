"""S2: one command at a time on each connection, at full load and at half of it."""

from measure import SET, fdatasync_p99, median, open_loop, redis_benchmark
from report import Section, figures, ms, shown
from scenarios.peers import ALWAYS, DURABLE, EVERYSEC, MEMORY, OFF, redis, sluice, take_turns

RUNS_PIPELINE = 16


def measure(bench):
    section = Section("S2", "SET -P 1")
    targets = redis(bench, "off", "everysec", "always") + sluice(bench, "durable", "memory")
    bench.say("S2 SET -P 1")
    full = take_turns(
        bench,
        targets,
        lambda server: redis_benchmark(bench.log, server, SET, bench.requests // 5, 1),
    )
    bench.say("S2 p99 at half of that load")
    syncs = []

    def half_load(server):
        syncs.append(fdatasync_p99(bench.directory))
        found = open_loop(bench.log, server, ["set"], median(figures(full, server.name)) / 2,
                          bench.seconds)
        return {
            "rate": found["rate"],
            "p50": found["latency_us"]["p50"] / 1000,
            "p99": found["latency_us"]["p99"] / 1000,
            "generator": found["generator_us"]["p99"] / 1000,
        }

    half = take_turns(bench, targets, half_load)
    section.table(
        ["", "requests/s at full load", "p99 ms then", "p50 ms at half load", "p99 ms at half load",
         "p99 of the generator's own lateness"],
        [[name, shown(figures(full, name)), ms(figures(full, name, "p99")),
          ms(figures(half, name, "p50")), ms(figures(half, name, "p99")),
          ms(figures(half, name, "generator"))] for name in full],
    )
    section.add(f"fdatasync of 4 KiB on this disk, between those runs: p99 {ms(syncs)} ms.")
    durable = figures(full, DURABLE)
    section.ratio("durable to always", durable, figures(full, ALWAYS), 1.2)
    section.ratio("durable to everysec", durable, figures(full, EVERYSEC), 0.8)
    section.ratio("memory to AOF off", figures(full, MEMORY), figures(full, OFF), 0.95)
    section.at_most("durable, p99 at half load, less one fdatasync p99",
                    median(figures(half, DURABLE, "p99")) - median(syncs), 1.0, " ms")
    section.at_most("memory, p99 at half load", median(figures(half, MEMORY, "p99")), 1.0, " ms")
    while_runs_are_built(bench, section)
    return section


def while_runs_are_built(bench, section):
    """Half of the pipelined load for a minute: buffers freeze, runs are stored and merged."""
    bench.say("S2 p99.9 while runs are built")

    def latencies(server):
        peak = redis_benchmark(bench.log, server, SET, bench.requests, RUNS_PIPELINE)["rps"]
        built = server.metric("sluice_store_run_bytes_total")
        merged = server.metric("sluice_store_compacted_bytes_total")
        found = open_loop(bench.log, server, ["set"], peak / 2, 6 * bench.seconds,
                          pipeline=RUNS_PIPELINE, keys=20_000_000)
        return {
            "rate": found["rate"],
            "p99": found["latency_us"]["p99"] / 1000,
            "p99.9": found["latency_us"]["p99.9"] / 1000,
            "max": found["latency_us"]["max"] / 1000,
            "built": server.metric("sluice_store_run_bytes_total") - built,
            "merged": server.metric("sluice_store_compacted_bytes_total") - merged,
        }

    found = take_turns(bench, sluice(bench, "durable"), latencies, runs=1)[DURABLE][0]
    section.add(
        f"While runs are built: {found['rate']} SET/s for {6 * bench.seconds} s, half of the peak "
        f"of -P {RUNS_PIPELINE}; {found['built'] / 1e6:.0f} MB of runs were stored and "
        f"{found['merged'] / 1e6:.0f} MB merged meanwhile. p99 {found['p99']:.3g} ms, "
        f"p99.9 {found['p99.9']:.3g} ms, max {found['max']:.3g} ms.")
    section.at_most("p99.9 while runs are built and compacted", found["p99.9"], 20, " ms")
