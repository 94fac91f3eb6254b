"""S4: one hot key."""

from measure import median, redis_benchmark
from report import Section, figures, shown
from scenarios.peers import ALWAYS, DURABLE, EVERYSEC, OFF, redis, sluice, take_turns
from servers import Sluice, ask

KEY = "counter:hot"
PIPELINE = 64
LONGER = 5  # times the requests of other scenarios: one key is counted in a moment
RECORDS = "sluice_log_records_total"


def measure(bench):
    section = Section("S4", "one hot key")
    bench.say(f"S4 INCR of one key -P {PIPELINE}")
    targets = redis(bench, "off", "everysec", "always") + sluice(bench, "durable")
    results = take_turns(bench, targets, lambda server: count(bench, server))
    section.add(f"INCR of one key, -P {PIPELINE}, {LONGER * bench.requests / 1e6:g}M in a run; the "
                "counter is read afterwards and must be that:")
    section.table(["requests/s", *results], [
        [f"INCR -P {PIPELINE}"] + [shown(figures(results, name)) for name in results]])
    ours = figures(results, DURABLE)
    section.ratio("to AOF off", ours, figures(results, OFF), 1.0)
    section.ratio("to always", ours, figures(results, ALWAYS), 2.0)
    section.figure("to everysec", f"{median(ours) / median(figures(results, EVERYSEC)):.2f}x")
    records = median(figures(results, DURABLE, "records"))
    section.at_most("log records per 20 writes", 20 * records, 1)
    return section


def count(bench, server):
    """redis-benchmark's figures, and the log records of each write, where the server has a log."""
    writes = LONGER * bench.requests
    before = server.metric(RECORDS) if isinstance(server, Sluice) else 0
    result = redis_benchmark(bench.log, server, ["INCR", KEY], writes, PIPELINE)
    if isinstance(server, Sluice):
        result["records"] = (server.metric(RECORDS) - before) / writes
    # redis-benchmark sends whole pipelines, so a few more than it was told to.
    exact(server, writes, writes + 50 * PIPELINE)
    return result


def exact(server, least, most):
    with_size, _ = ask(server, "INCRBY", KEY, "0")
    counted = int(with_size[1:])
    if not least <= counted <= most:
        raise RuntimeError(f"{server.name}: {counted} increments of {least} are in the counter")
