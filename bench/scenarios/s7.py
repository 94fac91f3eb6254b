"""S7: many shards, many connections, and nothing to do."""

import contextlib
import socket

from measure import SET, cpu_share, redis_benchmark
from report import Section, figures, shown
from scenarios.peers import DURABLE, sluice, take_turns
from servers import ask

OPEN = 10_000
SPARE = 1_000  # of maxclients
PIPELINES = (1, 16, 64)


@contextlib.contextmanager
def idle_connections(server, count):
    reply, _ = ask(server, "CONFIG", "SET", "maxclients", str(count + SPARE))
    assert reply == b"+OK", reply
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
        yield


def measure(bench):
    section = Section("S7", "many shards, many connections")
    few, many = sluice(bench, "durable"), sluice(bench, "durable", shards=256)
    rows = []
    for pipeline in PIPELINES:
        bench.say(f"S7 -P {pipeline}")
        requests = bench.requests if pipeline > 1 else bench.requests // 5

        def load(server):
            return redis_benchmark(bench.log, server, SET, requests, pipeline)

        def crowded(server):
            with idle_connections(server, OPEN - 50):
                return load(server)

        results = {"8": [], "256": [], "open": []}
        for _ in range(bench.runs):  # all three take turns
            results["8"] += take_turns(bench, few, load, runs=1)[DURABLE]
            results["256"] += take_turns(bench, many, load, runs=1)[DURABLE]
            results["open"] += take_turns(bench, few, crowded, runs=1)[DURABLE]
        rows.append([f"SET -P {pipeline}"] + [shown(figures(results, name)) for name in results])
        section.ratio(f"256 shards to 8, -P {pipeline}",
                      figures(results, "256"), figures(results, "8"), 0.9)
        section.ratio(f"{OPEN} connections open to 50, -P {pipeline}",
                      figures(results, "open"), figures(results, "8"), 0.9)
    section.table(["requests/s", "8 shards, 50 connections", "256 shards",
                   f"{OPEN} connections open, 50 busy"], rows)
    idle(bench, section)
    return section


def idle(bench, section):
    bench.say("S7 idle")

    def shares(server):
        alone = cpu_share(server, bench.seconds)
        with idle_connections(server, OPEN - 50):
            return {"alone": alone, "crowded": cpu_share(server, bench.seconds)}

    found = take_turns(bench, sluice(bench, "durable"), shares, runs=1)[DURABLE][0]
    section.at_most("idle, share of a core", found["alone"] * 100, 1, " %")
    section.at_most(f"idle, {OPEN - 50} connections open", found["crowded"] * 100, 1, " %")
