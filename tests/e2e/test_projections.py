"""Projections into an archive of files: what is acknowledged is in it, once and in order."""

import json
import random
import re
import subprocess
import threading

import pytest
import redis

import archive
from servers import wait_for

CONFIG = """
[keyspace.likes]
key = "likes:{{post_id}}"
shards = 3
[projection.archive]
from = "likes"
to = "file:{directory}"
batch = {{ rows = 50, every = "5ms" }}
"""


@pytest.fixture
def archived(start_sluice, tmp_path):
    """(server, directory): a server with a projection of `likes` into files."""
    directory = tmp_path / "archive"
    return start_sluice(CONFIG.format(directory=directory)), directory


def state(client, pattern="likes:*"):
    """What the server holds, as archive.rows tells it."""
    found = {}
    for key in client.scan_iter(pattern, count=1000):
        found[key] = client.hgetall(key) if client.type(key) == b"hash" else client.get(key)
    return found


def caught_up(server, client):
    assert client.execute_command("SLUICE", "WAIT", "archive", 20_000) == 1


def projection(server):
    (one,) = server.api("projections")["projections"]
    return one


def pressure(server):
    page = server.http("/metrics")[1]
    return int(re.search(r'pressure_percent{cause="projection"} (\d+)', page)[1])


def write_any(client, rng, keys):
    key = f"likes:{rng.randrange(keys)}"
    try:
        match rng.randrange(8):
            case 0: client.set(key, rng.randbytes(rng.randrange(20)))
            case 1: client.incrby(key, rng.randrange(-9, 99))
            case 2: client.delete(key)
            case 3: client.append(key, b"x")
            case 4: client.setrange(key, rng.randrange(30), b"yz")
            case 5: client.hset(key, f"f{rng.randrange(9)}", rng.randrange(99))
            case 6: client.hincrby(key, f"n{rng.randrange(9)}", 2)
            case 7: client.hdel(key, f"f{rng.randrange(9)}", f"n{rng.randrange(9)}")
    except redis.ResponseError:
        pass  # of the other type, or no number


def test_the_archive_equals_the_state(archived):
    """Goal: after any writes the archive says what the keys are; SLUICE WAIT tells when."""
    server, directory = archived
    rng = random.Random(1)
    with server.client() as client:
        for _ in range(5):
            for _ in range(300):
                write_any(client, rng, 20)
            client.set("other", "x")
            caught_up(server, client)
            assert archive.rows(directory) == state(client)
        seen = projection(server)
        assert seen["state"] == "running" and seen["lag_bytes"] == 0 and seen["dead"] == 0
        (listed,) = client.execute_command("SLUICE", "PROJECTIONS")
        assert listed[:2] == [b"projection", b"archive"]


def test_waiting_has_an_end(archived):
    """Goal: SLUICE WAIT answers 0 at its timeout, and 1 for a connection that wrote before."""
    server, directory = archived
    with server.client() as client:
        client.incr("likes:1")
        caught_up(server, client)
        assert client.execute_command("SLUICE", "PROJECTION", "PAUSE", "archive") == b"OK"
        wait_for(lambda: projection(server)["state"] == "paused", 10, "paused")
        client.incr("likes:1")
        assert client.execute_command("SLUICE", "WAIT", "archive", 50) == 0
        wait_for(lambda: projection(server)["lag_ms"], 10, "a lag")
        assert archive.rows(directory) == {b"likes:1": b"1"}
        client.execute_command("SLUICE", "PROJECTION", "RESUME", "archive")
        caught_up(server, client)
        assert archive.rows(directory) == {b"likes:1": b"2"}
        for words in (("WAIT", "nothing", 1), ("WAIT", "archive", -1), ("WAIT", "archive", "x"),
                      ("PROJECTION", "BREAK", "archive"), ("DEAD", "archive", "REPLAY", "x")):
            with pytest.raises(redis.ResponseError):
                client.execute_command("SLUICE", *words)
        assert client.execute_command("SLUICE", "DEAD", "archive") == []
        assert client.execute_command("SLUICE", "DEAD", "archive", "PURGE") == 0


@pytest.mark.parametrize("kill", [False, True])
def test_a_pause_outlasts_a_restart(archived, kill):
    """Goal: who is paused stays so until RESUME, whatever becomes of the process."""
    server, directory = archived
    with server.client() as client:
        client.incr("likes:1")
        caught_up(server, client)
        assert client.execute_command("SLUICE", "PROJECTION", "PAUSE", "archive") == b"OK"
    server.restart(kill=kill)
    with server.client() as client:
        client.incr("likes:1")
        assert client.execute_command("SLUICE", "WAIT", "archive", 300) == 0
        assert projection(server)["state"] == "paused"
        assert archive.rows(directory) == {b"likes:1": b"1"}
        assert client.execute_command("SLUICE", "PROJECTION", "RESUME", "archive") == b"OK"
    server.restart(kill=kill)
    with server.client() as client:
        caught_up(server, client)
    assert archive.rows(directory) == {b"likes:1": b"2"}


def kill_rounds(server, directory, rounds):
    """Increments from several connections and kill -9, again and again: none is lost or doubled."""
    acknowledged, unknown, keys = [0] * 6, [0] * 6, [f"likes:{i}".encode() for i in range(6)]
    for round_number in range(rounds):
        stop = threading.Event()

        def write(i):
            client = server.client()
            while not stop.is_set():
                try:
                    unknown[i] += 1
                    client.incr(keys[i])
                    unknown[i] -= 1
                    acknowledged[i] += 1
                except (redis.RedisError, OSError):
                    return

        threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        want = random.Random(round_number).randrange(200, 2_000) + sum(acknowledged)
        wait_for(lambda: sum(acknowledged) > want, 30, "writes")
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.start()
        with server.client() as client:
            caught_up(server, client)
            values = {key: client.get(key) for key in keys}
            there = {key: value for key, value in values.items() if value is not None}
            assert archive.rows(directory) == there
            assert archive.sums(directory) == {key: int(value) for key, value in there.items()}
            for i, key in enumerate(keys):
                assert acknowledged[i] <= int(values[key] or 0) <= acknowledged[i] + unknown[i]


def test_kills_leave_no_gap_and_no_double(archived):
    """Goal: kill -9 under load at any moment: the archive's deltas add up to the state."""
    kill_rounds(*archived, rounds=4)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_many_kills_leave_no_gap_and_no_double(archived):
    kill_rounds(*archived, rounds=50)


def test_a_projection_that_comes_late(start_sluice, tmp_path):
    """Goal: what was written before there was a projection is in its sink, and writes on parts of
    values and FLUSHALL from that time do no harm, also when the process was killed.
    """
    directory = tmp_path / "archive"
    plain = "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 3\n"
    for kill in (True, False):
        rng = random.Random(2)
        server = start_sluice(plain)
        with server.client() as client:
            client.set("likes:gone", 1)
            client.flushall()
            for _ in range(500):
                write_any(client, rng, 30)
        server.config_file.write_text(CONFIG.format(directory=directory / str(kill)))
        directory.mkdir(exist_ok=True)
        server.restart(kill=kill)
        with server.client() as client:
            for _ in range(100):
                write_any(client, rng, 30)
            caught_up(server, client)
            assert archive.rows(directory / str(kill)) == state(client)
            with pytest.raises(redis.ResponseError, match="has a projection"):
                client.flushall()


def test_a_rebuild_begins_anew(archived):
    """Goal: REBUILD empties the sink and copies the state, while writes go on."""
    server, directory = archived
    rng = random.Random(3)
    with server.client() as client:
        for _ in range(300):
            write_any(client, rng, 20)
        caught_up(server, client)
        client.execute_command("SLUICE", "PROJECTION", "REBUILD", "archive")
        for _ in range(100):
            write_any(client, rng, 20)
        caught_up(server, client)
        wait_for(lambda: projection(server)["state"] == "running", 20, "running again")
        caught_up(server, client)
        assert archive.rows(directory) == state(client)


def test_the_log_has_a_bound(start_sluice, tmp_path):
    """Goal: at log.keep a projection that is behind is given up, and says so."""
    config = CONFIG.format(directory=tmp_path / "archive")
    config += "[log]\nsegment = \"1MiB\"\nkeep = \"4MiB\"\n"
    server = start_sluice(config, args=["--set", "server.memory=64MiB"])
    with server.client() as client:
        client.execute_command("SLUICE", "PROJECTION", "PAUSE", "archive")
        for i in range(10):
            pipe = client.pipeline(transaction=False)
            for j in range(100):
                pipe.set(f"likes:{100 * i + j}", bytes(10_000))
            pipe.execute()
        wait_for(lambda: projection(server)["state"] == "BROKEN", 20, "given up")
        seen = projection(server)
        assert "log.keep (4MiB)" in seen["why"] and seen["lag_ms"] is None
        client.execute_command("SLUICE", "PROJECTION", "RESUME", "archive")
        assert projection(server)["state"] == "BROKEN"


def test_the_log_has_a_bound_that_blocks(start_sluice, tmp_path):
    """Goal: with on_full = "block", a backlog is felt as pressure before the bound, writes are
    refused at it, and taken again below it.
    """
    config = CONFIG.format(directory=tmp_path / "archive") + "on_full = \"block\"\n"
    config += "[log]\nsegment = \"1MiB\"\nkeep = \"4MiB\"\n"
    server = start_sluice(config, args=["--set", "server.memory=64MiB"])
    with server.client() as client:
        client.execute_command("SLUICE", "PROJECTION", "PAUSE", "archive")

        pressures = []

        def refused():
            pressures.append(pressure(server))
            try:
                client.set("likes:1", bytes(100_000))
            except redis.ResponseError as error:
                return "OVERLOADED reason=projection" in str(error)
            return False

        wait_for(refused, 20, "refused writes")
        assert any(50 <= percent < 200 for percent in pressures), pressures
        assert client.get("likes:1") is not None
        client.execute_command("SLUICE", "PROJECTION", "RESUME", "archive")
        wait_for(lambda: not refused(), 20, "writes again")
        caught_up(server, client)
        assert archive.rows(tmp_path / "archive") == state(client)


def test_the_command_line(archived, sluice_bin):
    """Goal: `sluice projection` shows and does what the commands do."""
    server, _ = archived

    def projection_command(*words):
        return subprocess.run([sluice_bin, "projection", *words, "--port", str(server.port)],
                              capture_output=True, text=True, timeout=30)

    def run(*words, status=0):
        done = projection_command(*words)
        assert done.returncode == status, done.stderr
        return done.stdout

    assert "projection archive · from likes" in run("ls")
    run("pause", "archive")
    wait_for(lambda: json.loads(run("ls", "--json"))["state"] == "paused", 10, "paused")
    run("resume", "archive")
    run("rebuild", "archive")
    assert run("dead", "archive") == ""

    def purged():
        """No order is taken while the state is copied, which takes as long as it takes."""
        done = projection_command("dead", "archive", "--purge", "--all")
        assert done.returncode == 0 or "is being copied" in done.stderr, done.stderr
        return done.stdout == "letters 0\n"

    wait_for(purged, 10, "a purge")
    run("pause", "nothing", status=1)
    run("dead", "archive", "--replay", status=2)
    run("dead", "archive", "1", status=2)
    run("break", "archive", status=2)
