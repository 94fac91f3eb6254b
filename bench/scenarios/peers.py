"""The servers that most scenarios compare, and how they take turns."""

from servers import Redis, Sluice

OFF, EVERYSEC, ALWAYS = "Redis, AOF off", "Redis, everysec", "Redis, always"
DURABLE, MEMORY = "Sluice, durable", "Sluice, memory"


def redis(bench, *modes):
    return [lambda mode=mode: Redis(bench.directory / "redis", mode) for mode in modes]


def sluice(bench, *acks, **options):
    return [lambda ack=ack: Sluice(bench.directory / "sluice", ack, **options) for ack in acks]


def take_turns(bench, targets, measure, runs=None):
    """{name: [result of each run]}: each target in the first round, then each in the second; every
    run has a fresh server on an empty directory."""
    results = {}
    for run in range(runs or bench.runs):
        for make in targets:
            server = make()
            try:
                server.start()
                server.settle()
                results.setdefault(server.name, []).append(measure(server))
            finally:
                server.remove()
            bench.say(f"  run {run + 1}: {server.name}: {results[server.name][-1]}")
    return results
