"""SLUICE HOTKEYS and the load in SLUICE SHARDS."""

import json
import re
import threading
import time

import pytest

from servers import Sluice
from wire import Error, Wire, mapped

CONFIG = """
[keyspace.likes]
key = "likes:{post}"
shard = "hash(post)"
shards = 8

[keyspace.stock]
key = "stock:{item}"
shard = "hash(item)"
shards = 4
hot_key = "off"
"""

WAIT_S = 20  # for what is there within a second or two on an idle machine


@pytest.fixture(scope="module")
def server(sluice_bin, tmp_path_factory):
    with Sluice(sluice_bin, tmp_path_factory.mktemp("heat"), CONFIG).start() as running:
        yield running


@pytest.fixture
def wire(server):
    with Wire(server.port) as connection:
        yield connection


@pytest.fixture
def load(server):
    """One key of each keyspace takes half of its writes, for as long as the test runs."""
    stop = threading.Event()

    def run():
        with Wire(server.port) as writer:
            n = 0
            while not stop.is_set():
                batch = []
                for _ in range(50):
                    n += 1
                    batch += [("INCR", "likes:celebrity"), ("INCR", f"likes:{n}")]
                    batch += [("INCR", "stock:phone"), ("GET", f"stock:{n}")]
                list(writer.pipeline(batch))

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()


def until(ask, wanted):
    end = time.monotonic() + WAIT_S
    while not wanted(found := ask()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def hot(wire, *args):
    return [mapped(key) for key in wire.call("SLUICE", "HOTKEYS", *args)]


def test_hot_keys_are_named(wire, load):
    """Goal: the hottest keys are named first, with keyspace, shard, rate, their part of the shard's
    writes and what is done about it. Method: two keys that take most of the load.
    """
    def both(keys):
        return ({key["key"] for key in keys[:2]} == {b"likes:celebrity", b"stock:phone"} and
                len(keys) > 2 and
                keys[1]["writes_per_second"] > 10 * keys[2]["writes_per_second"])

    keys = until(lambda: hot(wire), both)
    assert both(keys)
    assert len(keys) <= 16
    named = {key["key"]: key for key in keys}
    for name, keyspace, action in ((b"likes:celebrity", b"likes", b"fold"),
                                   (b"stock:phone", b"stock", b"none")):
        assert named[name]["keyspace"] == keyspace and named[name]["action"] == action
        route = mapped(wire.call("SLUICE", "ROUTE", name))
        assert named[name]["shard"] == route["shard"]
    assert named[b"stock:phone"]["percent_of_shard"] == 100, "nobody else writes to that keyspace"
    assert 50 < named[b"likes:celebrity"]["percent_of_shard"] < 100
    assert [key["key"] for key in hot(wire, "COUNT", "1", "stock")] == [b"stock:phone"]
    assert all(key["keyspace"] == b"likes" for key in hot(wire, "likes", "COUNT", "5"))


def test_shards_tell_their_load(wire, load):
    """Goal: each shard's rates are told, and what is not known is null. Method: the shard of the
    hot key against those that nobody writes to.
    """
    def shards():
        return [mapped(shard) for shard in wire.call("SLUICE", "SHARDS")]

    of_hot = mapped(wire.call("SLUICE", "ROUTE", "stock:phone"))["shard"]

    def known(found):
        by_id = {shard["shard"]: shard for shard in found}
        return by_id[of_hot]["writes_per_second_1m"] > 0 and by_id[of_hot]["p99_us"] is not None

    found = until(shards, known)
    by_id = {shard["shard"]: shard for shard in found}
    busy = by_id[of_hot]
    assert 0 < busy["p50_us"] <= busy["p99_us"]
    assert 0 <= busy["cpu_percent"] <= 100
    assert busy["bytes_per_second"] > busy["writes_per_second"]
    for name in ("writes_per_second", "reads_per_second", "bytes_per_second", "cpu_percent",
                 "queue_commands", "queue_bytes", "p50_us", "p99_us"):
        assert all(busy[name + window] is not None for window in ("", "_1m", "_10m")), name
    idle = [s for s in found if s["keyspace"] == b"stock" and s["shard"] != of_hot]
    assert all(s["writes_per_second"] == 0 and s["p99_us"] is None for s in idle)
    assert sum(s["reads_per_second"] for s in found if s["keyspace"] == b"stock") > 0


def meter(server, name, keyspace):
    page = server.http("/metrics")[1]
    return int(re.search(rf'^{name}{{keyspace="{keyspace}"}} (\S+)', page, re.M).group(1))


def test_skew_is_a_meter(server, wire, load):
    """Goal: a shard that is hotter than the mean of its keyspace is seen in the meters and by the
    HTTP interface at once. Method: the key that takes nearly all writes of its keyspace.
    """
    def skew():
        return meter(server, "sluice_heat_skew_percent", "stock")

    shard = mapped(wire.call("SLUICE", "ROUTE", "stock:phone"))["shard"]
    assert until(skew, lambda percent: percent > 350) > 350  # of 400, with four shards
    assert meter(server, "sluice_heat_hottest_shard", "stock") == shard
    assert meter(server, "sluice_heat_skew_percent", "default") == -1

    def hottest():
        stock = [s for s in server.api("shards")["shards"] if s["keyspace"] == "stock"]
        return max(stock, key=lambda s: s["writes_per_second"])

    found = until(hottest, lambda s: s["writes_per_second"] > 0)
    assert found["shard"] == shard and found["writes_per_second"] > 0


@pytest.mark.long
def test_a_skew_that_holds_is_warned_of(server, wire, load):
    """Goal: one warning for each skew, that names keyspace and shard. Method: the same load, of
    which the hot key of either keyspace makes one, until they are there.
    """
    def shard_of(key):
        return mapped(wire.call("SLUICE", "ROUTE", key))["shard"]

    def warnings():
        lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
        return [line for line in lines if line["room"] == "heat"]

    found = until(warnings, lambda lines: len(lines) >= 2)
    assert sorted((line["keyspace"], line["shard"]) for line in found) == [
        ("likes", shard_of("likes:celebrity")), ("stock", shard_of("stock:phone"))]
    # A split would not help: one key is the heat.
    assert all("one key takes" in line["what_helps"] for line in found)


def test_bad_input(wire):
    for words in (("COUNT",), ("COUNT", "0"), ("COUNT", "x"), ("nosuch",), ("likes", "stock")):
        assert isinstance(wire.call("SLUICE", "HOTKEYS", *words), Error), words
