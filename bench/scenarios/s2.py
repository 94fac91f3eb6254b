"""S2: one command at a time on each connection, at full load and at half of it."""

from measure import SET, fdatasync_p99, median, open_loop, redis_benchmark
from report import Section, figures, ms, shown
from report import rate as rate_shown
from scenarios.peers import ALWAYS, DURABLE, EVERYSEC, MEMORY, OFF, redis, sluice, take_turns

SHOWN = ("p99", "p99.9", "max")
STORED = ("sluice_store_run_bytes_total", "sluice_store_compacted_bytes_total")


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
    while_runs_are_built(bench, section, median(durable))
    return section


def while_runs_are_built(bench, section, peak):
    """Half load for a minute: buffers freeze, runs are stored and merged. With little memory, so
    that there are many; and pipelined, a figure beside the bar."""
    seconds = 6 * bench.seconds
    rows = []
    for pipeline, memory in ((1, "128MiB"), (64, "1GiB")):
        bench.say(f"S2 p99.9 while runs are built, -P {pipeline}")

        def latencies(server):
            rate = peak / 2
            if pipeline > 1:
                rate = redis_benchmark(bench.log, server, SET, bench.requests, 16)["rps"] / 2
            before = [server.metric(name) for name in STORED]
            found = open_loop(bench.log, server, ["set"], rate, seconds, pipeline=pipeline,
                              keys=20_000_000)
            after = [server.metric(name) for name in STORED]
            found["stored"] = [f"{(b - a) / 1e6:.0f} MB" for a, b in zip(before, after)]
            return found

        target = sluice(bench, "durable", memory=memory)
        found = take_turns(bench, target, latencies, runs=1)[DURABLE][0]
        latency = {name: found["latency_us"][name] / 1000 for name in SHOWN}
        rows.append([f"at most {pipeline} under way on each connection, memory {memory}",
                     rate_shown(found["rate"]), *found["stored"]]
                    + [f"{latency[name]:.3g}" for name in SHOWN])
        what = f"p99.9 while runs are built and merged, -P {pipeline}"
        if pipeline == 1:
            section.at_most(what, latency["p99.9"], 20, " ms")
        else:
            section.figure(what, f"{latency['p99.9']:.3g} ms")
    section.add(f"While runs are built: SET over 20M keys for {seconds} s, at half of the peak of "
                "-P 1, and of -P 16:")
    section.table(["", "SET/s", "runs stored", "merged", "p99 ms", "p99.9 ms", "max ms"], rows)
