"""S6: starting."""

from measure import MIB, SET, Highest, median, redis_benchmark
from report import Section, rate
from scenarios.peers import DURABLE, sluice, take_turns


def measure(bench):
    count = bench.requests * 3
    section = Section("S6", "recovery")
    bench.say(f"S6 kill -9 after {count} SET")

    def one(server):
        empty = server.start_seconds
        with Highest(server, "sluice_log_disk_bytes") as log:
            redis_benchmark(bench.log, server, SET, count, 64, keys=count)
        server.kill()
        server.start(clean=False)
        return {
            "empty": empty,
            "killed": server.start_seconds,
            "replayed": server.metric("sluice_app_recovered_records"),
            "replay": server.metric("sluice_app_recovery_seconds"),
            "log": log.value,
        }

    results = take_turns(bench, sluice(bench, "durable"), one)[DURABLE]
    found = {key: median([each[key] for each in results]) for key in results[0]}
    per_second = [each["replayed"] / each["replay"] for each in results]
    section.table(["", "measured"], [
        ["empty start until ready", f"{found['empty']:.2f} s"],
        [f"start after kill -9 behind {count} writes", f"{found['killed']:.2f} s"],
        ["records replayed", f"{found['replayed']:.0f}"],
        ["records per second, opening of the log included", rate(median(per_second))],
    ])
    section.at_least("records a second, in millions", median(per_second) / 1e6, 1.5)
    section.at_most("log segments kept at any time", max(e["log"] for e in results) / MIB, 512,
                    " MiB")
    section.at_most("start after a kill", max(each["killed"] for each in results), 5, " s")
    section.at_most("empty start", max(each["empty"] for each in results), 1, " s")
    return section
