"""A table that has rows is read into the keyspace before anybody writes to it."""

import random
import subprocess

import pytest
import redis

from postgres import Postgres
from servers import wait_for

LIKES = """
[keyspace.likes]
key = "likes:{{post_id}}"
[keyspace.order]
key = "order:{{country}}:{{id}}"
"""
PROJECTIONS = """
[projection.likes]
from = "likes"
to = "{url}"
table = "likes"
columns = {{ post_id = "{{post_id}}", likes = "value", writes = "writes" }}
key = ["post_id"]
adopt = "seed"
[projection.orders]
from = "order"
to = "{url}"
table = "orders"
columns = {{ country = "{{country}}", id = "{{id}}", paid = "paid", amount = "amount", \
at = "at", more = "more", raw = "raw", ratio = "ratio" }}
key = ["country", "id"]
adopt = "seed"
"""
CONFIG = LIKES + PROJECTIONS
TABLES = """
CREATE TABLE likes (post_id bigint PRIMARY KEY, likes bigint, writes bigint, title text);
CREATE TABLE orders (country text, id uuid, paid boolean, amount numeric(10, 2), at timestamptz,
  more jsonb, raw bytea, ratio double precision, note text, UNIQUE (country, id));
"""
NOBODY = "00000000-0000-0000-0000-000000000000"
FIELDS = ("paid", "amount", "at", "more", "raw", "ratio")


def fill(postgres, likes, orders):
    postgres.run(TABLES + f"""
        INSERT INTO likes SELECT i, CASE WHEN i % 10 > 0 THEN i * 7 END, NULL, 'post ' || i
          FROM generate_series(1, {likes}) i;
        INSERT INTO orders SELECT (ARRAY['IN', 'DE', 'FR', ''' "x,'])[1 + i % 4],
            md5(i::text)::uuid, i % 3 = 0, i * 1.25, '2024-05-01'::timestamptz + i * interval '1 s',
            CASE WHEN i % 5 > 0 THEN jsonb_build_object('n', i, 't', E'a "b" \\\\ \\n') END,
            CASE WHEN i % 7 > 0 THEN decode(md5(i::text), 'hex') || '\\x00ff' END, i / 3.0, 'note'
          FROM generate_series(1, {orders}) i;
    """)


@pytest.fixture
def postgres():
    with Postgres() as server:
        yield server


def seen(server, name):
    return {one["projection"]: one for one in server.api("projections")["projections"]}[name]


def await_writes(client, key):
    """Until a client may write to the key's keyspace; then it has written to it once."""
    def wrote():
        try:
            return [client.execute_command(*key)]
        except redis.ResponseError as error:
            assert "OVERLOADED reason=seed" in str(error) and "applied=no" in str(error)

    return wait_for(wrote, 30, f"{key} is taken")[0]


def caught_up(server, name):
    """All that the state has is in the table. What the connection writes is waited for."""
    with server.client() as client:
        for word in (("SET", "likes:0", "1"), ("HSET", f"order:IN:{NOBODY}", "amount", "1")):
            await_writes(client, word)
        assert client.execute_command("SLUICE", "WAIT", name, 30_000) == 1


def likes_of(postgres):
    return dict(postgres.run("SELECT post_id, likes FROM likes WHERE post_id > 0"))


def orders_of(postgres, only=""):
    rows = postgres.run(f"SELECT country, id, {', '.join(FIELDS)} FROM orders "
                        f"WHERE id::text NOT LIKE '00000000%' {only}")
    return {(row[0], row[1]): dict(zip(FIELDS, row[2:])) for row in rows}


def hashes_of(client, orders):
    """Piece by piece: a pipeline is sent whole before a reply of it is read."""
    keys, found = [f"order:{country}:{ident}" for country, ident in orders], []
    for first in range(0, len(keys), 1000):
        pipe = client.pipeline(transaction=False)
        for key in keys[first:first + 1000]:
            pipe.hgetall(key)
        found += pipe.execute()
    return found


def expect_state(server, postgres):
    """The state says what the tables say."""
    with server.client() as client:
        likes = likes_of(postgres)
        keys = [key for key in client.keys("likes:*") if key != b"likes:0"]
        have = {key.decode()[6:]: value.decode() for key, value in zip(keys, client.mget(keys))}
        assert have == {post: value for post, value in likes.items() if value is not None}
        orders = orders_of(postgres)
        for (key, row), fields in zip(orders.items(), hashes_of(client, orders)):
            fields = {name.decode(): value for name, value in fields.items()}
            if row["raw"] is not None:
                assert fields.pop("raw") == bytes.fromhex(row["raw"][2:]), key
            if row["paid"] is not None:
                assert fields.pop("paid") == {"t": b"true", "f": b"false"}[row["paid"]], key
            want = {name: value for name, value in row.items()
                    if value is not None and name not in ("raw", "paid")}
            assert {name: value.decode() for name, value in fields.items()} == want, key


def verify(server, sluice_bin, name):
    done = subprocess.run([sluice_bin, "projection", "verify", name, "--port", str(server.port)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rows_become_keys_and_stay_as_they_are(start_sluice, postgres, sluice_bin):
    """Goal: each row is a key, of whatever types; keys that are there win; no other row is touched,
    nor what is not mapped; from then on the table follows. Clients' writes wait for that, those to
    other keyspaces do not; a restart while the server is away knows that it was done.
    Broken: the hold at the start; the check whether a key is there; the filter of the copy.
    """
    fill(postgres, 3_000, 1_000)
    before_likes, before_orders = likes_of(postgres), orders_of(postgres)
    server = start_sluice(LIKES.format(url=postgres.url))
    with server.client() as client:
        client.mset({"likes:3": 777, "likes:900000": 5})
    postgres.stop()
    server.config_file.write_text(CONFIG.format(url=postgres.url))
    server.restart()
    with server.client() as client:
        for refused in (("INCR", "likes:4"), ("MSET", "likes:4", 1, "other", 1),
                        ("SLUICE", "ONCE", "t", "INCR", "likes:4"), ("DEL", "order:IN:1")):
            with pytest.raises(redis.ResponseError, match="OVERLOADED reason=seed"):
                client.execute_command(*refused)
        client.set("other", 1)
        assert client.get("likes:3") == b"777"
        postgres.start()
        assert await_writes(client, ("INCRBY", "likes:4", 2)) == 30
        assert client.execute_command("SLUICE", "WAIT", "likes", 30_000) == 1
    caught_up(server, "orders")
    want = {**before_likes, "3": "777", "4": "30", "900000": "5"}
    assert likes_of(postgres) == want
    assert orders_of(postgres) == before_orders
    expect_state(server, postgres)
    assert postgres.run("SELECT count(*) FROM likes WHERE writes IS NOT NULL AND post_id > 4 AND "
                        "post_id < 900000") == [["0"]]
    assert postgres.run("SELECT title FROM likes WHERE post_id = 4") == [["post 4"]]
    verify(server, sluice_bin, "orders")
    with server.client() as client:
        client.set("likes:10", 12)  # its row said nothing of it
        client.delete("likes:11")
        assert client.execute_command("SLUICE", "WAIT", "likes", 30_000) == 1
    want["10"] = "12"
    del want["11"]
    assert likes_of(postgres) == want
    postgres.stop()
    server.restart(kill=True)
    with server.client() as client:
        assert client.incr("likes:4") == 31
    postgres.start()
    caught_up(server, "likes")
    assert likes_of(postgres) == {**want, "4": "31"}


def fault_rounds(start_sluice, rounds, rows):
    rng = random.Random(7)
    for _ in range(rounds):
        with Postgres() as postgres:
            fill(postgres, rows, rows // 2)
            before = likes_of(postgres), orders_of(postgres)
            server = start_sluice(CONFIG.format(url=postgres.url))
            for _ in range(3):
                at = rng.randrange(rows)
                wait_for(lambda n=at: seen(server, "likes")["seeded"] >= n
                         or seen(server, "likes")["state"] == "running", 30, f"{at} rows")
                if rng.randrange(3):
                    server.restart(kill=True)
                else:
                    postgres.kill()
                    postgres.start()
            for name in ("likes", "orders"):
                caught_up(server, name)
            assert (likes_of(postgres), orders_of(postgres)) == before
            expect_state(server, postgres)
            server.stop()


@pytest.mark.timeout(120)
def test_a_seed_survives_kills(start_sluice):
    """Goal: kill -9 of either side while rows are read: the state is the table, the table is as it
    was. Method: at random rows, three times a seed.
    """
    fault_rounds(start_sluice, rounds=1, rows=30_000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_seed_survives_many_kills(start_sluice):
    fault_rounds(start_sluice, rounds=20, rows=60_000)


def test_rows_that_can_be_no_keys(start_sluice, postgres):
    """Goal: a row that can be no key is named, and nothing goes on until it is mended."""
    config = """
[keyspace.names]
key = "name:{{id}}"
[projection.names]
from = "names"
to = "{url}"
table = "names"
columns = {{ id = "{{id}}", value = "value" }}
key = ["id"]
adopt = "seed"
"""
    postgres.run("CREATE TABLE names (id text UNIQUE, value text)")
    postgres.run("INSERT INTO names VALUES (NULL, 'x'), ('a:b', 'y'), ('', 'z'), ('ok', 'w')")
    server = start_sluice(config.format(url=postgres.url))
    with server.client() as client:
        for why, mend in (("NULL", "id IS NULL"), ('the row ("")', "id = ''"),
                          ('the row ("a:b")', "id = 'a:b'")):
            wait_for(lambda w=why: seen(server, "names")["state"] == "BROKEN"
                     and w in seen(server, "names")["why"], 20, why)
            with pytest.raises(redis.ResponseError, match="OVERLOADED reason=seed"):
                client.set("name:ok", 1)
            postgres.run(f"DELETE FROM names WHERE {mend}")
            client.execute_command("SLUICE", "PROJECTION", "RESUME", "names")
        await_writes(client, ("SET", "name:new", "v"))
        assert client.get("name:ok") == b"w"
        assert client.execute_command("SLUICE", "WAIT", "names", 20_000) == 1
    assert dict(postgres.run("SELECT * FROM names")) == {"ok": "w", "new": "v"}
