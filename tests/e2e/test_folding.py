"""Folding, as its figures tell it.

Goal:   what the meters and INFO say was folded is what the log holds fewer records, whatever was
        written; `hot_key = "off"` folds nothing; and replies are those of single writes.
Method: pipelines of one hot key, of several, of hashes and of keys of their own; records are
        counted by the log's own meter.
Tried:  a fold that is not counted.
"""

import re

import pytest

from servers import Sluice
from wire import Wire

CONFIG = """
[server]
lanes = 1
[keyspace.single]
key = "single:{n}"
hot_key = "off"
"""
DEEP = 64


def meter(server, name):
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", server.http("/metrics")[1], re.M)
    return int(sum(map(float, found)))


def told(server):
    """(writes, of these folded, records)."""
    return tuple(meter(server, name) for name in (
        "sluice_shard_writes_total", "sluice_shard_folded_total", "sluice_log_records_total"))


LOADS = {  # a pipeline's commands
    "one counter": [("INCR", "hot")] * DEEP,
    "three counters": [("INCRBY", f"hot:{n % 3}", n) for n in range(DEEP)],
    "a hash": [("HINCRBY", "cart", f"f{n % 5}", 1) for n in range(DEEP)],
    "last value": [("SET", "place", n) for n in range(DEEP)],
    "keys of their own": [("SET", f"own:{n}", n) for n in range(DEEP)],
    "no folding": [("INCR", "single:1")] * DEEP,
    "all together": [("INCR", "hot"), ("SET", "place", 1), ("HSET", "cart", "a", 1),
                     ("GET", "hot"), ("DEL", "place"), ("INCR", "single:2")] * (DEEP // 6),
}


@pytest.fixture(scope="module")
def server(sluice_bin, tmp_path_factory):
    with Sluice(sluice_bin, tmp_path_factory.mktemp("fold"), CONFIG).start() as running:
        yield running


@pytest.mark.parametrize("load", LOADS)
def test_what_is_told_is_what_the_log_holds(server, load):
    before = told(server)
    with Wire(server.port) as wire:
        for _ in range(20):
            replies = list(wire.pipeline(LOADS[load]))
            if load == "one counter":
                assert replies == list(range(replies[0], replies[0] + DEEP))
    writes, folded, records = (now - then for now, then in zip(told(server), before))
    assert writes == sum(words[0] != "GET" for words in LOADS[load]) * 20
    assert records == writes - folded, (writes, folded, records)
    if load in ("keys of their own", "no folding"):
        assert folded == 0
    elif load == "one counter":
        assert writes / records > 20, "a pipeline is one turn, or nearly"
    with server.client() as client:
        info = client.info("sluice")
        assert (info["writes"], info["folded_writes"]) == told(server)[:2]
