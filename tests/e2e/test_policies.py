"""What a keyspace's append_only and ttl do to each command.

Goal:   an append-only keyspace keeps what it has, whichever command would delete or overwrite it,
        alone or among other keys; a ttl reaches every key that is written without a time.
Method: each command on a key that exists and on one that does not, against a running server.
"""

import pytest
from resp import Error
from servers import Sluice
from wire import Wire

CONFIG = """
[keyspace.ledger]
key = "ledger:{id}"
shard = "hash(id)"
shards = 4
append_only = true

[keyspace.session]
key = "session:{id}"
shard = "hash(id)"
shards = 4
ttl = "1h"
"""

REFUSAL = b"ERR keyspace is append-only: it refuses deleting and overwriting"

OVERWRITES = """
    SET ledger:k w
    SET ledger:h w
    SET ledger:k w GET
    SET ledger:k w XX
    SET ledger:k w EXAT 1
    SETEX ledger:k 5 w
    PSETEX ledger:k 5000 w
    GETSET ledger:k w
    GETDEL ledger:k
    GETEX ledger:k EXAT 1
    DEL ledger:k
    DEL other ledger:none ledger:k
    UNLINK ledger:h
    MSET ledger:new1 1 ledger:k 2
    MSET ledger:k 2 other 1
    HSET ledger:h b 1 a 2
    HMSET ledger:h a 2
    HDEL ledger:h a
    EXPIRE ledger:k 0
    PEXPIREAT ledger:h 1
    SETRANGE ledger:k 0 x
""".strip().splitlines()

ALLOWED = """
    SET ledger:k w NX -> None
    SETNX ledger:k w -> 0
    SET ledger:n 1 -> b'OK'
    INCRBY ledger:n 4 -> 5
    INCRBYFLOAT ledger:n 0.5 -> b'5.5'
    APPEND ledger:k x -> 2
    SETRANGE ledger:k 2 y -> 3
    MSET ledger:new2 1 ledger:new3 2 -> b'OK'
    MSETNX ledger:new4 1 ledger:k 2 -> 0
    HSET ledger:h b 2 -> 1
    HINCRBY ledger:h a 5 -> 6
    DEL ledger:none -> 0
    HDEL ledger:h none -> 0
    EXPIRE ledger:k 1000 -> 1
    PERSIST ledger:k -> 1
""".strip().splitlines()

MAKERS = """
    SET session:k v
    SETNX session:k v
    GETSET session:k v
    APPEND session:k v
    SETRANGE session:k 3 v
    INCR session:k
    INCRBYFLOAT session:k 1
    HSET session:k f 1
    HSETNX session:k f 1
    HINCRBY session:k f 1
    HINCRBYFLOAT session:k f 1
    MSET session:k 1 session:l 2
    MSETNX session:k 1 session:l 2
""".strip().splitlines()


@pytest.fixture(scope="module")
def wire(sluice_bin, tmp_path_factory):
    with Sluice(sluice_bin, tmp_path_factory.mktemp("policies"), CONFIG).start() as server:
        with Wire(server.port) as connection:
            yield connection


@pytest.mark.parametrize("line", [line.strip() for line in OVERWRITES])
def test_append_only_refuses(wire, line):
    wire.call("SET", "other", "0")
    wire.call("SET", "ledger:k", "v", "NX")
    wire.call("HSETNX", "ledger:h", "a", "1")
    before = wire.call("GET", "ledger:k"), wire.call("HGETALL", "ledger:h")
    assert wire.call(*line.split()) == REFUSAL
    assert (wire.call("GET", "ledger:k"), wire.call("HGETALL", "ledger:h")) == before
    assert wire.call("MGET", "ledger:new1", "other") == (None, b"0")  # all or nothing


def test_append_only_allows_what_adds(wire):
    wire.call("SET", "ledger:k", "v", "NX")
    wire.call("HSETNX", "ledger:h", "a", "1")
    for line in ALLOWED:
        words, reply = line.split(" -> ")
        assert repr(wire.call(*words.split())) == reply, words
    assert wire.call("GET", "ledger:k") == b"vxy"


def test_append_only_is_not_flushed(wire):
    wire.call("SET", "ledger:k", "v", "NX")
    assert isinstance(wire.call("FLUSHALL"), Error)
    assert wire.call("EXISTS", "ledger:k") == 1


@pytest.mark.parametrize("line", [line.strip() for line in MAKERS])
def test_a_ttl_reaches_what_is_written_without_a_time(wire, line):
    wire.call("DEL", "session:k", "session:l")
    assert not isinstance(wire.call(*line.split()), Error)
    assert 3590 <= wire.call("TTL", "session:k") <= 3600


def test_a_ttl_gives_way_to_a_time_of_its_own(wire):
    wire.call("SET", "session:t", "1", "EX", 100)
    wire.call("INCR", "session:t")
    wire.call("SET", "session:t", "2", "KEEPTTL")
    assert 90 <= wire.call("TTL", "session:t") <= 100
    assert wire.call("PERSIST", "session:t") == 1
    wire.call("APPEND", "session:t", "x")
    assert wire.call("TTL", "session:t") == -1
