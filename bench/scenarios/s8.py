"""S8: what each write costs in counts. They depend on no machine, and tests pin them too."""

import os

from measure import HSET, INCR, SET, redis_benchmark
from report import Section
from scenarios.peers import DURABLE, sluice, take_turns

PER_LANE = ("sluice_ingest_packets_total", "sluice_ingest_remote_commands_total",
            "sluice_ingest_turns_total")
LOG = ("sluice_log_groups_total", "sluice_log_written_bytes_total", "sluice_log_records_total")


def measure(bench):
    section = Section("S8", "counts")
    rows = []
    for lanes in (1, 2):
        for what, words in (("SET", SET), ("INCR", INCR), ("HSET", HSET)):
            for pipeline in (1, 64):
                rows.append(count(bench, lanes, what, words, pipeline))
    section.table(["", "fsyncs per 1,000 writes", "turns per 1,000", "log bytes per write",
                   "log records per write", "packets per 1,000", "commands that change lanes"],
                  rows)
    cores = os.cpu_count()
    section.add(
        "Allocations, locks and the bounds of these counts are pinned by tests "
        "(`server/counts_test.cc`, `log/counts_test.cc`, `store/counts_test.cc`).")
    if cores < 8:
        section.add(f"1 to 8 lanes side by side: not measured, this machine has {cores} cores.")
    else:
        scale(bench, section)
    return section


def count(bench, lanes, what, words, pipeline):
    bench.say(f"S8 {what} -P {pipeline}, {lanes} lanes")
    requests = bench.requests // 5

    def one(server):
        before = {name: server.metric(name) for name in PER_LANE + LOG}
        redis_benchmark(bench.log, server, words, requests, pipeline)
        return {name: server.metric(name) - before[name] for name in before}

    found = take_turns(bench, sluice(bench, "durable", lanes=lanes), one, runs=1)[DURABLE][0]
    packets, remote, turns = (found[name] for name in PER_LANE)
    groups, log_bytes, records = (found[name] for name in LOG)
    return [
        f"{what} -P {pipeline}, {lanes} lane{'s' if lanes > 1 else ''}",
        f"{1000 * groups / requests:.1f}",
        f"{1000 * turns / requests:.1f}",
        f"{log_bytes / requests:.0f}",
        f"{records / requests:.2f}",
        f"{1000 * packets / requests:.1f}",
        f"{remote / requests:.0%}",
    ]


def scale(bench, section):
    rates = []
    for lanes in (1, 2, 4, 8):
        found = take_turns(
            bench, sluice(bench, "durable", lanes=lanes),
            lambda server: redis_benchmark(bench.log, server, SET, bench.requests, 64))
        rates.append([lanes, f"{found[DURABLE][0]['rps']:.0f}"])
    section.table(["lanes", "SET -P 64, requests/s"], rates)
