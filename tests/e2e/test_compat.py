"""Sluice answers as Redis 7.0 does.

Goal:   the same replies and error texts, byte by byte, but for what docs/compatibility.md lists.
Method: each command goes to Debian's redis-server and to Sluice over raw sockets: conversations
        written by hand in both protocol versions, then random ones from compat_random.py, then
        bytes that are no proper requests.
"""

import random
import time

import pytest
from compat import Pair
from compat_random import random_command
from resp import Connection
from servers import RedisServer, Sluice, wait_for

RANDOM_SEEDS = 12
RANDOM_COMMANDS = 400
LONG_SEEDS = 400


@pytest.fixture(scope="module")
def servers(sluice_bin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("compat")
    with RedisServer(directory / "redis").start() as redis:
        with Sluice(sluice_bin, directory / "sluice").start() as sluice:
            yield redis, sluice
            sluice.stop()
            sluice.check_stderr()


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def pair(request, servers):
    pair = Pair(*(server.port for server in servers))
    if request.param == 3:
        pair.hello(3)
    yield pair
    pair.close()


def lines(text):
    """One command a line, words between blanks; "" is an empty word."""
    return [[b"" if word == '""' else word.encode() for word in line.split()]
            for line in text.strip().splitlines()]


CONVERSATIONS = {
    "set": """
        DEL s
        GET s
        SET s v
        GET s
        SET s w NX
        SET s w xx get
        SET s2 w XX
        SET s2 w XX GET
        SET s x NX GET
        SET s x NX XX
        SET s x XX NX
        SET s x EX
        SET s x EX 5 PX 5
        SET s x EX 5 EX 500
        TTL s
        SET s x PX 500000 PX 600000
        PTTL s
        SET s x KEEPTTL EX 5
        SET s x EX 5 KEEPTTL
        SET s x KEEPTTL KEEPTTL
        TTL s
        SET s x GET GET
        SET s x PERSIST
        SET s x EX a
        SET s x EX 0
        SET s x EX -1
        SET s x PX 0
        SET s x EXAT 0
        SET s x EX 9223372036854775807
        SET s x EX 9223372036854775
        SET s x EX 9223372036854774
        SET s x PX 9223372036854775807
        SET s x PXAT 9000000000000000000
        PEXPIRETIME s
        SET s x EXAT 1
        GET s
        EXISTS s
        SET s "" EX 1000
        STRLEN s
        SET s x FOO
        SET s x NX EX 10 GET
        SET
        SET s
        SETNX s 1
        DEL s
        SETNX s 1
        SETNX s 2
        SETEX s 1000 v
        TTL s
        SETEX s 0 v
        SETEX s -5 v
        SETEX s x v
        PSETEX s 1000000 v
        PTTL s
        PSETEX s 0 v
        GETSET s n
        TTL s
        GETSET nothing n
        GETDEL nothing
        GETDEL nothing
        GETEX nothing
        GETEX s EX 1000
        TTL s
        GETEX s
        TTL s
        GETEX s PERSIST
        TTL s
        GETEX s PERSIST EX 10
        GETEX s EX 10 PERSIST
        GETEX s KEEPTTL
        GETEX s EX 0
        GETEX s EX
        GETEX nothing EX 0
        GETEX nothing EX x
        GETEX s EXAT 5
        GET s
    """,
    "ranges": """
        DEL r
        APPEND r Hello
        APPEND r ""
        APPEND r2 ""
        EXISTS r2
        STRLEN r
        STRLEN none
        GETRANGE r 0 -1
        GETRANGE r -3 -1
        GETRANGE r -1 -3
        GETRANGE r 3 1
        GETRANGE r -100 1
        GETRANGE r 1 100
        GETRANGE r 100 200
        GETRANGE r 0 9223372036854775807
        GETRANGE r -9223372036854775808 9223372036854775807
        GETRANGE r 9223372036854775807 -9223372036854775808
        GETRANGE r a 1
        GETRANGE r 1 9223372036854775808
        GETRANGE none 0 1
        SUBSTR r 1 2
        SETRANGE r 5 World
        GET r
        SETRANGE r 0 J
        SETRANGE r 12 end
        GET r
        SETRANGE r 3 ""
        SETRANGE none2 3 ""
        EXISTS none2
        SETRANGE r -1 x
        SETRANGE r x x
        SETRANGE r 536870912 x
        SETRANGE r 9223372036854775807 x
        SETRANGE r3 4 x
        GET r3
    """,
    "counters": """
        DEL n f
        INCR n
        INCRBY n 41
        DECR n
        DECRBY n -1
        DECRBY n 9223372036854775807
        DECRBY n -9223372036854775808
        INCRBY n 9223372036854775807
        INCRBY n 9223372036854775807
        INCRBY n 1.5
        INCRBY n +5
        INCRBY n 05
        INCRBY n -0
        INCRBY n ""
        INCRBY n 9223372036854775808
        GET n
        SET n 9223372036854775807
        INCR n
        SET n -9223372036854775808
        DECR n
        SET n 012
        INCR n
        SET n ""
        INCR n
        INCRBYFLOAT n 1
        SET n abc
        INCR n
        INCRBYFLOAT f 3
        INCRBYFLOAT f 0.1
        INCRBYFLOAT f -5e3
        INCRBYFLOAT f 1e-17
        INCRBYFLOAT f 1e-18
        INCRBYFLOAT f nan
        INCRBYFLOAT f inf
        INCRBYFLOAT f -inf
        INCRBYFLOAT f 0x10
        INCRBYFLOAT f 1e400
        INCRBYFLOAT f 1e4932
        INCRBYFLOAT f 1e4933
        SET f 1e308
        INCRBYFLOAT f 1e308
        STRLEN f
        SET f 5.0e3
        INCRBYFLOAT f 200
        SET f 3.0
        INCRBYFLOAT f 1.000000000000000005
        SET t 5 EX 1000
        INCR t
        TTL t
        INCRBYFLOAT t 1
        TTL t
        APPEND t 7
        TTL t
    """,
    "keys": """
        DEL a b c h
        EXPIRE a 10
        SET a 1
        HSET h f v
        TYPE a
        TYPE h
        TYPE none
        TTL a
        TTL none
        EXPIRE a 1000
        EXPIRE a 2000 NX
        EXPIRE a 500 GT
        EXPIRE a 5000 GT
        TTL a
        EXPIRE a 6000 LT
        EXPIRE a 400 lt xx
        TTL a
        EXPIRE h 400 XX
        EXPIRE h 400 GT
        EXPIRE h 400 LT
        EXPIRE a 5 NX XX
        EXPIRE a 5 NX GT
        EXPIRE a 5 GT LT
        EXPIRE a 5 XX FOO
        EXPIRE a x FOO
        EXPIRE a x
        EXPIRE a 9223372036854775807
        EXPIRE a -9223372036854775808
        EXPIRE a 9223372036854775
        PEXPIRE a 9223372036854775807
        PEXPIRE a 1000000
        PTTL a
        EXPIREAT a 33000000000
        EXPIRETIME a
        PEXPIREAT a 33000000000123
        PEXPIRETIME a
        EXPIRETIME a
        PERSIST a
        PERSIST a
        PERSIST none
        PEXPIRE a -9223372036854775808
        EXISTS a
        EXPIREAT h 0
        EXISTS h
        HGETALL h
        SET a 1
        EXPIRE a -1
        GET a
        MSET a 1 b 2 a 3
        MGET a b c h
        MSET a 1 b
        MSET
        MSETNX a 1 c 2
        GET c
        MSETNX c 1 d 2 c 3
        MGET c d
        EXISTS a a b none
        TOUCH a a none
        DEL a a none
        UNLINK b c c d
        DEL
        EXISTS
        MGET
        SET x 1 EX 1000
        MSET x 2
        TTL x
        DEL x
    """,
    "hashes": """
        DEL h h2 s
        HSET h a 1 b 2 a 3
        HSET h a
        HSET h a 1 b
        HMSET h a 1 b
        HMSET h c 3
        HGET h a
        HGET h zz
        HGET none a
        HMGET h a zz b
        HMGET none a
        HMGET h
        HLEN h
        HLEN none
        HSTRLEN h a
        HSTRLEN h zz
        HSTRLEN none a
        HEXISTS h a
        HEXISTS h zz
        HEXISTS none a
        HSETNX h a 9
        HSETNX h d 4
        HKEYS h
        HVALS h
        HGETALL h
        HKEYS none
        HVALS none
        HGETALL none
        HINCRBY h a 5
        HINCRBY h new -5
        HINCRBY h a 9223372036854775807
        HINCRBY h a x
        HINCRBY h a 1.5
        HSET h txt abc
        HINCRBY h txt 1
        HINCRBYFLOAT h txt 1
        HINCRBYFLOAT h a 0.5
        HINCRBY h a 1
        HINCRBYFLOAT h a nan
        HINCRBYFLOAT h a inf
        HINCRBYFLOAT h a -Infinity
        HINCRBYFLOAT h a x
        HINCRBYFLOAT h fl 1e4900
        HINCRBYFLOAT h fl 1.1e4932
        HDEL h fl
        HINCRBYFLOAT h2 f 5.50
        HRANDFIELD h 0
        HRANDFIELD h 100
        HRANDFIELD h 100 WITHVALUES
        HRANDFIELD h 2
        HRANDFIELD h -7
        HRANDFIELD h -7 WITHVALUES
        HRANDFIELD h
        HRANDFIELD none
        HRANDFIELD none 5
        HRANDFIELD none -5 WITHVALUES
        HRANDFIELD h x
        HRANDFIELD h 1 FOO
        HRANDFIELD h 1 WITHVALUES FOO
        HRANDFIELD h -9223372036854775808
        HRANDFIELD h 9223372036854775807 WITHVALUES
        HRANDFIELD h -9223372036854775807 WITHVALUES
        HSCAN h 0
        HSCAN h 0 MATCH *
        HSCAN h 0 MATCH [ab] COUNT 100
        HSCAN h 0 MATCH nothing*
        HSCAN h 0 COUNT 0
        HSCAN h 0 COUNT -1
        HSCAN h 0 COUNT x
        HSCAN h 0 COUNT
        HSCAN h 0 TYPE hash
        HSCAN h 0 FOO
        HSCAN h x
        HSCAN h 1x
        HSCAN none 0
        HSCAN none 0 FOO
        HSCAN none x
        HDEL h zz
        HDEL h a a zz b
        HDEL none a
        HGETALL h
        HDEL h c d new txt
        EXISTS h
        HSET h a 1
        EXPIRE h 1000
        HSET h b 2
        HINCRBY h a 1
        HDEL h a
        TTL h
        SET h v
        TTL h
        HSET h a 1
        HGET h a
        HMGET h a
        HGETALL h
        HDEL h a
        HLEN h
        HEXISTS h a
        HSTRLEN h a
        HSETNX h a 1
        HMSET h a 1
        HINCRBY h a 1
        HINCRBY h a x
        HINCRBYFLOAT h a 1
        HINCRBYFLOAT h a x
        HRANDFIELD h
        HRANDFIELD h 5
        HSCAN h 0
        HKEYS h
        HVALS h
        HSET s a 1
        GET s
        SET s v GET
        GETSET s v
        GETDEL s
        GETEX s
        APPEND s v
        STRLEN s
        GETRANGE s 0 1
        SETRANGE s 0 v
        SETRANGE s 0 ""
        INCR s
        INCRBYFLOAT s 1
        MGET s
        SETNX s v
        MSETNX s v
        SET s v NX
        SET s v XX
        TYPE s
    """,
    "refused": """
        FOO
        foo bar baz
        get
        GET a b
        hincrby k f
        PING a b c
        ECHO
        ECHO a b
        PING
        PING hello
        ECHO hello
        SELECT 0
        SELECT x
        SELECT 99
        SELECT
        DBSIZE x
        RANDOMKEY x
        KEYS
        SCAN
        SCAN x
        SCAN 0 COUNT 0
        SCAN 0 COUNT x
        SCAN 0 FOO
        SCAN 0 MATCH
        FLUSHALL FOO
        FLUSHALL ASYNC SYNC
        FLUSHDB x
        AUTH
        AUTH password
        AUTH nobody password
        AUTH a b c
        HELLO 4
        HELLO x
        HELLO 1
        HELLO 2 FOO
        HELLO 2 AUTH nobody x
        CLIENT FOO
        CLIENT
        CLIENT GETNAME
        CLIENT SETNAME x
        CLIENT GETNAME
        CLIENT SETNAME
        CONFIG
        CONFIG FOO
        CONFIG GET
        COMMAND FOO
        COMMAND GETKEYS
        TIME x
        WAIT
        WAIT x 0
        WAIT 0 x
        WAIT 0 -1
        WAIT 0 0
        ACL
        ACL WHOAMI
        MEMORY FOO
        SLOWLOG FOO
        LATENCY FOO
        LASTSAVE x
        RESET x
    """,
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations_by_hand(pair, name):
    pair.check(lines(CONVERSATIONS[name]), name)


def test_any_bytes_are_keys_fields_and_values(pair):
    every = bytes(range(256))
    words = [b"", b"\r\n", b"\0", every, "ключ 鍵".encode(), b"a" * 70, b"{tag}x", b"x" * 20_000]
    commands = []
    for word in words:
        key = b"any:" + word
        commands += [[b"SET", key, word], [b"GET", key], [b"APPEND", key, word], [b"GET", key],
                     [b"DEL", key], [b"HSET", key, word, word, b"f", word], [b"HGET", key, word],
                     [b"HGETALL", key], [b"HSTRLEN", key, word],
                     [b"HSCAN", key, b"0", b"MATCH", word], [b"ECHO", word], [word, word],
                     [b"EXPIRE", key, b"1", word.replace(b"\0", b"")], [b"DEL", key]]
    commands += [[b"SET", b"", b"empty key"], [b"GET", b""], [b"MGET", b"", b"x"], [b"DEL", b""]]
    pair.check(commands)


def test_large_hashes(pair):
    """A hash past the bound from which its fields have rows of their own."""
    fields = [b"field-%d" % i for i in range(1000)]
    fill = [b"HSET", b"large"] + [word for f in fields for word in (f, b"v" * 20 + f)]
    pair.check([
        [b"DEL", b"large"], fill, [b"HLEN", b"large"], [b"HGETALL", b"large"], fill,
        [b"HMGET", b"large", fields[0], b"none", fields[999]], [b"HINCRBY", b"large", b"n", b"5"],
        [b"HSETNX", b"large", fields[5], b"x"], [b"HDEL", b"large", *fields[:990]],
        [b"HLEN", b"large"], [b"HKEYS", b"large"], [b"HVALS", b"large"],
        [b"HEXISTS", b"large", fields[3]], [b"HRANDFIELD", b"large", b"500"],
        [b"HDEL", b"large", b"n", *fields], [b"EXISTS", b"large"],
        [b"HSET", b"large", b"f", b"after"], [b"HGETALL", b"large"], fill, [b"SET", b"large", b"s"],
        [b"GET", b"large"], [b"DEL", b"large"], fill, [b"DEL", b"large"], [b"HGETALL", b"large"],
        [b"HSET", b"large", fields[1], b"1"], [b"HGETALL", b"large"], [b"DEL", b"large"],
    ])


def test_large_values(pair):
    for size in (1 << 16, 1 << 20, 5 << 20):
        value = random.Random(size).randbytes(size)
        pair.check([[b"SET", b"big", value], [b"GET", b"big"], [b"STRLEN", b"big"],
                    [b"APPEND", b"big", b"tail"], [b"GETRANGE", b"big", b"-10", b"-1"],
                    [b"SETRANGE", b"big", size // 2, b"middle"],
                    [b"GETRANGE", b"big", size // 2 - 5, size // 2 + 10],
                    [b"HSET", b"bigh", b"f", value], [b"HGET", b"bigh", b"f"],
                    [b"DEL", b"big", b"bigh"]])


def run_random(pair, seed, commands=RANDOM_COMMANDS):
    rng = random.Random(seed)
    prefix = b"r%d:" % seed
    pair.check([[b"DEL"] + [prefix + b"%d" % i for i in range(5)]])
    pair.check([random_command(rng, prefix) for _ in range(commands)], f"seed {seed}")


@pytest.mark.parametrize("seed", range(RANDOM_SEEDS))
def test_random_commands(pair, seed):
    run_random(pair, seed)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_many_random_commands(pair):
    for seed in range(1000, 1000 + LONG_SEEDS):
        run_random(pair, seed)


def test_keys_expire_alike(pair):
    """Keys are alive before their time and gone after it, for every command that looks."""
    pair.check(lines("""
        SET e1 v PX 300
        HSET e2 f v
        PEXPIRE e2 300
        SET e3 v
        GETEX e3 PX 300
        GET e1
        EXISTS e1 e2 e3
    """))
    def gone():
        return all(c.call("EXISTS", "e1", "e2", "e3")[0] == 0 for c in (pair.redis, pair.sluice))
    wait_for(gone, 10, "three keys expired")
    pair.check(lines("""
        GET e1
        HGETALL e2
        TTL e1
        PTTL e3
        TYPE e2
        PERSIST e1
        EXPIRE e3 10
        SET e1 w XX
        APPEND e3 tail
        HSET e2 g 1
        HGETALL e2
        TTL e2
        SETRANGE e1 2 x
        GET e1
        DEL e1 e2 e3
    """))


def test_all_keys(servers):
    """KEYS, SCAN, DBSIZE, RANDOMKEY and FLUSHALL: the same keys, in whatever order."""
    pair = Pair(*(server.port for server in servers))
    try:
        pair.check([[b"FLUSHALL"], [b"DBSIZE"], [b"RANDOMKEY"], [b"KEYS", b"*"], [b"SCAN", b"0"]])
        keys = [b"all:%d" % i for i in range(500)]
        pair.check([[b"SET", key, b"v"] for key in keys] + [[b"HSET", b"all:h", b"f", b"v"]])
        pair.check([[b"KEYS", pattern] for pattern in
                    (b"*", b"all:1?", b"all:[12]5", b"none*", b"all:[^1]", b"all:\\*", b"h*", b"")])
        for words in ((), (b"COUNT", b"7"), (b"MATCH", b"all:*9"), (b"TYPE", b"hash"),
                      (b"TYPE", b"STRING", b"COUNT", b"1000"), (b"TYPE", b"zset"),
                      (b"MATCH", b"*1*", b"COUNT", b"3")):
            assert scan(pair.sluice, words) == scan(pair.redis, words), words
        assert pair.sluice.call("RANDOMKEY")[0].startswith(b"all:")
        for command in ([b"FLUSHDB", b"SYNC"], [b"KEYS", b"*"], [b"GET", keys[0]], [b"RANDOMKEY"],
                        [b"HGETALL", b"all:h"], [b"SET", keys[0], b"w"], [b"KEYS", b"*"],
                        [b"FLUSHALL", b"ASYNC"], [b"GET", keys[0]], [b"DBSIZE"]):
            pair.check([command])  # one by one: KEYS shows what was acknowledged before it
    finally:
        pair.close()


def scan(connection, words):
    """The keys of a whole walk; each may come more than once."""
    cursor, keys = b"0", set()
    while True:
        (cursor, part), _ = connection.call("SCAN", cursor, *words)
        keys.update(part)
        if cursor == b"0":
            return keys


STREAMS = [
    b"PING\r\nSET inline 1\r\nGET inline\r\n",
    b"PING\nPING\n",
    b"\r\n\r\n   \r\nPING\r\n",
    b"SET \"a b\" 'c d'\r\nGET \"a b\"\r\n",
    b"ECHO \"\\x41\\n\\t\\\"\\\\\"\r\nECHO 'it\\'s'\r\nECHO pre\"fix\"\r\n",
    b"ECHO \"\"\r\nECHO ''\r\n",
    b"ECHO \"unbalanced\r\n",
    b"ECHO 'unbalanced\r\n",
    b"ECHO \"a\"b\r\n",
    b"GET\r\nfoo bar\r\n",
    b"*0\r\n*-1\r\nPING\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*x\r\n", b"*\r\n", b"*01\r\n", b"* 1\r\n", b"*1 \r\n", b"*2147483648\r\n",
    b"*99999999999999999999\r\n", b"*-9223372036854775808\r\nPING\r\n",
    b"*1\r\nPING\r\n", b"*1\r\n:1\r\n", b"*1\r\n\r\n", b"*1\r\n$\r\n", b"*1\r\n$x\r\n",
    b"*1\r\n$-1\r\n", b"*1\r\n$-5\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n$18446744073709551615\r\n", b"*1\r\n$ 4\r\nPING\r\n", b"*1\r\n$04\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n+hi\r\n",
    b"PING\r\n*1\r\n$1\r\nx\r\n*3\r\nbroken\r\n",
    b"*1\r\n$4\r\nPINGxxPING\r\n",
    b"POST / HTTP/1.1\r\n",
    b"*1\r\n$5\r\nhost:\r\n",
]
# Lines that do not end; Redis answers them by how they happen to arrive, so nothing follows them.
ENDLESS = [b"a" * 70_000, b"*1" + b"1" * 70_000, b"*1\r\n$" + b"1" * 70_000]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: repr(s[:24])[2:-1])
def test_broken_requests(servers, stream):
    """Broken bytes get Redis' reply, and the connection closes where Redis closes it."""
    replies = []
    for server in servers:
        for piece in (len(stream), 1):
            replies.append(answer(server.port, stream + b"QUIT\r\n", piece))
    assert len(set(replies)) == 1, replies


@pytest.mark.parametrize("stream", ENDLESS, ids=["inline", "count", "length"])
def test_endless_lines(servers, stream):
    replies = {answer(server.port, stream, piece) for server in servers for piece in (70_004, 1000)}
    assert len(replies) == 1, replies


def test_http_is_turned_away(servers):
    """A browser that was led to this port gets nothing done: its first header ends it."""
    _, sluice = servers
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET smuggled 1\r\n"
    assert answer(sluice.port, request, len(request)).count(b"\r\n") <= 1  # to GET at most
    with sluice.client() as client:
        assert client.get("smuggled") is None


def answer(port, stream, piece):
    """All that a server says to these bytes, sent in pieces, until it closes."""
    connection = Connection(port, timeout=10)
    try:
        for at in range(0, len(stream), piece):
            connection.send(stream[at:at + piece])
    except (BrokenPipeError, ConnectionResetError):
        pass
    received = connection.to_end()
    connection.close()
    return received


def test_a_stream_in_any_pieces(servers):
    """However the bytes of a conversation arrive, the replies are the same."""
    _, sluice = servers
    rng = random.Random(5)
    stream = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\np:%d\r\n$%d\r\n%s\r\n" %
                      (len(b"p:%d" % i), i, i * 7, bytes(rng.randbytes(i * 7)))
                      for i in range(60)) + b"GET p:59\r\nECHO \"done\"\r\nQUIT\r\n"
    replies = set()
    for piece_max in (len(stream), 1000, 50, 3):
        connection = Connection(sluice.port)
        at = 0
        while at < len(stream):
            size = rng.randint(1, piece_max) if piece_max < len(stream) else piece_max
            connection.send(stream[at:at + size])
            at += size
        replies.add(connection.to_end())
        connection.close()
    assert len(replies) == 1


def test_the_clock(servers):
    """TIME is this machine's."""
    pair = Pair(*(server.port for server in servers))
    try:
        for connection in (pair.redis, pair.sluice):
            (seconds, micros), _ = connection.call("TIME")
            assert abs(int(seconds) - time.time()) < 5 and 0 <= int(micros) < 1_000_000
    finally:
        pair.close()
