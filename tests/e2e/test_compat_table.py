"""COMMAND describes the commands as Redis does.

Goal:   clients that route by COMMAND (arity, where keys stand, read or write) do right on Sluice.
Method: ask both servers for every command that Sluice lists, and compare what they share.
"""

import pytest
from resp import Connection, Error
from servers import RedisServer, Sluice

OWN = {b"sluice", b"waitaof"}  # not in Redis 7.0
OWN_SUBCOMMANDS = {b"client|no-touch", b"client|setinfo"}  # of Redis 7.2
SHARED_FLAGS = {b"write", b"readonly", b"fast", b"admin", b"no_auth"}


@pytest.fixture(scope="module")
def connections(sluice_bin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("table")
    with RedisServer(directory / "redis").start() as redis:
        with Sluice(sluice_bin, directory / "sluice").start() as sluice:
            pair = Connection(redis.port), Connection(sluice.port)
            yield pair
            for connection in pair:
                connection.close()


def table(connection, *names):
    entries, _ = connection.call("COMMAND", *((b"INFO", *names) if names else ()))
    return {entry[0]: entry for entry in entries if entry is not None}


def test_every_entry_agrees_with_redis(connections):
    redis, sluice = connections
    ours = table(sluice)
    theirs = table(redis, *sorted(ours))
    assert set(ours) - set(theirs) == OWN
    assert len(ours) > 70
    for name in sorted(set(ours) & set(theirs)):
        a, b = theirs[name], ours[name]
        assert (a[1], a[3], a[4], a[5]) == (b[1], b[3], b[4], b[5]), f"{name}: arity or keys"
        assert len(a) == len(b)
        flags = [set(entry[2]) & SHARED_FLAGS for entry in (a, b)]
        if not a[9]:  # a container's flags are those of its subcommands
            assert flags[0] - {b"admin"} == flags[1] - {b"admin"}, f"{name}: flags"


def test_subcommands_agree_with_redis(connections):
    redis, sluice = connections
    ours = table(sluice)
    theirs = table(redis, *sorted(ours))
    for name in sorted(set(ours) & set(theirs)):
        arities = {entry[0]: entry[1] for entry in theirs[name][9]}
        for entry in ours[name][9]:
            if entry[0] not in OWN_SUBCOMMANDS:
                assert arities.get(entry[0]) == entry[1], entry[0]


def test_count_list_and_info_tell_of_the_same_commands(connections):
    _, sluice = connections
    names = set(table(sluice))
    assert sluice.call("COMMAND", "COUNT")[0] == len(names)
    listed = {name for name in sluice.call("COMMAND", "LIST")[0] if b"|" not in name}
    assert listed == names
    assert sluice.call("COMMAND", "INFO", "nothing")[0] == (None,)


@pytest.mark.parametrize("command, keys", [
    (("GET", "a"), (b"a",)),
    (("MSET", "a", "1", "b", "2"), (b"a", b"b")),
    (("DEL", "a", "b"), (b"a", b"b")),
    (("HSET", "h", "f", "v"), (b"h",)),
])
def test_getkeys(connections, command, keys):
    for connection in connections:
        assert connection.call("COMMAND", "GETKEYS", *command)[0] == keys


def test_getkeys_errors(connections):
    redis, sluice = connections
    for words in (("GETKEYS",), ("GETKEYS", "PING"), ("GETKEYS", "FOO"), ("GETKEYS", "GET")):
        ours, theirs = sluice.call("COMMAND", *words)[0], redis.call("COMMAND", *words)[0]
        assert isinstance(ours, Error) and ours == theirs, words


@pytest.mark.parametrize("words", [
    "SADD s m", "ZADD z 1 m", "PFADD p e", "XADD x * f v", "MULTI", "EXEC", "WATCH k",
])
def test_commands_of_later_versions_say_so(connections, words):
    name = words.split()[0]
    reply = connections[1].call(*words.split())[0]
    assert reply == f"ERR '{name}' is not available yet in this version of Sluice".encode()


@pytest.mark.parametrize("words", [
    "LPUSH l v", "BRPOP l 0", "SUNION a b", "ZUNIONSTORE d 1 a", "SETBIT k 1 1", "GEOADD g 1 2 m",
    "SORT k", "OBJECT ENCODING k", "DUMP k", "COPY a b", "RENAME a b", "EVAL x 0", "PUBLISH c m",
    "SUBSCRIBE c", "MODULE LIST", "CLUSTER NODES", "SWAPDB 0 1", "MOVE k 1", "LCS a b",
])
def test_what_is_not_offered_names_an_alternative(connections, words):
    name = words.split()[0]
    reply = connections[1].call(*words.split())[0]
    prefix = f"ERR '{name}' is not offered by Sluice: ".encode()
    assert isinstance(reply, Error) and reply.startswith(prefix) and len(reply) > len(prefix) + 10
