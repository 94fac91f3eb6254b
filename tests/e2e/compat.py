"""What the compatibility tests share: a connection to each server, and the documented differences.

Replies are compared byte by byte. Only what docs/compatibility.md names is made alike first: the
order of what has none, times to live, and draws at random.
"""

from resp import Connection, Map, encode

TTL_TOLERANCE_MS = 3000  # the two servers run a command at slightly different times

UNORDERED = {b"HGETALL", b"HKEYS", b"HVALS", b"HSCAN", b"KEYS"}
TIMES = {b"TTL": 1000, b"PTTL": 1, b"EXPIRETIME": 1000, b"PEXPIRETIME": 1}


def name_of(command):
    return command[0].upper() if isinstance(command[0], bytes) else command[0].upper().encode()


def flat_pairs(reply):
    """A map, or its flat form in RESP2, as sorted pairs."""
    if isinstance(reply, Map):
        return sorted(reply)
    return sorted(zip(reply[::2], reply[1::2]))


def is_array(reply):
    return isinstance(reply, tuple)


def same(command, one, other):
    """Whether two (parsed, raw) replies to a command are alike."""
    (a, raw_a), (b, raw_b) = one, other
    if raw_a == raw_b:
        return True
    name = name_of(command)
    if name in TIMES and isinstance(a, int) and isinstance(b, int) and min(a, b) >= 0:
        return abs(a - b) * TIMES[name] <= TTL_TOLERANCE_MS
    if len(raw_a) != len(raw_b) and name != b"HRANDFIELD":
        return False
    if name == b"HGETALL" and is_array(a) and is_array(b):
        return type(a) is type(b) and flat_pairs(a) == flat_pairs(b)
    if name == b"HSCAN" and is_array(a) and is_array(b):
        return a[0] == b[0] and flat_pairs(a[1]) == flat_pairs(b[1])
    if name in UNORDERED and is_array(a) and is_array(b):
        return sorted(a) == sorted(b)
    if name == b"HRANDFIELD":
        return same_draw(command, a, b)
    return False


def same_draw(command, a, b):
    """Draws agree in form and number; where all fields are drawn, in the fields too."""
    if type(a) is not type(b):
        return False
    if not is_array(a):
        return isinstance(a, bytes)
    if len(a) != len(b):
        return False
    nested = [is_array(item) for item in a] == [is_array(item) for item in b]
    return nested and (int(command[2]) < 0 or len(set(a) | set(b)) >= len(set(a)))


class Pair:
    """The same commands to Redis and to Sluice."""

    def __init__(self, redis_port, sluice_port):
        self.redis = Connection(redis_port)
        self.sluice = Connection(sluice_port)

    def close(self):
        self.redis.close()
        self.sluice.close()

    def hello(self, version):
        """Both speak that version from here on."""
        for connection in (self.redis, self.sluice):
            connection.call("HELLO", version)

    def run(self, commands):
        """Sends all at once to both; returns [(command, reply of Redis, reply of Sluice)]."""
        request = b"".join(encode(command) for command in commands)
        self.redis.send(request)
        self.sluice.send(request)
        return [(command, self.redis.reply(), self.sluice.reply()) for command in commands]

    def check(self, commands, context=""):
        """AssertionError that shows the first reply that differs, and what led to it."""
        history = []
        for command, redis, sluice in self.run(commands):
            history.append(f"{shown(command)}  ->  {redis[1][:120]!r}")
            assert same(command, redis, sluice), "\n".join(
                [f"{context}", *history[-12:-1], f"command: {shown(command)}",
                 f"Redis:   {redis[1][:300]!r}", f"Sluice:  {sluice[1][:300]!r}"])


def shown(command):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return " ".join(repr(word)[1:] if len(word) < 60 else f"'{len(word)} bytes'" for word in words)
