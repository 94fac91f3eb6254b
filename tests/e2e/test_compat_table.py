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


def test_keys_are_used_as_in_redis(connections):
    """Key specifications: where keys stand, and what the command does to them."""
    redis, sluice = connections
    for connection in connections:
        connection.call("HELLO", "3")
    ours, theirs = table(sluice), table(redis, *sorted(table(sluice)))
    for connection in connections:
        connection.call("HELLO", "2")
    for name in sorted(set(ours) & set(theirs)):
        specs = [[{key: value for key, value in spec if key != b"notes"} for spec in entry[name][8]]
                 for entry in (theirs, ours)]
        assert specs[1] == specs[0], name


def pairs(reply):
    return dict(zip(reply[0::2], reply[1::2]))


def without_history(argument):
    """What both servers say of an argument: Redis says since when, too."""
    found = pairs(argument)
    for key in (b"since", b"deprecated_since", b"summary"):
        found.pop(key, None)
    found[b"flags"] = sorted(set(found.get(b"flags", ())) - {b"multiple_token"})
    if b"arguments" in found:
        found[b"arguments"] = [without_history(inner) for inner in found[b"arguments"]]
    return found


def test_the_manual_agrees_with_redis(connections):
    """COMMAND DOCS: the version, the group and the arguments; texts are each server's own."""
    _, sluice = connections
    theirs, ours = (pairs(connection.call("COMMAND", "DOCS")[0]) for connection in connections)
    assert set(ours) == set(table(sluice))

    def compare(name, mine, other):
        mine, other = pairs(mine), pairs(other)
        assert mine[b"summary"] and mine[b"complexity"], name
        assert (mine[b"since"], mine[b"group"]) == (other[b"since"], other[b"group"]), name
        arguments = [[without_history(argument) for argument in told.get(b"arguments", ())]
                     for told in (mine, other)]
        assert arguments[0] == arguments[1], name
        inner, others = (pairs(told.get(b"subcommands", ())) for told in (mine, other))
        for sub in set(inner) - OWN_SUBCOMMANDS:
            compare(sub, inner[sub], others[sub])

    for name in set(ours) - OWN:
        compare(name, ours[name], theirs[name])
    assert set(pairs(pairs(ours[b"sluice"])[b"subcommands"])) >= {b"sluice|once", b"sluice|route"}


def test_docs_and_info_of_subcommands(connections):
    redis, sluice = connections
    for name in ("config|get", "CONFIG|set", "client|kill", "memory|usage"):
        assert list(pairs(sluice.call("COMMAND", "DOCS", name)[0])) == [name.lower().encode()]
        theirs, ours = (connection.call("COMMAND", "INFO", name)[0][0]
                        for connection in connections)
        assert (ours[:2], ours[3:6]) == (theirs[:2], theirs[3:6])
    for words in (("DOCS", "nothing"), ("INFO", "config|x"), ("LIST", "FILTERBY", "MODULE", "x"),
                  ("LIST", "FILTERBY", "ACLCAT", "nothing"), ("LIST", "x")):
        assert sluice.call("COMMAND", *words) == redis.call("COMMAND", *words), words


def test_filters_of_list(connections):
    _, sluice = connections
    for pattern in ("config*", "*|GET", "h?et", "nothing"):
        theirs, ours = (set(connection.call("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern)[0])
                        for connection in connections)
        assert ours <= theirs
        assert ours or pattern == "nothing"
    reads = sluice.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "READ")[0]
    assert b"get" in reads and b"set" not in reads and b"memory|usage" in reads


@pytest.mark.parametrize("words", [
    "GET a", "SET a 1", "SET a 1 GET", "SET a 1 EX 5", "MSET a 1 b 2", "DEL a b", "HSET h f v",
    "GETEX a", "APPEND a 1", "MEMORY USAGE k", "CONFIG GET x", "GET", "FOO a", "MSET a", "PING x",
    "HDEL h f", "MEMORY X k", "EXISTS a b c",
])
def test_getkeysandflags(connections, words):
    for sub in ("GETKEYS", "GETKEYSANDFLAGS"):
        redis, sluice = (connection.call("COMMAND", sub, *words.split())
                         for connection in connections)
        assert sluice == redis, sub


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
