"""PostgreSQL is away, or comes back older than it was: writers do not notice, and it catches up."""

import json
import shutil
import statistics
import subprocess

import pytest
import redis

from postgres import Postgres
from servers import wait_for

CONFIG = """
[log]
segment = "1MiB"
keep = "{keep}"
[server]
memory = "64MiB"
[keyspace.likes]
key = "likes:{{post_id}}"
shards = 3
[projection.likes]
from = "likes"
to = "{url}"
table = "likes"
columns = {{ post_id = "{{post_id}}::bigint", value = "value" }}
key = ["post_id"]
create = true
on_full = "{on_full}"
"""
BYTES = 1_000  # of a value


@pytest.fixture
def postgres():
    with Postgres(["fsync=off"]) as server:  # it is killed, and never loses its power
        yield server


def start(start_sluice, postgres, *, keep="1GiB", on_full="stop", url=None):
    return start_sluice(CONFIG.format(url=url or postgres.url, keep=keep, on_full=on_full))


def seen(server):
    (one,) = server.api("projections")["projections"]
    return one


def await_state(server, state):
    wait_for(lambda: seen(server)["state"] == state, 30, state)


def write(client, first, count, word, size=BYTES):
    """`count` keys from `first` on get values that begin with `word`; False once one is refused."""
    for begin in range(first, first + count, 100):
        pipe = client.pipeline(transaction=False)
        for post in range(begin, min(begin + 100, first + count)):
            pipe.set(f"likes:{post}", word + "x" * size)
        for reply in pipe.execute(raise_on_error=False):
            if isinstance(reply, redis.ResponseError):
                assert "OVERLOADED reason=projection" in str(reply)
                return False
    return True


def catch_up(client):
    client.set("likes:0", "mark")  # what this connection wrote is waited for
    assert client.execute_command("SLUICE", "WAIT", "likes", 30_000) == 1


def expect_equal(server, postgres):
    """Waits until the table has everything; then it is the state, row for row."""
    with server.client() as client:
        catch_up(client)
        keys = client.keys("likes:*")
        state = {key.decode()[6:]: value.decode() for key, value in zip(keys, client.mget(keys))}
    assert dict(postgres.run("SELECT post_id, value FROM likes")) == state


@pytest.mark.parametrize("on_full", ["stop", pytest.param("block", marks=pytest.mark.long)])
def test_an_outage_as_long_as_the_log_allows(start_sluice, postgres, on_full):
    """Goal: while PostgreSQL is away all writes are taken, and afterwards all are in the table.
    Method: most of what log.keep allows.
    """
    server = start(start_sluice, postgres, keep="4MiB", on_full=on_full)
    with server.client() as client:
        write(client, 0, 100, "before ")
        catch_up(client)
        postgres.kill()
        assert write(client, 50, 2_500, "during ")
        await_state(server, "waiting for the sink")
        wait_for(lambda: seen(server)["lag_bytes"] > 2 << 20, 10, "a backlog that is told")
        postgres.start()
    expect_equal(server, postgres)
    assert seen(server)["lag_bytes"] == 0


@pytest.mark.long
@pytest.mark.release_only
@pytest.mark.timeout(300)
def test_writers_do_not_notice_an_outage(start_sluice, postgres, sluice_bin):
    """Goal: at a pace that both carry, no write is refused and none takes longer while PostgreSQL
    is away, or is catching up. Method: three outages; `sluice bench` before, in and behind each;
    medians, with room for PostgreSQL's own part of the processors.
    """
    server = start(start_sluice, postgres)

    def p99_ms():
        done = subprocess.run(
            [sluice_bin, "bench", "--do", "INCR likes:1{key}", "--rate", "5000", "--seconds", "5",
             "--json", "--port", str(server.port)], capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        assert sum(result["errors"].values()) == 0
        return result["latency_us"]["p99"] / 1000

    there, away = [], []
    for _ in range(3):
        there.append(p99_ms())
        postgres.kill()
        away.append(p99_ms())
        postgres.start()
        p99_ms()
        with server.client() as client:
            catch_up(client)
    assert statistics.median(away) <= 1.5 * statistics.median(there) + 2
    expect_equal(server, postgres)


def test_a_projection_is_given_up_at_the_bound(start_sluice, postgres):
    """Goal: on_full = "stop": writers never notice; the projection says that it was given up, also
    once PostgreSQL is back, and a rebuild makes the table equal.
    """
    server = start(start_sluice, postgres, keep="4MiB", on_full="stop")
    with server.client() as client:
        write(client, 0, 100, "before ")
        catch_up(client)
        postgres.stop()
        assert write(client, 50, 6_000, "during ")
        await_state(server, "BROKEN")
        assert write(client, 99, 100, "broken ")
        postgres.start()
        client.execute_command("SLUICE", "PROJECTION", "RESUME", "likes")
        assert "log.keep" in seen(server)["why"] and seen(server)["lag_bytes"] is None
        client.execute_command("SLUICE", "PROJECTION", "REBUILD", "likes")
        wait_for(lambda: seen(server)["state"] == "running", 30, "rebuilt")
    expect_equal(server, postgres)


def test_writers_are_held_at_the_bound(start_sluice, postgres):
    """Goal: on_full = "block": at the bound writes are refused and reads are not; once PostgreSQL
    is back nothing that was acknowledged is missing, and writes are taken again.
    """
    server = start(start_sluice, postgres, keep="4MiB", on_full="block")
    with server.client() as client:
        write(client, 0, 100, "before ")
        catch_up(client)
        postgres.stop()
        wait_for(lambda: not write(client, 50, 3_000, "during "), 30, "a refusal")
        assert client.get("likes:50").startswith(b"during ")
        postgres.start()
        wait_for(lambda: write(client, 0, 10, "after "), 30, "writes again")
    expect_equal(server, postgres)


def test_the_bound_counts_what_the_disk_holds(start_sluice, postgres):
    """Goal: starts while PostgreSQL is away do not begin to count anew: the log of all of them is
    bounded by log.keep, and that it was is said. Method: each process writes half of it.
    """
    server = start(start_sluice, postgres, keep="4MiB", on_full="stop")
    with server.client() as client:
        write(client, 0, 100, "before ")
        catch_up(client)
    postgres.stop()
    for _ in range(4):
        with server.client() as client:
            assert write(client, 0, 2_000, "during ")
        server.restart()
    wait_for(lambda: len(list((server.data / "log").glob("*.seg"))) <= 6, 10, "a trimmed log")
    postgres.start()
    await_state(server, "BROKEN")
    assert "log.keep" in seen(server)["why"] or "trimmed away" in seen(server)["why"]


class Backup:
    """The database's files at one moment."""

    def __init__(self, postgres):
        self.postgres, self.directory = postgres, postgres.directory / "backup"
        self.copy(postgres.data, self.directory)

    def restore(self):
        self.copy(self.directory, self.postgres.data)

    def copy(self, source, target):
        self.postgres.stop()
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)
        self.postgres.start()


def new_rows(postgres):
    return len(postgres.run("SELECT 1 FROM likes WHERE value LIKE 'new%'"))


@pytest.mark.parametrize("later", ["nothing", pytest.param("restart", marks=pytest.mark.long)])
def test_an_older_backup_catches_up(start_sluice, postgres, later):
    """Goal: PostgreSQL restored from an older backup goes on from there, by itself: when
    nobody writes, and when the node was restarted meanwhile.
    """
    server = start(start_sluice, postgres)
    with server.client() as client:
        write(client, 0, 200, "old ")
        catch_up(client)
        backup = Backup(postgres)
        write(client, 100, 300, "new ")
        client.delete("likes:7")
        catch_up(client)
        backup.restore()
        match later:
            case "nothing":
                wait_for(lambda: new_rows(postgres) == 300, 30, "the rows that the backup lacks")
            case "restart":
                server.restart(kill=True)
    expect_equal(server, postgres)


def test_a_backup_older_than_the_log(start_sluice, postgres):
    """Goal: where the log does not reach back to a restored backup, that is said, nothing is
    skipped, and a rebuild makes the table equal.
    """
    server = start(start_sluice, postgres)

    def oldest_segment():
        return min(path.name for path in (server.data / "log").glob("*.seg"))

    with server.client() as client:
        write(client, 0, 100, "old ")
        catch_up(client)
        backup, before = Backup(postgres), oldest_segment()
        while oldest_segment() == before:
            write(client, 50, 500, "new ", 50_000)
            catch_up(client)
        backup.restore()
        client.set("likes:0", "mark")
        await_state(server, "BROKEN")
        assert "trimmed away" in seen(server)["why"] and new_rows(postgres) == 0
        client.execute_command("SLUICE", "PROJECTION", "REBUILD", "likes")
        await_state(server, "running")
    expect_equal(server, postgres)


@pytest.mark.long
def test_a_dump_that_is_restored_under_way(start_sluice, postgres):
    """Goal: pg_dump of the database has the position with the table: restored in the running
    server, the projection finds its place by itself.
    """
    server = start(start_sluice, postgres)
    with server.client() as client:
        write(client, 0, 200, "old ")
        catch_up(client)
        dump = postgres.directory / "dump.sql"
        postgres.as_owner("pg_dump", "-f", dump, postgres.url)
        write(client, 100, 300, "new ")
        catch_up(client)
        client.execute_command("SLUICE", "PROJECTION", "PAUSE", "likes")
        await_state(server, "paused")
        postgres.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        postgres.as_owner("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, postgres.url)
        client.execute_command("SLUICE", "PROJECTION", "RESUME", "likes")
    expect_equal(server, postgres)


@pytest.mark.long
def test_another_server_takes_over(start_sluice, postgres, monkeypatch):
    """Goal: where `to` names two servers and the other one, which lacks the last commits, takes
    over, the projection goes on there. Method: a dump restored into a server of its own, with
    another system identifier.
    """
    monkeypatch.setattr(Postgres, "template", None)
    other = Postgres()
    try:
        both = f"127.0.0.1:{postgres.port},127.0.0.1:{other.port}"
        url = postgres.url.replace(f"127.0.0.1:{postgres.port}", both)
        server = start(start_sluice, postgres, url=url)
        with server.client() as client:
            write(client, 0, 200, "old ")
            catch_up(client)
            dump = postgres.directory / "dump.sql"
            postgres.as_owner("pg_dump", "-f", dump, postgres.url)
            write(client, 100, 300, "new ")
            catch_up(client)
        postgres.stop()
        other.start()
        other.as_owner("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, other.url)
        expect_equal(server, other)
        assert new_rows(other) == 300
    finally:
        other.remove()
