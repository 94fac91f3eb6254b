"""Shards that change while the disk is full, and under all the load that a range gets.

Goal:   a job whose disk fills up half way says so and does no harm: it waits for room, or fails
        with the reason, and the map is whole; with room again it is done. At 50,000 writes a second
        to the range that changes, jobs come to their end and each write counts once.
Method: the file system of test_disk_full.py, filled while jobs are asked for; `sluice bench` with
        an open loop, and jobs one after the other.
"""

import json
import subprocess

import pytest
import redis

from servers import wait_for
from test_disk_full import check, enlarge, fill, small_disk  # noqa: F401 (a fixture)
from wire import Error, Wire, mapped

RATE, RATE_LONG = 2_000, 50_000  # writes a second to one range
SECONDS, SECONDS_LONG = 3, 20
KEYS = 20_000
COUNTED_AT_ONCE = 1000  # keys of one MGET
LOADED = """
[server]
lanes = 2
[keyspace.moving]
key = "moving:{n}"
shards = 1
"""


def job_of(wire, number):
    return next(one for one in map(mapped, wire.call("SLUICE", "JOBS")) if one["job"] == number)


def owners(wire):
    return [(one["shard"], one["lane"]) for one in map(mapped, wire.call("SLUICE", "SHARDS"))]


@pytest.mark.timeout(120)
def test_a_disk_that_fills_up_half_way(small_disk):  # noqa: F811
    server = small_disk
    with Wire(server.port) as wire:
        wire.call("SET", "k0", "x")
        shard = mapped(wire.call("SLUICE", "ROUTE", "k0"))
        # It is asked for while there is room, and held; then the disk fills up.
        half_way = wire.call("SLUICE", "MOVE", shard["shard"], 1 - shard["lane"])
        assert wire.call("SLUICE", "JOB", "PAUSE", half_way) == b"OK"
        before = owners(wire)
        keys = fill(server)
        assert wire.call("SLUICE", "JOB", "RESUME", half_way) == b"OK"
        other = next(one for one, _ in before if one != shard["shard"])
        split = wire.call("SLUICE", "SPLIT", other, "AT", key_of(wire, other, keys))
        assert not isinstance(split, Error), split

        def answered(number):
            job = job_of(wire, number)
            waits = job["state"] == b"throttled" and b"room on the disk" in job["waits_for"]
            return waits or (job["state"] == b"failed" and b"nothing has" in job["error"])

        wait_for(lambda: answered(half_way), 20, "a job that says that the disk is full")
        assert owners(wire) == before
        # What waits can be given up.
        assert wire.call("SLUICE", "JOB", "ABORT", split) == b"OK"
        wait_for(lambda: job_of(wire, split)["phase"] == b"ended", 20, "the job's end")
        assert job_of(wire, split)["state"] == b"aborted"
        check(server.client(), keys[::10])
        enlarge(server)
        wait_for(lambda: job_of(wire, half_way)["phase"] == b"ended", 30, "the job's end")
        if job_of(wire, half_way)["state"] == b"failed":
            again = wire.call("SLUICE", "MOVE", shard["shard"], 1 - shard["lane"])
            wait_for(lambda: job_of(wire, again)["phase"] == b"ended", 30, "the job's end")
            assert job_of(wire, again)["state"] == b"done"
        assert owners(wire) == [(one, lane if one != shard["shard"] else 1 - lane)
                                for one, lane in before]
        check(server.client(), keys[::10])

        def taken():
            try:
                return server.client().set("again", "1")
            except redis.ResponseError:
                return False

        wait_for(taken, 30, "writes taken again")


def key_of(wire, shard, keys):
    return next(f"k{i}" for i in keys
                if mapped(wire.call("SLUICE", "ROUTE", f"k{i}"))["shard"] == shard)


def changed_under_load(server, sluice_bin, rate, seconds):
    load = subprocess.Popen(
        [sluice_bin, "bench", "--do", "INCR moving:{key}", "--port", str(server.port), "--rate",
         str(rate), "--seconds", str(seconds), "--keys", str(KEYS), "--pipeline", "64", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ended = []
    with Wire(server.port) as wire:

        def do(*words):
            # A load that has just begun has no median yet.
            number = wait_for(lambda: started(wire, words), 20, f"{words} taken")
            wait_for(lambda: job_of(wire, number)["phase"] == b"ended", 90, f"{words}: its end")
            job = job_of(wire, number)
            assert job["state"] == b"done", job
            ended.append(job["kind"])
            return job["made"]

        while load.poll() is None:
            one = mapped(wire.call("SLUICE", "ROUTE", "moving:0"))
            low, high = do("SPLIT", one["shard"])
            do("MOVE", high, 1 - one["lane"])
            do("MOVE", high, one["lane"])
            do("MERGE", low, high)
    output, errors = load.communicate()
    assert load.returncode == 0, errors + output
    found = json.loads(output)
    with server.client() as client:
        total = 0
        for first in range(0, KEYS, COUNTED_AT_ONCE):
            values = client.mget([f"moving:{n:012}" for n in range(first, first + COUNTED_AT_ONCE)])
            total += sum(int(value or 0) for value in values)
    assert not found["errors"] and found["refused"] == 0 and found["unanswered"] == 0, found
    assert total == found["answered"] == found["due"]
    assert len(ended) >= 4, ended


def started(wire, words):
    """The job's number; None while the heat does not know where to cut."""
    reply = wire.call("SLUICE", *words)
    if isinstance(reply, Error):
        assert b"too few writes lately" in reply, reply
        return None
    return reply


def test_jobs_under_load(start_sluice, sluice_bin):
    changed_under_load(start_sluice(LOADED), sluice_bin, RATE, SECONDS)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.release_only
def test_jobs_at_fifty_thousand_writes_a_second(start_sluice, sluice_bin):
    changed_under_load(start_sluice(LOADED), sluice_bin, RATE_LONG, SECONDS_LONG)
