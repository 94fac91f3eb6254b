"""The balancer on a running node: what it would do, what it warns of, and its settings."""

import json
import threading

import pytest
import redis

from servers import wait_for
from wire import Wire, mapped

CONFIG = """
[server]
lanes = 2

[keyspace.log]
key = "log:{day}"
shard = "range(day)"
shards = 4
split_points = ["2000", "4000", "6000"]
capacity = "200/s"

[keyspace.likes]
key = "likes:{post}"
shard = "hash(post)"
shards = 4
capacity = "200/s"
split_at = "100/s"
"""

WAIT_S = 40  # the balancer looks every 2 s, and wants some samples


@pytest.fixture
def server(start_sluice):
    return start_sluice(CONFIG)


@pytest.fixture
def load(server):
    """`likes` evenly, but for one key; `log` on 1,000 days of the first shard."""
    stop = threading.Event()

    def run():
        with Wire(server.port) as writer:
            n = 0
            while not stop.wait(0.05):
                n += 1
                batch = [("INCR", "likes:celebrity")] * 20
                batch += [("INCR", f"log:{(n * 7 + i * 131) % 1000}") for i in range(20)]
                list(writer.pipeline(batch))

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()


def said(server, **fields):
    """The fields of the first line of the log that has these."""
    for line in server.stderr.splitlines():
        told = json.loads(line) if line.startswith("{") else {}
        if all(told.get(name) == value for name, value in fields.items()):
            return told
    return None


def meter(server, name, **labels):
    for line in server.http("/metrics")[1].splitlines():
        if line.startswith(f"sluice_rebalance_{name}{{") and all(
                f'{label}="{value}"' in line for label, value in labels.items()):
            return float(line.rsplit(" ", 1)[1])
    return None


def writes(shards, wanted):
    """Of one shard, a second."""
    return next(max(1, int(each["writes_per_second"])) for each in shards
                if each["shard"] == wanted["shard"])


def test_it_says_what_it_would_do_and_what_no_job_cures(server, load):
    """Goal: a shard of many keys that is too hot is proposed to be split, with figures; one that is
    one key is named instead, and neither begins by itself. Method: such a load, the log, meters."""
    wait_for(lambda: said(server, kind="split"), WAIT_S, "a split proposed")
    split = said(server, kind="split")
    assert split["held_by"] == "preview"
    assert "of log takes" in split["why"] and "200 that one shard carries" in split["why"]
    assert "cut where its load halves" in split["then"]
    wait_for(lambda: said(server, trouble="hot_key"), WAIT_S, "a hot key named")
    lines = [line for line in server.stderr.splitlines() if '"hot_key"' in line]
    assert any("likes:celebrity alone takes" in line and "sub-keys" in line for line in lines)
    assert meter(server, "proposals", kind="split") == 1
    assert meter(server, "warnings", trouble="hot_key") >= 1
    assert meter(server, "started_total", kind="split") == 0
    client = server.client()
    client.config_set("rebalance.mode", "off")
    wait_for(lambda: meter(server, "proposals", kind="split") == 0, WAIT_S, "no proposal")
    assert meter(server, "warnings", trouble="hot_key") >= 1, "warnings stay"


def test_a_key_that_passes_its_bound_is_named_again(server, load):
    """Goal: a hot key that has become more than one shard carries is news, although it was named
    before: other help is needed. Method: the capacity is lowered below what the key has."""
    client = server.client()

    def named(text):
        return any("likes:celebrity alone takes" in line and text in line
                   for line in server.stderr.splitlines())

    client.config_set("keyspace.likes.split_at", "0.1")
    client.config_set("keyspace.likes.capacity", "2500/s")
    wait_for(lambda: named("near its bound, not over it"), WAIT_S, "a hot key named")
    client.config_set("keyspace.likes.capacity", "150/s")
    wait_for(lambda: named("sub-keys"), WAIT_S, "what helps beyond the bound")


def test_it_splits_what_is_too_hot_and_leaves_one_key_whole(server, load):
    """Goal: switched on, it starts the split that it proposed, and the shard's load is on two from
    then on; the shard of one key stays. Method: the same load; the map, meters, the log."""
    client = server.client()

    def shards(keyspace):
        return [mapped(each) for each in client.execute_command("SLUICE", "SHARDS", keyspace)]

    client.config_set("rebalance.mode", "on")
    wait_for(lambda: len(shards("log")) > 4, WAIT_S, "a split")
    assert said(server, kind="split", message="the balancer started a job")
    assert meter(server, "started_total", kind="split") >= 1
    first, second = sorted(shards("log"), key=lambda shard: shard["range"])[:2]
    wait_for(lambda: 0.5 < writes(shards("log"), first) / writes(shards("log"), second) < 2,
             WAIT_S, "an even load")
    assert len(shards("likes")) == 4


def test_settings_change_while_it_runs(server):
    client = server.client()
    for name, value in (("rebalance.window", "02:00-05:00"), ("rebalance.cooldown", "1h"),
                        ("rebalance.jobs", "3"), ("keyspace.log.capacity", "9000/s"),
                        ("keyspace.log.split_at", "0.5")):
        client.config_set(name, value)
        assert client.config_get(name) == {name: value}
    for name, value in (("rebalance.window", "noon"), ("rebalance.jobs", "0"),
                        ("rebalance.mode", "auto"), ("keyspace.log.split_at", "2")):
        with pytest.raises(redis.ResponseError):
            client.config_set(name, value)
