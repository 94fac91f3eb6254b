"""Random commands for the compatibility tests: few keys, mixed types, hostile arguments.

Times to live are either long or in the past, so that no key expires while the servers are compared.
Left out is what docs/compatibility.md says differs: strings between 64 and 512 MiB, and times so
near the largest that Redis' own arithmetic wraps.
"""

INTS = [b"0", b"1", b"-1", b"2", b"7", b"-3", b"100", b"-100", b"9223372036854775807",
        b"-9223372036854775808", b"9223372036854775806", b"4611686018427387904"]
NO_INTS = [b"", b" ", b"abc", b"1.5", b"+1", b"01", b"-0", b"1 ", b" 1", b"0x10", b"1e3",
           b"nan", b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999999",
           b"1\0", b"-"]
FLOATS = [b"1.5", b"-0.25", b"1e3", b"1e-5", b"3", b"0", b"-0", b"1e300", b"-1e4000", b".5",
          b"5.", b"inf", b"-inf", b"infinity", b"0x1p4", b"1.000000000000000001",
          b"123456789.123456789"]
NO_FLOATS = [b"nan", b"-nan", b"", b"x", b"1.5x", b" 1.5", b"1.5 ", b"1e99999", b"1,5", b"--1"]
VALUES = [b"", b"v", b"hello world", b"\r\n", b"\0\xff\x80", b"x" * 70, b"y" * 3000, b"10", b"-5",
          b"3.14", b"9223372036854775807", "žluťoučký".encode()]
FIELDS = [b"f", b"g", b"h", b"", b"f\0", b"longer-field-name", b"7", b"z" * 100]
NO_TIMES = [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"]
ABSOLUTE_S = [b"33000000000", b"1", b"0", b"-5", b"9223372036854775807", b"34000000000"]
ABSOLUTE_MS = [b"33000000000000", b"1", b"0", b"-5", b"34000000000123"]


def random_int(rng):
    return rng.choice(NO_INTS if rng.random() < 0.15 else INTS)


def random_float(rng):
    return rng.choice(NO_FLOATS if rng.random() < 0.15 else FLOATS)


def random_value(rng):
    pools = (VALUES, VALUES, INTS, FLOATS, NO_INTS)
    return rng.choice(rng.choice(pools))


def random_case(rng, word):
    return bytes(rng.choice((c, c ^ 32)) if chr(c).isalpha() else c for c in word)


def seconds(rng):
    """A time from now; hardly ever one that was drawn before, so that GT and LT never tie."""
    return rng.choice(NO_TIMES) if rng.random() < 0.2 else b"%d" % rng.randrange(1000, 10**9)


def milliseconds(rng):
    return rng.choice(NO_TIMES) if rng.random() < 0.2 else b"%d" % rng.randrange(10**6, 10**12)


def expiry_words(rng):
    name, time = rng.choice(((b"EX", seconds(rng)), (b"PX", milliseconds(rng)),
                             (b"EXAT", rng.choice(ABSOLUTE_S)), (b"PXAT", rng.choice(ABSOLUTE_MS))))
    return [name, rng.choice(NO_INTS) if rng.random() < 0.05 else time]


def set_words(rng):
    words = []
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        words += rng.choice(([b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], expiry_words(rng),
                             expiry_words(rng), [b"PERSIST"], [b"EX"], [b""]))
    return [random_case(rng, word) for word in words]


def getex_words(rng):
    words = []
    for _ in range(rng.choice((0, 1, 1, 2))):
        words += rng.choice((expiry_words(rng), expiry_words(rng), [b"PERSIST"], [b"NX"]))
    return words


def expire_words(rng):
    names = (b"NX", b"XX", b"GT", b"LT", b"FOO" if rng.random() < 0.1 else b"XX")
    return [random_case(rng, rng.choice(names)) for _ in range(rng.choice((0, 0, 1, 1, 2)))]


def scan_words(rng):
    match = rng.choice((b"*", b"f*", b"[fg]", b"?", b"", b"\\f", b"[^f]*"))
    count = rng.choice((b"100", b"1000", b"0", b"-1", b"x", b""))
    words = []
    for _ in range(rng.choice((0, 1, 2))):
        words += rng.choice(([b"MATCH", match], [b"COUNT", count], [b"COUNT"], [b"FOO", b"1"]))
    return words


def pairs(rng, first, second):
    words = [choose(rng) for _ in range(rng.randint(1, 4)) for choose in (first, second)]
    return words[:-1] if rng.random() < 0.05 else words


def offset(rng):
    return rng.choice((b"0", b"1", b"5", b"80", b"3000", b"-1", b"536870912",
                       b"9223372036854775807", rng.choice(NO_INTS)))


def random_command(rng, prefix):
    """One command on one of five keys that begin with the prefix."""
    def key(_=None):
        return prefix + b"%d" % rng.randrange(5)

    def field(_=None):
        return rng.choice(FIELDS)

    def value(_=None):
        return random_value(rng)

    k = key()
    makers = STRING_COMMANDS if rng.random() < 0.5 else HASH_COMMANDS
    makers = KEY_COMMANDS if rng.random() < 0.25 else makers
    return rng.choice(makers)(rng, k, key, field, value)


STRING_COMMANDS = [
    lambda r, k, key, f, v: [b"GET", k],
    lambda r, k, key, f, v: [b"SET", k, v()] + set_words(r),
    lambda r, k, key, f, v: [b"SET", k, v()] + set_words(r),
    lambda r, k, key, f, v: [b"SET", k, r.choice(INTS)],
    lambda r, k, key, f, v: [b"SETNX", k, v()],
    lambda r, k, key, f, v: [b"SETEX", k, r.choice((seconds(r), r.choice(NO_INTS))), v()],
    lambda r, k, key, f, v: [b"PSETEX", k, milliseconds(r), v()],
    lambda r, k, key, f, v: [b"GETSET", k, v()],
    lambda r, k, key, f, v: [b"GETDEL", k],
    lambda r, k, key, f, v: [b"GETEX", k] + getex_words(r),
    lambda r, k, key, f, v: [b"APPEND", k, v()],
    lambda r, k, key, f, v: [b"STRLEN", k],
    lambda r, k, key, f, v: [b"GETRANGE", k, random_int(r), random_int(r)],
    lambda r, k, key, f, v: [b"SUBSTR", k, random_int(r), random_int(r)],
    lambda r, k, key, f, v: [b"SETRANGE", k, offset(r), v()],
    lambda r, k, key, f, v: [b"INCR", k],
    lambda r, k, key, f, v: [b"DECR", k],
    lambda r, k, key, f, v: [b"INCRBY", k, random_int(r)],
    lambda r, k, key, f, v: [b"DECRBY", k, random_int(r)],
    lambda r, k, key, f, v: [b"INCRBYFLOAT", k, random_float(r)],
    lambda r, k, key, f, v: [b"MGET"] + [key() for _ in range(r.randint(1, 7))],
    lambda r, k, key, f, v: [b"MSET"] + pairs(r, key, v),
    lambda r, k, key, f, v: [b"MSETNX"] + pairs(r, key, v),
]

KEY_COMMANDS = [
    lambda r, k, key, f, v: [b"DEL"] + [key() for _ in range(r.randint(1, 3))],
    lambda r, k, key, f, v: [b"UNLINK", k, k],
    lambda r, k, key, f, v: [b"EXISTS"] + [key() for _ in range(r.randint(1, 12))],
    lambda r, k, key, f, v: [b"TOUCH", k, key()],
    lambda r, k, key, f, v: [b"TYPE", k],
    lambda r, k, key, f, v: [r.choice((b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME")), k],
    lambda r, k, key, f, v: [r.choice((b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME")), k],
    lambda r, k, key, f, v: [b"EXPIRE", k, r.choice((seconds(r), seconds(r), r.choice(NO_INTS)))]
    + expire_words(r),
    lambda r, k, key, f, v: [b"PEXPIRE", k, milliseconds(r)] + expire_words(r),
    lambda r, k, key, f, v: [b"EXPIREAT", k, r.choice(ABSOLUTE_S)] + expire_words(r),
    lambda r, k, key, f, v: [b"PEXPIREAT", k, r.choice(ABSOLUTE_MS)] + expire_words(r),
    lambda r, k, key, f, v: [b"PERSIST", k],
]

DRAWS = [[], [b"0"], [b"3"], [b"-4"], [b"100", b"WITHVALUES"], [b"2", b"withvalues"],
         [b"-3", b"WITHVALUES"], [b"1", b"FOO"]]
CURSORS = [b"0", b"0", b"0", b"x", b"", b" 0"]

HASH_COMMANDS = [
    lambda r, k, key, f, v: [b"HSET", k] + pairs(r, f, v),
    lambda r, k, key, f, v: [b"HSET", k, f(), r.choice(INTS)],
    lambda r, k, key, f, v: [b"HMSET", k] + pairs(r, f, v),
    lambda r, k, key, f, v: [b"HSETNX", k, f(), v()],
    lambda r, k, key, f, v: [b"HGET", k, f()],
    lambda r, k, key, f, v: [b"HMGET", k] + [f() for _ in range(r.randint(1, 5))],
    lambda r, k, key, f, v: [b"HGETALL", k],
    lambda r, k, key, f, v: [b"HDEL", k] + [f() for _ in range(r.randint(1, 4))],
    lambda r, k, key, f, v: [b"HLEN", k],
    lambda r, k, key, f, v: [b"HSTRLEN", k, f()],
    lambda r, k, key, f, v: [b"HEXISTS", k, f()],
    lambda r, k, key, f, v: [r.choice((b"HKEYS", b"HVALS")), k],
    lambda r, k, key, f, v: [b"HINCRBY", k, f(), random_int(r)],
    lambda r, k, key, f, v: [b"HINCRBYFLOAT", k, f(), random_float(r)],
    lambda r, k, key, f, v: [b"HRANDFIELD", k] + r.choice(DRAWS + [[r.choice(NO_INTS)]]),
    lambda r, k, key, f, v: [b"HSCAN", k, r.choice(CURSORS)] + scan_words(r),
]
