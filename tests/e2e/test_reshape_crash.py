"""kill -9 in the middle of every kind of job about shards, on a real server under load.

Goal:   the map is the one from before the job or the one after it, whole; nothing acknowledged is
        lost or doubled, under once tokens too, and projections into files and into PostgreSQL have
        what the keys are; nothing of the job is left behind; and who asks for the same again
        learns what became of it.
Method: one range is split, moved, merged over two lanes, split and merged on one lane, again and
        again; each of these jobs is killed at one more part of the time that it takes undisturbed.
        The simulator does the same at each single step (src/sim/errand_test.cc).
"""

import time

import pytest

import archive
from crash_load import CONFIG, Load
from postgres import Postgres
from servers import wait_for
from wire import Error, Wire, mapped

PROJECTED = """
[projection.archive]
from = "counters"
to = "file:{directory}"
batch = {{ rows = 50, every = "5ms" }}
[projection.latest]
from = "counters"
to = "{url}"
table = "latest"
columns = {{ name = "{{name}}", value = "value" }}
key = ["name"]
batch = {{ rows = 50, every = "5ms" }}
[projection.added]
from = "counters"
to = "{url}"
table = "added"
columns = {{ name = "{{name}}", value = "value" }}
key = ["name"]
mode = "add"
batch = {{ rows = 50, every = "5ms" }}
"""
TABLES = """
CREATE TABLE latest (name text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE added (name text PRIMARY KEY, value bigint NOT NULL);
"""
CUT = "counter:shared-3"  # the first key of the upper part
KINDS = ("split", "move", "merge over lanes", "split", "merge")
PARTS = (0.4,)
PARTS_LONG = tuple(i / 12 for i in range(1, 16))  # some come too late
HAPPENED = ("has been split or merged", "already")


def owners(wire):
    """Each shard and its lane, in the order of the map."""
    return [(one["shard"], one["lane"]) for one in map(mapped, wire.call("SLUICE", "SHARDS"))]


class Errand:
    """The next job of the range, and the maps that it may leave."""

    def __init__(self, wire, kind):
        self.before = owners(wire)
        ids = [shard for shard, _ in self.before]
        new = mapped(wire.call("SLUICE", "ROUTE", CUT))["shard"]
        at = ids.index(new)
        lane = self.before[at][1]
        self.maps = [self.before]
        if kind == "split":
            self.words = ("SPLIT", new, "AT", CUT)
            self.made = 2, at, at + 1
        elif kind == "move":
            self.words = ("MOVE", new, 1 - lane)
            moved = list(self.before)
            moved[at] = (new, 1 - lane)
            self.maps.append(moved)
            self.made = None
        else:
            low, low_lane = self.before[at - 1]
            self.words = ("MERGE", low, new)
            if low_lane != lane:
                moved = list(self.before)
                moved[at] = (new, low_lane)
                self.maps.append(moved)
            self.made = 1, at - 1, at + 1

    def whole(self, found):
        """Whether the map is one of those from before the job to after it."""
        if found in self.maps:
            return True
        if self.made is None:
            return False
        count, first, last = self.made
        old = {shard for shard, _ in self.before}
        made = found[first:first + count]
        lanes = {lane for _, lane in made}
        return (found[:first] == self.before[:first] and
                found[first + count:] == self.before[last:] and len(lanes) == 1 and
                not old & {shard for shard, _ in made})


def ended(wire, number):
    def look():
        jobs = map(mapped, wire.call("SLUICE", "JOBS"))
        return next((one for one in jobs if one["job"] == number and one["phase"] == b"ended"),
                    None)

    return wait_for(look, 30, "the job's end")


def undisturbed(port, kind):
    """Does the job; how long it took."""
    with Wire(port) as wire:
        errand = Errand(wire, kind)
        began = time.monotonic()
        number = wire.call("SLUICE", *errand.words)
        assert not isinstance(number, Error), (kind, number)
        job = ended(wire, number)
        assert job["state"] == b"done", job
        assert errand.whole(owners(wire)) and owners(wire) != errand.before
        return time.monotonic() - began


def killed(server, load, kind, after):
    """Kills the server so many seconds into the job; whether the job had happened."""
    with Wire(server.port) as wire:
        errand = Errand(wire, kind)
        began = time.monotonic()
        number = wire.call("SLUICE", *errand.words)
        assert not isinstance(number, Error), (kind, number)
        while time.monotonic() - began < after:
            pass
        server.kill()
    load.join()
    server.start()
    with Wire(server.port) as wire:
        found = owners(wire)
        assert errand.whole(found), (kind, errand.before, found)
        assert len(wire.call("SLUICE", "JOBS")) == 0
        again = wire.call("SLUICE", *errand.words)
        happened = isinstance(again, Error)
        if happened:
            assert any(words in str(again) for words in HAPPENED), (kind, again)
            assert found != errand.before
        else:
            assert found in errand.maps, (kind, errand.before, found)
            assert ended(wire, again)["state"] == b"done"
        assert errand.whole(owners(wire))
    assert not list(server.data.glob("*.tmp")), "a job left a file behind"
    return happened


def expect_sinks(server, directory, postgres):
    """Waits until they have everything; then each has what the keys are."""
    with server.client() as client:
        for name in ("archive", "latest", "added"):
            assert client.execute_command("SLUICE", "WAIT", name, 20_000) == 1, name
        keys = client.keys("counter:*")
        state = dict(zip(keys, client.mget(keys)))
    assert archive.rows(directory) == state
    counts = {key.decode().removeprefix("counter:"): value.decode()
              for key, value in state.items()}
    for table in ("latest", "added"):
        assert dict(postgres.run(f"SELECT name, value FROM {table}")) == counts, table


def crash_in_every_job(start_sluice, tmp_path, parts, seed):
    with Postgres() as postgres:
        postgres.run(TABLES)
        return crashes(start_sluice, tmp_path / "archive", postgres, parts, seed)


def crashes(start_sluice, directory, postgres, parts, seed):
    server = start_sluice(CONFIG + PROJECTED.format(directory=directory, url=postgres.url))
    load = Load(seed)
    load.start(server.port)
    load.await_writes()
    took = [undisturbed(server.port, kind) for kind in KINDS]
    happened = []
    for number, part in enumerate(parts):
        for which, kind in enumerate(KINDS):
            happened.append(killed(server, load, kind, took[which] * part))
            last = number + 1 == len(parts) and which + 1 == len(KINDS)
            load.check(server.client(), last)
            expect_sinks(server, directory, postgres)
            load.start(server.port)
            load.await_writes()
    server.kill()
    load.join()
    return happened


def test_a_kill_in_every_job(start_sluice, tmp_path):
    crash_in_every_job(start_sluice, tmp_path, PARTS, seed=21)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_kill_in_every_part_of_every_job(start_sluice, tmp_path):
    happened = crash_in_every_job(start_sluice, tmp_path, PARTS_LONG, seed=22)
    assert True in happened and False in happened, "the kills did not come on both sides"
