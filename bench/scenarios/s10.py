"""S10: reads, from each place where a row can lie."""

from measure import GET, fill, median, open_loop, redis_benchmark
from report import Section, figures, ms, shown
from scenarios.peers import DURABLE, OFF, redis, sluice, take_turns

FIELDS = 10
HASHES = 100_000
HGETALL = ["HGETALL", "hash:__rand_int__"]
HSET = "HSET hash:{n} " + " ".join(f"field{i} {{key}}" for i in range(FIELDS))
SMALL_MEMORY = 64 << 20  # the least that a server may be given
VALUE_BYTES = 100


def measure(bench):
    section = Section("S10", "reads")
    count = bench.requests
    bench.say("S10 GET, HGETALL -P 16")

    def gets(server):
        """From the write buffer; then, where there is a store, from its block cache."""
        fill(bench.log, server, ["SET key:{n} {value}"], count, 150_000)
        fill(bench.log, server, [HSET], HASHES, 20_000)
        server.settle()
        result = {"buffer": get(bench, server, count), "hashes": hgetall(bench, server)}
        if server.name == DURABLE:
            server.stop()  # buffers go to the store
            server.start(clean=False)
            get(bench, server, count)  # from disk into the cache
            result["cache"] = get(bench, server, count)
        return result

    results = take_turns(bench, redis(bench, "off") + sluice(bench, "durable"), gets)
    peer, ours = figures(results, OFF, "buffer"), figures(results, DURABLE, "buffer")
    cached = figures(results, DURABLE, "cache")
    their_hashes = figures(results, OFF, "hashes")
    our_hashes = figures(results, DURABLE, "hashes")
    section.table(["requests/s", "Redis", "Sluice"], [
        ["GET -P 16, from the write buffer", shown(peer), shown(ours)],
        ["GET -P 16, from the block cache", "", shown(cached)],
        [f"HGETALL of {FIELDS} fields -P 16", shown(their_hashes), shown(our_hashes)],
    ])
    section.ratio("GET from the write buffer", ours, peer, 0.9)
    section.ratio("GET from the block cache", cached, peer, 0.9)
    section.ratio(f"HGETALL of {FIELDS} fields", our_hashes, their_hashes, 0.9)
    beside_writes(bench, section, min(median(ours), median(peer)))
    larger_than_memory(bench, section)
    return section


def get(bench, server, count):
    return redis_benchmark(bench.log, server, GET, count, 16, keys=count)["rps"]


def hgetall(bench, server):
    return redis_benchmark(bench.log, server, HGETALL, bench.requests // 2, 16, keys=HASHES)["rps"]


def beside_writes(bench, section, peak):
    """The p99 of GETs, alone and with a fifth of writes, to other keys, on top of the same GETs.

    At a quarter of `peak`, what the slower of the two reaches, so that both can carry it."""
    bench.say("S10 GET p99 beside writes")
    reads = peak / 4

    def p99s(server):
        fill(bench.log, server, ["SET key:{n} {value}"], 1_000_000, 150_000)
        server.settle()
        alone = open_loop(bench.log, server, ["--do", "GET key:{key}"], reads, bench.seconds,
                          pipeline=16)
        mixed = open_loop(
            bench.log, server, ["--do", "80:GET key:{key}", "--do", "20:SET other:{key} {value}"],
            reads / 0.8, bench.seconds, pipeline=16)
        return {
            "alone": alone["latency_us"]["p99"] / 1000,
            "mixed": mixed["commands"][0]["latency_us"]["p99"] / 1000,
        }

    results = take_turns(bench, redis(bench, "everysec") + sluice(bench, "durable"), p99s)
    section.add(f"GET at {reads:.0f}/s, up to 16 under way on each connection, and the same GETs "
                "with SETs of other keys, a fifth of all commands:")
    section.table(["p99 of GET, ms", "alone", "with the writes"],
                  [[name, ms(figures(results, name, "alone")), ms(figures(results, name, "mixed"))]
                   for name in results])
    alone = median(figures(results, DURABLE, "alone"))
    mixed = median(figures(results, DURABLE, "mixed"))
    section.at_most("GET p99 with 20 % writes to without", mixed / alone, 1.5, "x")


def larger_than_memory(bench, section):
    count = 10 * SMALL_MEMORY // (VALUE_BYTES + 16)
    bench.say(f"S10 {count} keys with {SMALL_MEMORY >> 20} MiB of memory")

    def one(server):
        fill(bench.log, server, ["SET key:{n} {value}"], count, 150_000)
        server.stop()
        server.start(clean=False)
        server.settle()
        requests = bench.requests // 5
        rps = redis_benchmark(bench.log, server, GET, requests, 16, keys=count)["rps"]
        cold = server.metric("sluice_shard_cold_reads_total") / requests
        return {"rps": rps, "cold": cold, "resident": server.peak_resident()}

    target = sluice(bench, "durable", memory=f"{SMALL_MEMORY >> 20}MiB")
    found = take_turns(bench, target, one, runs=1)[DURABLE][0]
    section.figure(
        f"GET -P 16 of {count / 1e6:.1f}M keys, 10x memory ({SMALL_MEMORY >> 20} MiB)",
        f"{found['rps']:.0f}/s, {found['cold']:.0%} of them read the disk's tables, "
        f"{found['resident'] >> 20} MiB resident")
