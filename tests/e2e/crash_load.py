"""Writers and a reader for tests that crash a server: they note what they sent and what was
answered, and count everything afterwards.

    load = Load(seed)
    load.start(server.port)       # threads write until their connections end
    load.await_writes()           # a random amount, so that the crash meets a random moment
    …crash…; load.join(); …start again…
    load.check(server.client())   # AssertionError: something is lost, doubled or half

What is checked: acknowledged <= recovered <= sent; beyond the acknowledged, a prefix per connection
and shard; a write over several keys wholly or not at all; a once token's write exactly once, its
retry answered as at first; at `ack = "memory"` nothing lost that a later durable write had made
certain; no read ever showed a value that the crash took back.
"""

import random
import threading

from servers import wait_for
from wire import Closed, Error, Wire

CLIENTS = 4
SHARED = 8  # counters that all clients increment
BATCH = 24  # commands in one pipeline
GROUP = 3  # keys of one MSET
LONG_BYTES = 12_000
READ_AT_ONCE = 300  # keys of one MGET
RETRIED = 3  # answered once tokens that are asked for again after each crash

# Small buffers and segments, so that rounds store runs and begin, trim and recycle segments.
CONFIG = """
[server]
lanes = 2
memory = "64MiB"

[log]
segment = "1MiB"

[keyspace.sequence]
key = "sequence:{client}:{number}"
shard = "hash(number)"
shards = 4

[keyspace.counters]
key = "counter:{name}"
shard = "hash(name)"
shards = 3

[keyspace.quick]
key = "quick:{client}:{number}"
shard = "hash(client)"
shards = 1
ack = "memory"
"""


def read(redis, keys):
    """The values of any number of keys."""
    return [
        value
        for start in range(0, len(keys), READ_AT_ONCE)
        for value in redis.mget(keys[start : start + READ_AT_ONCE])
    ]


class Series:
    """Numbered writes of one client, and how each is found again."""

    def __init__(self, client):
        self.client = client
        self.sent = self.acked = 0
        self.checked = 0  # those before it were there after an earlier crash

    def next(self):
        self.sent += 1
        return self.command(self.sent - 1)

    def answered(self, number, reply):
        assert reply == self.REPLY, f"{self.command(number)} answered {reply!r}"
        self.acked = number + 1

    def certain(self):
        """How many may not be missing after a crash."""
        return self.acked

    def shard(self, shard_of, number):
        """Within a shard, what survives is a prefix."""
        return None

    def check(self, redis, shard_of, everything):
        numbers = range(0 if everything else self.checked, self.sent)
        there = dict(zip(numbers, self.there(redis, numbers) if numbers else ()))
        lost = [n for n in numbers if not there[n] and n < self.certain()]
        assert not lost, f"lost: {lost[:5]} of {len(lost)}, {self.command(lost[0])[:2]}"
        holes = {}
        for n in numbers:
            shard = self.shard(shard_of, n) if n >= self.certain() else None
            if not there[n]:
                holes.setdefault(shard, n)
            elif n >= self.certain():
                assert shard not in holes, f"{n} is there, {holes[shard]} of the same shard is not"
        # What is missing is written now, so that the next round begins with a known state.
        for n in numbers:
            if not there[n]:
                redis.execute_command(*self.command(n))
        self.acked = self.checked = self.sent


class Values(Series):
    REPLY = b"OK"

    def key(self, number):
        return f"sequence:{self.client}:{number}"

    @staticmethod
    def value(number):
        """Some are long, so that segments and buffers fill up."""
        return b"value-%d" % number + b"." * (LONG_BYTES if number % 8 == 0 else 0)

    def command(self, number):
        return ("SET", self.key(number), self.value(number))

    def there(self, redis, numbers):
        values = read(redis, [self.key(n) for n in numbers])
        wrong = [n for n, value in zip(numbers, values) if value not in (None, self.value(n))]
        assert not wrong, f"not what was written: {[self.key(n) for n in wrong[:5]]}"
        return [value is not None for value in values]

    def shard(self, shard_of, number):
        return shard_of(self.key(number))


class Fields(Series):
    REPLY = 1

    def command(self, number):
        return ("HSET", f"hash:{self.client}", f"field-{number}", number)

    def there(self, redis, numbers):
        assert redis.hlen(f"hash:{self.client}") <= self.sent
        values = redis.hmget(f"hash:{self.client}", [f"field-{n}" for n in numbers])
        assert all(value in (None, b"%d" % n) for n, value in zip(numbers, values))
        return [value is not None for value in values]


class Groups(Series):
    """MSET over keys of several shards and lanes."""

    REPLY = b"OK"

    def keys(self, number):
        return [f"group:{self.client}:{number}:{part}" for part in range(GROUP)]

    def command(self, number):
        return ("MSET", *(word for key in self.keys(number) for word in (key, number)))

    def there(self, redis, numbers):
        values = read(redis, [key for n in numbers for key in self.keys(n)])
        whole = []
        for i, n in enumerate(numbers):
            parts = values[i * GROUP : (i + 1) * GROUP]
            assert parts in ([None] * GROUP, [b"%d" % n] * GROUP), f"half of {self.command(n)}"
            whole.append(parts[0] is not None)
        return whole


class Quick(Series):
    """At `ack = "memory"`: certain is what was answered before a durable write was sent that was
    answered too."""

    REPLY = b"OK"

    def __init__(self, client):
        super().__init__(client)
        self.sure = 0

    def command(self, number):
        return ("SET", f"quick:{self.client}:{number}", f"value-{number}")

    def there(self, redis, numbers):
        values = read(redis, [f"quick:{self.client}:{n}" for n in numbers])
        assert all(value in (None, b"value-%d" % n) for n, value in zip(numbers, values))
        return [value is not None for value in values]

    def certain(self):
        return self.sure

    def check(self, redis, shard_of, everything):
        super().check(redis, shard_of, everything)
        self.sure = self.sent


class Once(Series):
    """INCR under a token of its own: the n-th answers n + 1, however often it is asked."""

    def key(self):
        return f"counter:once-{self.client}"

    def command(self, number):
        return ("SLUICE", "ONCE", f"token-{self.client}-{number}", "INCR", self.key())

    def answered(self, number, reply):
        assert reply == number + 1, f"{self.command(number)} answered {reply!r}"
        self.acked = number + 1

    def check(self, redis, shard_of, everything):
        value = int(redis.get(self.key()) or 0)
        assert self.acked <= value <= self.sent, f"{self.acked} <= {value} <= {self.sent}"
        again = list(range(self.acked, self.sent))
        if self.acked:
            again += random.Random(self.acked).choices(range(self.acked), k=RETRIED)
        for number in again:
            self.answered(number, redis.execute_command(*self.command(number)))
        assert int(redis.get(self.key()) or 0) == self.sent, "a retry wrote again"
        self.acked = self.checked = self.sent


class Counter(Series):
    """INCR of a key that nobody else writes."""

    def key(self):
        return f"counter:own-{self.client}"

    def command(self, number):
        return ("INCR", self.key())

    def answered(self, number, reply):
        assert reply == number + 1, f"{self.key()} answered {reply!r}, not {number + 1}"
        self.acked = number + 1

    def check(self, redis, shard_of, everything):
        value = int(redis.get(self.key()) or 0)
        assert self.acked <= value <= self.sent, f"{self.acked} <= {value} <= {self.sent}"
        self.acked = self.sent = value


class Client:
    """Writes batches of everything until its connection ends."""

    def __init__(self, number):
        self.shared_sent = [0] * SHARED
        self.shared_acked = [0] * SHARED
        self.values = Values(number)
        self.quick = Quick(number)
        self.durable = [self.values, Fields(number), Groups(number), Once(number), Counter(number)]
        self.complaint = None

    def run(self, port, seed):
        chance = random.Random(seed)
        try:
            with Wire(port) as wire:
                while True:
                    self.batch(wire, chance)
        except Closed:
            pass
        except AssertionError as error:
            self.complaint = str(error)

    def batch(self, wire, chance):
        commands, notes = [], []
        answered_before = self.quick.acked
        only_quick = chance.random() < 0.2
        for _ in range(BATCH):
            kind = 0 if only_quick else chance.randrange(8)
            if kind == 1:
                which = chance.randrange(SHARED)
                self.shared_sent[which] += 1
                commands.append(("INCR", f"counter:shared-{which}"))
                notes.append((None, which))
                continue
            series = self.quick if kind == 0 else chance.choice(self.durable)
            notes.append((series, series.sent))
            commands.append(series.next())
        for (series, what), reply in zip(notes, wire.pipeline(commands)):
            if isinstance(reply, Error) and reply.startswith(b"INDOUBT"):
                raise Closed("the log failed")
            if series is None:
                assert isinstance(reply, int), reply
                self.shared_acked[what] += 1
            else:
                series.answered(what, reply)
            if series is not self.quick:
                self.quick.sure = answered_before


class Reader:
    """Reads counters all the time, over a connection of its own; keeps the greatest it saw."""

    def __init__(self):
        self.seen = {}

    def run(self, port):
        names = [f"counter:shared-{i}" for i in range(SHARED)]
        names += [f"counter:{kind}-{i}" for kind in ("own", "once") for i in range(CLIENTS)]
        try:
            with Wire(port) as wire:
                while True:
                    for name, reply in zip(names, wire.pipeline([("GET", name) for name in names])):
                        if isinstance(reply, Error):
                            return
                        self.seen[name] = max(self.seen.get(name, 0), int(reply or 0))
        except Closed:
            pass

    def check(self, redis):
        for name, value in self.seen.items():
            assert int(redis.get(name) or 0) >= value, f"a read of {name} showed {value}"


class Load:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.clients = [Client(number) for number in range(CLIENTS)]
        self.reader = None
        self.threads = []

    def start(self, port):
        self.reader = Reader()
        runs = [(client.run, (port, self.chance.random())) for client in self.clients]
        runs.append((self.reader.run, (port,)))
        self.threads = [threading.Thread(target=run, args=a, daemon=True) for run, a in runs]
        for thread in self.threads:
            thread.start()

    def await_writes(self):
        first = self.clients[0].values
        goal = first.sent + self.chance.randrange(5, 300)
        wait_for(lambda: first.sent >= goal, 30, "clients that write")

    def join(self):
        """Waits for the clients, whose server is gone."""
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        assert [client.complaint for client in self.clients] == [None] * CLIENTS

    def check(self, redis, everything=False):
        shards = {}

        def shard_of(key):
            if key not in shards:
                reply = redis.execute_command("SLUICE", "ROUTE", key)
                shards[key] = dict(zip(reply[::2], reply[1::2]))[b"shard"]
            return shards[key]

        self.check_shared(redis)
        self.reader.check(redis)
        for client in self.clients:
            for series in (*client.durable, client.quick):
                series.check(redis, shard_of, everything)
        redis.close()

    def check_shared(self, redis):
        for which in range(SHARED):
            value = int(redis.get(f"counter:shared-{which}") or 0)
            acked = sum(client.shared_acked[which] for client in self.clients)
            sent = sum(client.shared_sent[which] for client in self.clients)
            assert acked <= value <= sent, f"shared counter {which}: {acked} <= {value} <= {sent}"
            for client in self.clients:
                client.shared_acked[which] = client.shared_sent[which] = 0
            self.clients[0].shared_acked[which] = self.clients[0].shared_sent[which] = value
