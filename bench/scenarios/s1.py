"""S1: pipelined writes."""

from measure import HSET, INCR, SET, VALUE, redis_benchmark, side_by_side
from report import Section, figures, shown
from scenarios.peers import ALWAYS, DURABLE, EVERYSEC, OFF, redis, sluice, take_turns

COMMANDS = {"SET": SET, "INCR": INCR, "HSET": HSET}
BARS = {  # to AOF off, to always
    ("SET", 16): (1.0, 1.7),
    ("SET", 64): (1.3, 2.2),
    ("INCR", 16): (0.9, 1.4),
    ("INCR", 64): (1.0, 1.6),
    ("HSET", 16): (0.9, 1.4),
    ("HSET", 64): (1.0, 1.6),
}
# Two that wait for the disk and one that does not. An ack of its own for each of three keyspaces
# needs replication, which is not in this version.
THREE = [
    line
    for name, ack in (("a", "durable"), ("b", "memory"), ("c", "durable"))
    for line in (f"[keyspace.{name}]", f'key = "{name}:{{id}}"', f'ack = "{ack}"')
]


def measure(bench):
    section = Section("S1", "pipelined writes")
    targets = redis(bench, "off", "everysec", "always") + sluice(bench, "durable")
    rows = []
    for (what, pipeline), (to_off, to_always) in BARS.items():
        bench.say(f"S1 {what} -P {pipeline}")
        results = take_turns(
            bench,
            targets,
            lambda server: redis_benchmark(
                bench.log, server, COMMANDS[what], bench.requests, pipeline),
        )
        rows.append([f"{what} -P {pipeline}"] + [shown(figures(results, n)) for n in results])
        name = f"{what} -P {pipeline}"
        ours = figures(results, DURABLE)
        section.ratio(f"{name} to AOF off", ours, figures(results, OFF), to_off)
        section.ratio(f"{name} to always", ours, figures(results, ALWAYS), to_always)
    section.table(["requests/s", OFF, EVERYSEC, ALWAYS, DURABLE], rows)
    three(bench, section)
    section.add("Kvrocks is not in Debian 12 and is not measured.")
    return section


def three(bench, section):
    """The same with three keyspaces of different ack: a third of the load for each."""
    bench.say("S1 three keyspaces")
    each = [["SET", f"{name}:__rand_int__", VALUE] for name in "abc"]
    targets = redis(bench, "off", "always") + sluice(bench, "durable", lines=THREE)
    rows = []
    for pipeline in (16, 64):
        results = take_turns(
            bench,
            targets,
            lambda server: side_by_side(
                bench.log, server, each, bench.requests // 3, pipeline, clients=17),
        )
        rows.append([f"SET -P {pipeline}"] + [shown(figures(results, n)) for n in results])
        to_off, to_always = BARS["SET", pipeline]
        ours = figures(results, DURABLE)
        name = f"three keyspaces, SET -P {pipeline}"
        section.ratio(f"{name} to AOF off", ours, figures(results, OFF), to_off)
        section.ratio(f"{name} to always", ours, figures(results, ALWAYS), to_always)
    section.add("Three keyspaces, `ack` durable, memory, durable, each loaded by its own "
                "redis-benchmark with 17 connections, all three at once:")
    section.table(["requests/s", OFF, ALWAYS, "Sluice, durable and memory"], rows)
