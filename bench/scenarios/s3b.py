"""S3b: read-modify-write on keys that memory does not hold."""

from measure import HSET, INCR, redis_benchmark
from report import Section, rate
from scenarios.peers import DURABLE, EVERYSEC, redis, sluice, take_turns


def measure(bench):
    count = bench.sustained // 2
    section = Section("S3b", f"{count / 1e6:g}M INCR and HSET on cold keys, -P 64")
    rows = []
    for what, words in (("INCR", INCR), ("HSET", HSET)):
        bench.say(f"S3b {count} {what} over {count} keys")

        def one(server):
            result = redis_benchmark(bench.log, server, words, count, 64, keys=count)
            if server.name == DURABLE:
                cold = server.metric("sluice_shard_cold_reads_total")
                result["cold"] = cold / count
            return result

        targets = redis(bench, "everysec") + sluice(bench, "durable")
        results = take_turns(bench, targets, one, runs=1)
        ours, peer = results[DURABLE][0], results[EVERYSEC][0]
        rows.append([what, rate(peer["rps"]), rate(ours["rps"]), f"{ours['cold']:.0%}"])
        section.figure(f"{what} to Redis everysec", f"{ours['rps'] / peer['rps']:.2f}x")
    section.table(["", EVERYSEC, DURABLE, "commands that read the disk"], rows)
    return section
