"""/metrics, /healthz, /readyz and /api/v1/shards."""

import re

from wire import Wire

SAMPLE = re.compile(
    r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"(?P<labels>\{[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\"\\n])*\""
    r"(?:,[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\"\\n])*\")*,?\})?"
    r" (?P<value>-?[0-9.]+(?:[eE][+-]?[0-9]+)?|[+-]Inf|NaN)$"
)
NAME = re.compile(r"^sluice_[a-z]+_[a-z0-9_]+$")
ROOMS = ("log", "store", "shard", "server")


def scrape(server):
    """{name: {labels: value}} of /metrics, which must be proper Prometheus text."""
    status, body = server.http("/metrics")
    assert status == 200
    assert body.endswith("\n")
    meters, kinds, helped = {}, {}, set()
    for line in body.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            assert name not in kinds, f"{name} has two TYPE lines"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
            kinds[name] = kind
        elif line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line and not line.startswith("#"):
            sample = SAMPLE.match(line)
            assert sample, f"no Prometheus sample: {line!r}"
            labels = sample["labels"] or ""
            values = meters.setdefault(sample["name"], {})
            assert labels not in values, f"twice: {line}"
            values[labels] = float(sample["value"].replace("Inf", "inf"))
    for name in kinds:
        assert name in helped, f"{name} has no HELP"
    for name in meters:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in kinds or family in kinds, f"{name} has no TYPE"
        if name.startswith("sluice_"):
            assert NAME.match(name)
        if kinds.get(name) == "counter":
            assert name.endswith("_total"), f"{name} is a counter"
    check_histograms(meters, kinds)
    return meters


def check_histograms(meters, kinds):
    for name, kind in kinds.items():
        if kind != "histogram" or name + "_bucket" not in meters:
            continue
        series = {}
        for labels, value in meters[name + "_bucket"].items():
            bound = re.search(r'le="([^"]+)"', labels)[1]
            rest = re.sub(r',?le="[^"]+",?', "", labels).replace("{}", "")
            series.setdefault(rest, []).append((float(bound.replace("+Inf", "inf")), value))
        for rest, buckets in series.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts), f"{name}{rest} steps back"
            assert max(buckets)[0] == float("inf")
            assert counts[-1] == meters[name + "_count"].get(rest, counts[-1])


def total(meters, name):
    return sum(meters.get(name, {}).values())


def test_metrics_are_prometheus_text_and_move(sluice):
    before = scrape(sluice)
    for room in ROOMS:
        assert any(name.startswith(f"sluice_{room}_") for name in before), f"no meter of {room}"
    with Wire(sluice.port) as wire:
        for _ in range(10):
            sets = [("SET", f"k{n}", "x" * 100) for n in range(50)]
            assert set(wire.pipeline(sets)) == {b"OK"}
            assert len(list(wire.pipeline([("INCR", "n")] * 50))) == 50
        wire.call("NOSUCH")
    after = scrape(sluice)

    def moved(name):
        return total(after, name) - total(before, name)

    assert moved("sluice_server_commands_total") >= 1000
    assert moved("sluice_server_errors_total") >= 1
    assert moved("sluice_server_connections_total") >= 1
    syncs = [name for name in after if "sync" in name and name.endswith("_count")]
    assert any(moved(name) >= 1 for name in syncs), f"no histogram of syncs moved: {syncs}"
    written = [name for name in after if name.startswith("sluice_log_") and "bytes" in name]
    assert any(moved(name) >= 500 * 100 for name in written), f"no bytes of the log: {written}"


def test_health_and_readiness(sluice):
    assert sluice.http("/healthz")[0] == 200
    assert sluice.http("/readyz")[0] == 200
    assert sluice.http("/nothing/here")[0] == 404
    status, body = sluice.http("/")
    assert status in (200, 404) and "Traceback" not in body


def test_shards_are_listed(start_sluice):
    server = start_sluice(
        '[keyspace.likes]\nkey = "likes:{post}"\nshard = "hash(post)"\nshards = 5\n'
    )
    with Wire(server.port) as wire:
        for n in range(300):
            wire.call("INCR", f"likes:{n}")
        listed = [
            dict(zip(shard[::2], shard[1::2])) for shard in wire.call("SLUICE", "SHARDS", "likes")
        ]
    assert len(listed) == 5
    shards = server.api("shards")
    shards = shards["shards"] if isinstance(shards, dict) else shards
    ours = [shard for shard in shards if shard["keyspace"] == "likes"]
    assert sorted(shard["shard"] for shard in ours) == sorted(shard[b"shard"] for shard in listed)


def test_other_http_requests_do_no_harm(sluice):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        status, _ = sluice.http("/metrics", method=method)
        assert 200 <= status < 500, method
    status, _ = sluice.http("/" + "x" * 20_000)
    assert 400 <= status < 500
    assert sluice.http("/healthz")[0] == 200
