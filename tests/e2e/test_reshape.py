"""Shards are split, merged and moved on a real server, and nobody notices but for SLUICE SHARDS.

Goal:   what the other tests promise holds while the map changes: nothing acknowledged is lost or
        doubled by kill -9, histories are linearizable, tokens and projections exact; what cannot be
        done is refused with words, and does no harm.
Method: the clients of those tests, and one that orders jobs all the time.
Tried:  serving the moved shard without the buffers of its old lane loses reads at once; replaying
        retired shards into the lanes of today loses writes after a few kills.
"""

import json
import subprocess
import threading
import time

import pytest

from crash_load import CONFIG, Load
from reshaper import Reshaper
from servers import wait_for
from wire import Error, Wire, mapped

ROUNDS = 4
ROUNDS_LONG = 60


def crash_rounds(start_sluice, rounds, seed):
    server = start_sluice(CONFIG)
    load, reshaper = Load(seed), Reshaper(seed, lanes=2)
    for number in range(1, rounds + 1):
        load.start(server.port)
        reshaper.start(server.port)
        load.await_writes()
        wait_for(lambda: reshaper.started >= number, 20, "a change of shards")
        server.kill()
        load.join()
        reshaper.join()
        server.start()
        load.check(server.client(), number == rounds or number % 10 == 0)


def test_nothing_acknowledged_is_lost(start_sluice):
    crash_rounds(start_sluice, ROUNDS, seed=11)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_in_many_rounds(start_sluice):
    crash_rounds(start_sluice, ROUNDS_LONG, seed=12)


def job_of(wire, number):
    return next(one for one in map(mapped, wire.call("SLUICE", "JOBS")) if one["job"] == number)


def done(wire, *words):
    """The job's report once it has ended."""
    number = wire.call("SLUICE", *words)
    assert not isinstance(number, Error), number
    wait_for(lambda: job_of(wire, number)["phase"] == b"ended", 20, "the job's end")
    return job_of(wire, number)


def shard_of(wire, key):
    return mapped(wire.call("SLUICE", "ROUTE", key))


@pytest.fixture
def wire(start_sluice):
    server = start_sluice('[server]\nlanes = 2\n[keyspace.likes]\nkey = "likes:{post}"\n'
                          'shard = "range(post)"\nsplit_points = ["5000"]\n')
    with Wire(server.port) as connection:
        connection.server = server
        yield connection


def test_a_shard_is_split_moved_and_merged(wire):
    """Goal: each verb does what it says, and a restart keeps it. Method: one shard through all."""
    for post in range(1000, 9000, 500):
        assert wire.call("SET", f"likes:{post}", post) == b"OK"
    whole = shard_of(wire, "likes:1000")
    job = done(wire, "SPLIT", whole["shard"], "AT", "likes:3000")
    assert (job["state"], job["kind"], len(job["made"])) == (b"done", b"split", 2)
    assert b"and 2 lanes have the same" in job["verification"]
    asked, ended = [json.loads(line) for line in wire.server.stderr.splitlines()
                    if '"a job ' in line]
    assert asked["reason"].startswith("asked for by default at 127.0.0.1:")
    assert asked["kind"] == "split"
    assert ended["state"] == "done"
    assert ended["made"] == " ".join(str(shard) for shard in job["made"])
    low, high = shard_of(wire, "likes:2999"), shard_of(wire, "likes:3000")
    assert (low["shard"], high["shard"]) == tuple(job["made"]) and low["lane"] == high["lane"]
    other = 1 - high["lane"]
    assert done(wire, "MOVE", high["shard"], other)["state"] == b"done"
    moved = shard_of(wire, "likes:3000")
    assert (moved["lane"], moved["epoch"]) == (other, high["epoch"] + 1)
    assert wire.call("GET", "likes:3000") == b"3000"
    wire.server.restart(kill=True)
    with Wire(wire.server.port) as again:
        assert shard_of(again, "likes:3000")["lane"] == other
        merged = done(again, "MERGE", low["shard"], high["shard"])
        assert merged["state"] == b"done" and len(merged["made"]) == 1
        assert shard_of(again, "likes:3000")["shard"] == merged["made"][0]
        assert [again.call("GET", f"likes:{n}") for n in range(1000, 9000, 500)] == [
            b"%d" % n for n in range(1000, 9000, 500)]


@pytest.mark.parametrize("words, why", [
    (("SPLIT", "1"), "had too few writes lately"),
    (("SPLIT", "99"), "there is no shard 99"),
    (("SPLIT", "x"), "is no shard's number"),
    (("SPLIT", "1", "AT", "likes:7"), "of keyspace likes, and not of the shard's"),
    (("MERGE", "1", "3"), "are no neighbours"),
    (("MERGE", "1", "1"), "are no neighbours"),
    (("MOVE", "1", "9"), "there is no lane 9"),
    (("MOVE", "1", "nowhere"), "there is no lane 'nowhere'"),
    (("JOB", "ABORT", "77"), "there is no job 77"),
    (("JOB", "SHAKE", "1"), "there is no order 'SHAKE'"),
])
def test_what_cannot_be_is_said(wire, words, why):
    """Goal: a clear answer and no harm. Method: what a user may try; the map stays as it was."""
    before = wire.call("SLUICE", "SHARDS")
    reply = wire.call("SLUICE", *words)
    if not isinstance(reply, Error):  # it takes a job to find that out
        wait_for(lambda: job_of(wire, reply)["phase"] == b"ended", 20, "the job's end")
        job = job_of(wire, reply)
        assert job["state"] == b"failed"
        reply = job["error"].decode()
    assert why in str(reply)
    ranges = [[mapped(one)[name] for name in ("shard", "range", "lane", "epoch")]
              for one in wire.call("SLUICE", "SHARDS")]
    assert ranges == [[mapped(one)[name] for name in ("shard", "range", "lane", "epoch")]
                      for one in before]


def test_one_hot_key_is_not_split(wire):
    """Goal: a split that helps nobody is refused, and it is said what would help."""
    stop = threading.Event()
    writes = [("INCR", "likes:77")] * 180 + [("INCR", f"likes:{n}") for n in range(0, 4000, 200)]

    def load():
        with Wire(wire.server.port) as busy:
            while not stop.is_set():
                for _ in busy.pipeline(writes):
                    pass

    thread = threading.Thread(target=load)
    thread.start()
    try:
        hot = shard_of(wire, "likes:77")["shard"]

        def refused():
            reply = wire.call("SLUICE", "SPLIT", hot)
            return isinstance(reply, Error) and b"no cut parts it" in reply

        wait_for(refused, 20, "the heat to know of the key")
    finally:
        stop.set()
        thread.join()


def test_writers_hardly_notice_a_move(wire):
    """Goal: no error, and no pause beyond half a second, while a shard under load is split and
    moved. Method: writers that note the longest time between two answers; a move there and back.
    """
    stop, errors, longest = threading.Event(), [], [0.0]

    def load():
        with Wire(wire.server.port) as busy:
            last = time.monotonic()
            while not stop.is_set():
                for reply in busy.pipeline([("INCR", f"likes:{n}") for n in range(1000, 1100)]):
                    if isinstance(reply, Error):
                        errors.append(str(reply))
                now = time.monotonic()
                longest[0] = max(longest[0], now - last)
                last = now

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        whole = shard_of(wire, "likes:1000")["shard"]
        made = done(wire, "SPLIT", whole, "AT", "likes:1050")["made"]
        for lane in (1, 0, 1):
            for shard in made:
                reply = wire.call("SLUICE", "MOVE", shard, lane)
                if not isinstance(reply, Error):
                    wait_for(lambda: job_of(wire, reply)["phase"] == b"ended", 20, "the job's end")
                    assert job_of(wire, reply)["state"] == b"done"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    # The bound is the bench's; here only a stall is a failure, on whatever machine this is.
    assert longest[0] < 5
    total = sum(int(wire.call("GET", f"likes:{n}")) for n in range(1000, 1100))
    assert total % 100 == 0


def test_the_command_line_splits_moves_and_merges(wire, sluice_bin):
    """Goal: each verb of `sluice shard` does on a node what it says. Method: one shard through all,
    each waited for; what cannot be ends with 1."""
    for post in range(1000, 2000, 100):
        wire.call("SET", f"likes:{post}", post)

    def shard(*words, status=0):
        done = subprocess.run([sluice_bin, "shard", *map(str, words), "--wait", "--json", "--port",
                               str(wire.server.port)], capture_output=True, text=True, timeout=30)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    whole = shard_of(wire, "likes:1000")
    low, high = shard("split", whole["shard"], "--at", "likes:1500")[-1]["made"]
    other = 1 - whole["lane"]
    assert shard("move", high, other)[-1]["state"] == "done"
    assert shard_of(wire, "likes:1500")["lane"] == other
    assert shard("merge", low, high)[-1]["state"] == "done"
    assert shard_of(wire, "likes:1000")["shard"] == shard_of(wire, "likes:1500")["shard"]
    shard("move", 99, 0, status=1)
