"""PostgreSQL takes nothing, or its table is gone: the projection says why, and then goes on."""

import os
import shutil
import subprocess

import pytest

from postgres import Postgres
from servers import wait_for

CONFIG = """
[keyspace.likes]
key = "likes:{{post_id}}"
[projection.likes]
from = "likes"
to = "{url}"
table = "likes"
columns = {{ post_id = "{{post_id}}", likes = "value" }}
key = ["post_id"]
"""
TABLE = "CREATE TABLE likes (post_id bigint PRIMARY KEY, likes bigint)"
POSTS = 30_000  # more than fit on the disk that is full


@pytest.fixture
def postgres():
    with Postgres(["fsync=off"]) as server:
        server.run(TABLE)
        yield server


def seen(server, name="likes"):
    return {one["projection"]: one for one in server.api("projections")["projections"]}[name]


def await_state(server, state, words, name="likes"):
    wait_for(lambda: seen(server, name)["state"] == state and words in seen(server, name)["why"],
             20, f"{state}: {words}")


def write(client, posts):
    pipe = client.pipeline(transaction=False)
    for post in range(posts):
        pipe.incr(f"likes:{post}")
    pipe.execute()


def expect_equal(client, postgres):
    assert client.execute_command("SLUICE", "WAIT", "likes", 30_000) == 1
    rows = dict(postgres.run("SELECT post_id, likes FROM likes"))
    keys = [f"likes:{post}" for post in rows]
    assert list(rows.values()) == [value.decode() for value in client.mget(keys)]
    assert len(rows) == client.dbsize()


def refuse_password(postgres):
    """As after a rotation that Sluice was not told of."""
    postgres.run("CREATE ROLE app LOGIN PASSWORD 'new' SUPERUSER")
    hba = postgres.data / "pg_hba.conf"
    hba.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    postgres.run("SELECT pg_reload_conf()")
    return "password authentication failed", "ALTER ROLE app PASSWORD 'old'"


def refuse_writes(postgres):
    postgres.run("CREATE ROLE app LOGIN SUPERUSER")
    postgres.run("ALTER ROLE app SET default_transaction_read_only = on")
    return "read-only", "ALTER ROLE app RESET default_transaction_read_only"


@pytest.mark.parametrize("trouble", [refuse_password, refuse_writes])
def test_a_server_that_lets_nobody_in(start_sluice, postgres, trouble):
    """Goal: clients write, the projection says the server's own words, and goes on by itself."""
    words, mend = trouble(postgres)
    server = start_sluice(CONFIG.format(url=postgres.url.replace("sluice@", "app:old@")))
    with server.client() as client:
        await_state(server, "waiting for the sink", words)
        write(client, 100)
        assert seen(server)["lag_ms"] is None
        postgres.run(mend)
        expect_equal(client, postgres)


def test_a_full_disk(start_sluice, postgres):
    """Goal: as above, and no row is blamed for it. Method: a tablespace in a small file system."""
    disk = postgres.directory / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True,
                       capture_output=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("mounting is not allowed here")
    try:
        if os.geteuid() == 0:
            shutil.chown(disk, "postgres")
        postgres.run(f"CREATE TABLESPACE small LOCATION '{disk}'")
        postgres.run("ALTER TABLE likes SET TABLESPACE small")
        server = start_sluice(CONFIG.format(url=postgres.url))
        with server.client() as client:
            write(client, POSTS)
            await_state(server, "waiting for the sink", "No space left on device")
            write(client, 100)
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            expect_equal(client, postgres)
        assert seen(server)["dead"] == 0
        server.stop()
    finally:
        postgres.stop()
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("create", [False, True])
def test_a_table_that_is_dropped_under_way(start_sluice, postgres, create):
    """Goal: what takes the name of a table that was dropped has nothing of it: the projection fills
    it with the state; also when it was there again before anybody noticed.
    """
    server = start_sluice(CONFIG.format(url=postgres.url) + f"create = {str(create).lower()}\n")
    with server.client() as client:
        write(client, 100)
        expect_equal(client, postgres)
        postgres.run("DROP TABLE likes")
        client.incr("likes:1")
        if not create:
            await_state(server, "BROKEN", "there is no table likes")
            postgres.run(TABLE)
            client.execute_command("SLUICE", "PROJECTION", "RESUME", "likes")
            expect_equal(client, postgres)
            postgres.run("DROP TABLE likes; " + TABLE)
            client.incr("likes:1")
        expect_equal(client, postgres)


def test_two_projections_to_one_table(start_sluice, postgres):
    """Goal: one has the table, the other is told which, though both come in the same moment."""
    config = CONFIG.format(url=postgres.url)
    also = config[config.index("[projection"):].replace("projection.likes", "projection.also")
    server = start_sluice(config + also.replace("/postgres", "/postgres?connect_timeout=9"))
    names = {"likes", "also"}
    broken = wait_for(lambda: [n for n in names if seen(server, n)["state"] == "BROKEN"], 20, "one")
    (other,) = names - set(broken)
    assert f"projection {other} writes to likes already" in seen(server, broken[0])["why"]
