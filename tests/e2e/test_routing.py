"""SLUICE ROUTE, SHARDS, RANGE and ACK, and what a keyspace's settings do."""

import pytest

from servers import Sluice
from wire import Error, Wire, mapped

CONFIG = """
[keyspace.likes]
key = "likes:{post}"
shard = "hash(post)"
shards = 6

[keyspace.readings]
key = "reading:{device}:{at}"
shard = "range(device, at)"
split_points = ["1000", "2000"]

[keyspace.profiles]
key = "profile:{country}:{user}"
shard = "geo(country) then hash(user)"
regions = { IN = { shards = 2 }, EU = { match = ["DE", "FR"], shards = 3 } }

[keyspace.events]
key = "event:{id}"
append_only = true

[keyspace.short]
key = "short:{id}"
ttl = "1h"
"""


@pytest.fixture(scope="module")
def server(sluice_bin, tmp_path_factory):
    with Sluice(sluice_bin, tmp_path_factory.mktemp("routing"), CONFIG).start() as running:
        yield running


@pytest.fixture
def wire(server):
    with Wire(server.port) as connection:
        yield connection


def test_route_says_where_a_key_lives(wire):
    route = mapped(wire.call("SLUICE", "ROUTE", "likes:77"))
    assert route["keyspace"] == b"likes"
    assert mapped(route["segments"]) == {"post": b"77"}
    assert isinstance(route["shard"], int) and isinstance(route["epoch"], int)
    assert mapped(wire.call("SLUICE", "ROUTE", "anything"))["keyspace"] == b"default"
    assert mapped(wire.call("SLUICE", "ROUTE", "likes:"))["keyspace"] == b"default"
    tagged = {
        mapped(wire.call("SLUICE", "ROUTE", key))["shard"] for key in ("{a}1", "{a}2", "x{a}")
    }
    assert len(tagged) == 1


def test_shards_cover_the_token_space_once(wire):
    for keyspace, count in (("likes", 6), ("readings", 3), ("profiles", 5)):
        shards = [mapped(shard) for shard in wire.call("SLUICE", "SHARDS", keyspace)]
        assert len(shards) == count
        assert all(list(shard)[0] == "shard" for shard in shards)
        assert len({shard["shard"] for shard in shards}) == count
        ranges = sorted(tuple(shard["range"]) for shard in shards)
        for (_, end), (begin, _) in zip(ranges, ranges[1:]):
            assert end == begin
    everything = wire.call("SLUICE", "SHARDS")
    assert len(everything) > 14
    assert isinstance(wire.call("SLUICE", "SHARDS", "nosuch"), Error)


def test_every_key_lives_in_the_shard_that_lists_it(wire):
    keys = [f"likes:{post}" for post in range(500)]
    assert set(wire.pipeline([("SET", key, 1) for key in keys])) == {b"OK"}
    used = {
        mapped(route)["shard"] for route in wire.pipeline([("SLUICE", "ROUTE", k) for k in keys])
    }
    listed = {mapped(shard)["shard"] for shard in wire.call("SLUICE", "SHARDS", "likes")}
    assert used == listed


def range_all(wire, *words):
    """Follows the continuations of a SLUICE RANGE to its end; returns what it listed."""
    found, after = [], None
    for _ in range(10_000):
        reply = mapped(wire.call("SLUICE", "RANGE", *words, *(("AFTER", after) if after else ())))
        found += reply["keys"]
        after = reply.get("next")
        if not after:
            return found
    raise AssertionError("the range has no end")


def test_range_lists_keys_in_token_order(wire):
    keys = [
        (device, at) for device in (5, 40, 999, 1000, 1500, 2000, 30_000) for at in (1, 9, 10, 200)
    ]
    for device, at in keys:
        wire.call("SET", f"reading:{device}:{at}", at)
    expected = [f"reading:{device}:{at}".encode() for device, at in sorted(keys)]
    assert range_all(wire, "readings", "FROM", "0", "TO", "99999") == expected
    assert range_all(wire, "readings", "FROM", "0", "TO", "99999", "COUNT", 3) == expected
    part = [key for key in expected if 999 <= int(key.split(b":")[1]) <= 2000]
    assert range_all(wire, "readings", "FROM", "999", "TO", "2000", "COUNT", 5) == part


def test_regions(wire):
    assert wire.call("SET", "profile:DE:1", "x") == b"OK"
    assert wire.call("SET", "profile:IN:1", "x") == b"OK"
    reply = wire.call("SET", "profile:US:1", "x")
    assert reply.startswith(b"REGION"), reply
    assert wire.call("GET", "profile:US:1") is None or wire.call("GET", "profile:US:1").startswith(
        b"REGION"
    )
    assert mapped(wire.call("SLUICE", "ROUTE", "profile:FR:9"))["region"] == b"EU"


def test_append_only(wire):
    assert wire.call("SET", "event:1", "x") == b"OK"
    for words in (("SET", "event:1", "y"), ("DEL", "event:1"), ("EXPIRE", "event:1", -1)):
        assert isinstance(wire.call(*words), Error), words
    assert wire.call("GET", "event:1") == b"x"


def test_ttl_of_a_keyspace(wire):
    wire.call("SET", "short:1", "x")
    assert 3500 <= wire.call("TTL", "short:1") <= 3600
    wire.call("SET", "short:2", "x", "EX", 100)
    assert 90 <= wire.call("TTL", "short:2") <= 100
    wire.call("SET", "other", "x")
    assert wire.call("TTL", "other") == -1


def test_ack_levels(wire):
    for level in ("memory", "durable", "MEMORY"):
        assert wire.call("SLUICE", "ACK", level) == b"OK"
        assert wire.call("INCR", "acked") > 0
    for level in ("replicated", "nosuch"):
        assert isinstance(wire.call("SLUICE", "ACK", level), Error)


def test_what_comes_later_says_so(wire):
    for words in (("RESHARD", "likes", "hash(a)"), ("TXN", "LIST"), ("JOB", "UNDO", 1)):
        assert b"not available yet" in wire.call("SLUICE", *words)
