"""Histories of concurrent clients, kills and restarts included, check as linearizable.

Goal:   each key behaves as if all operations on it had happened one after another, each between its
        call and its answer: no lost update, no stale or vanishing read, whatever connection asks
        and whenever the server dies.
Method: clients on few keys note when each call began and ended; the server is killed (-9) or
        stopped again and again; each key's history goes through the checker of linear.py. The
        checker itself is held against trying all orders, and against histories known to be bad.
Tried:  replies before the sync, and reads that do not wait for the write they show, fail it.
"""

import itertools
import random
import threading
import time

import pytest

from linear import NEVER, Operation, counter_complaint, register_complaint
from reshaper import Reshaper
from servers import wait_for
from wire import Closed, Error, Wire

CONFIG = """
[server]
lanes = {lanes}
memory = "64MiB"

[keyspace.registers]
key = "register:{{number}}"
shard = "hash(number)"
shards = 6

[keyspace.counters]
key = "counter:{{number}}"
shard = "hash(number)"
shards = 6
"""


# The checker.


def o(kind, value, begin, end=NEVER):
    return Operation(kind, value, begin, end)


BAD_REGISTERS = {
    "stale read": [o("set", 1, 0, 1), o("set", 2, 2, 3), o("get", 1, 4, 5)],
    "lost write": [o("set", 1, 0, 1), o("get", None, 2, 3)],
    "read goes back": [o("set", 1, 0, 9), o("get", 1, 1, 2), o("get", None, 3, 4)],
    "reads disagree": [
        o("set", 1, 0, 9), o("set", 2, 0, 9),
        o("get", 1, 10, 11), o("get", 2, 12, 13), o("get", 1, 14, 15),
    ],
    "from nowhere": [o("set", 1, 0, 1), o("get", 7, 2, 3)],
    "from the future": [o("get", 1, 0, 1), o("set", 1, 2, 3)],
    "pending write taken back": [o("set", 1, 0, 1), o("set", 2, 2), o("get", 2, 3, 4),
                                 o("get", 1, 5, 6)],
    "no moment between": [o("set", 1, 0, 1), o("get", 1, 9, 10), o("set", 2, 3, 4)],
}
GOOD_REGISTERS = {
    "nothing": [],
    "in order": [o("set", 1, 0, 1), o("get", 1, 2, 3), o("set", 2, 4, 5), o("get", 2, 6, 7)],
    "concurrent writes": [o("set", 1, 0, 9), o("set", 2, 0, 9), o("get", 2, 1, 8),
                          o("get", 1, 10, 11)],
    "pending write seen late": [o("set", 1, 0, 1), o("set", 2, 2), o("get", 1, 3, 4),
                                o("get", 2, 5, 6)],
    "pending write never seen": [o("set", 1, 0, 1), o("set", 2, 2), o("get", 1, 3, 4)],
}
BAD_COUNTERS = {
    "lost update": [o("incr", 1, 0, 1), o("get", 0, 2, 3)],
    "twice the same": [o("incr", 1, 0, 5), o("incr", 1, 0, 5)],
    "answers out of order": [o("incr", 2, 0, 1), o("incr", 1, 2, 3)],
    "from nowhere": [o("incr", 1, 0, 1), o("get", 2, 2, 3)],
    "applied twice": [o("incr", None, 0), o("incr", 3, 1, 2)],
    "taken back": [o("incr", None, 0), o("get", 1, 1, 2), o("get", 0, 3, 4)],
    "pending too late": [o("get", 1, 0, 1), o("incr", None, 2)],
}
GOOD_COUNTERS = {
    "nothing": [],
    "in order": [o("incr", 1, 0, 1), o("get", 1, 2, 3), o("incr", 2, 4, 5)],
    "concurrent": [o("incr", 2, 0, 9), o("incr", 1, 0, 9), o("get", 1, 0, 9), o("get", 2, 0, 9)],
    "pending counted later": [o("incr", None, 0), o("get", 0, 1, 2), o("incr", 2, 3, 4)],
    "pending never": [o("incr", None, 0), o("get", 0, 1, 2), o("incr", 1, 3, 4)],
}


@pytest.mark.parametrize("name", BAD_REGISTERS)
def test_bad_registers_are_refused(name):
    assert register_complaint(BAD_REGISTERS[name]) is not None


@pytest.mark.parametrize("name", BAD_COUNTERS)
def test_bad_counters_are_refused(name):
    assert counter_complaint(BAD_COUNTERS[name]) is not None


def test_good_histories_pass():
    assert {n: register_complaint(h) for n, h in GOOD_REGISTERS.items()} == dict.fromkeys(
        GOOD_REGISTERS)
    assert {n: counter_complaint(h) for n, h in GOOD_COUNTERS.items()} == dict.fromkeys(
        GOOD_COUNTERS)


def explained_by_some_order(operations, start):
    """The definition itself: any subset of the unanswered, any order, time respected."""
    unanswered = [x for x in operations if x.end is NEVER]
    answered = [x for x in operations if x.end is not NEVER]
    for size in range(len(unanswered) + 1):
        for taken in itertools.combinations(unanswered, size):
            for order in itertools.permutations(answered + list(taken)):
                if all(one.begin <= other.end for one, other in itertools.combinations(order, 2)):
                    if makes_sense(order, start):
                        return True
    return False


def makes_sense(order, state):
    for operation in order:
        if operation.kind == "set":
            state = operation.value
        elif operation.kind == "incr":
            state += 1
            if operation.value not in (None, state):
                return False
        elif operation.value != state:
            return False
    return True


def drawn_history(chance, counter):
    operations = []
    for number in range(chance.randrange(2, 7)):
        begin = chance.randrange(12)
        end = begin + chance.randrange(1, 6) + number / 8  # no two ends are equal
        if chance.random() < 0.5:
            value = chance.randrange(4) if counter else chance.choice([None, 0, 1, 2, 3, 4])
            operations.append(o("get", value, begin, end))
        elif counter:
            answered = chance.random() < 0.6
            operations.append(o("incr", chance.randrange(1, 4) if answered else None, begin,
                                end if answered else NEVER))
        else:
            operations.append(o("set", number, begin, end if chance.random() < 0.6 else NEVER))
    return operations


@pytest.mark.parametrize("counter", [False, True], ids=["register", "counter"])
def test_the_checker_agrees_with_trying_all_orders(counter):
    chance = random.Random(11)
    complaint = counter_complaint if counter else register_complaint
    verdicts = {True: 0, False: 0}
    for _ in range(3000):
        operations = drawn_history(chance, counter)
        fine = complaint(operations) is None
        assert fine == explained_by_some_order(operations, 0 if counter else None), operations
        verdicts[fine] += 1
    assert min(verdicts.values()) > 300, verdicts


# The server.


class History:
    """What all clients did to all keys; each client appends to lists of its own."""

    def __init__(self, clients, keys):
        self.registers = [[[] for _ in range(keys)] for _ in range(clients)]
        self.counters = [[[] for _ in range(keys)] for _ in range(clients)]

    def complaints(self):
        for lists, complaint in ((self.registers, register_complaint),
                                 (self.counters, counter_complaint)):
            for key, parts in enumerate(zip(*lists)):
                said = complaint([operation for part in parts for operation in part])
                if said:
                    yield f"{complaint.__name__} of key {key}: {said}"

    def operations(self):
        return sum(len(part) for lists in (self.registers, self.counters)
                   for parts in lists for part in parts)


class Caller:
    """A client that does one thing at a time, over new connections when one ends."""

    def __init__(self, number, history, port, keys):
        self.number, self.port, self.keys = number, port, keys
        self.registers = history.registers[number]
        self.counters = history.counters[number]
        self.chance = random.Random(number)
        self.written = 0
        self.done = 0
        self.stopping = False
        self.complaint = None

    def run(self):
        try:
            while not self.stopping:
                try:
                    with Wire(self.port, timeout=20) as wire:
                        while not self.stopping:
                            self.call(wire)
                except Closed:
                    time.sleep(0.002)  # the server is on its way back; this only saves the core
        except AssertionError as error:
            self.complaint = str(error)

    def call(self, wire):
        key = self.chance.randrange(self.keys)
        kind = self.chance.choice(["set", "get", "incr", "read"])
        if kind == "set":
            self.written += 1
            value = f"{self.number}-{self.written}".encode()
            self.note(wire, self.registers[key], "set", value, ("SET", f"register:{key}", value))
        elif kind == "get":
            self.note(wire, self.registers[key], "get", None, ("GET", f"register:{key}"))
        elif kind == "incr":
            self.note(wire, self.counters[key], "incr", None, ("INCR", f"counter:{key}"))
        else:
            self.note(wire, self.counters[key], "get", None, ("GET", f"counter:{key}"))
        self.done += 1

    def note(self, wire, operations, kind, value, command):
        begin = time.monotonic_ns()
        try:
            reply = wire.call(*command)
        except Closed:
            reply = None
            if kind != "get":
                operations.append(Operation(kind, value, begin))
            raise
        end = time.monotonic_ns()
        if isinstance(reply, Error):
            # In doubt, or refused while it starts or stops: unknown to be on the safe side.
            assert reply.startswith((b"INDOUBT", b"LOADING", b"ERR")), reply
            if kind != "get":
                operations.append(Operation(kind, value, begin))
            raise Closed(reply.decode())
        if kind == "set":
            assert reply == b"OK", reply
        elif kind == "incr":
            value = reply
        else:
            value = reply if command[1].startswith("register") else int(reply or 0)
        operations.append(Operation(kind, value, begin, end))


def histories_with_restarts(start_sluice, lanes, clients, keys, rounds, calls, seed,
                            reshaper=None):
    server = start_sluice(CONFIG.format(lanes=lanes))
    chance = random.Random(seed)
    history = History(clients, keys)
    callers = [Caller(number, history, server.port, keys) for number in range(clients)]
    threads = [threading.Thread(target=caller.run, daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    for number in range(rounds):
        if reshaper is not None:
            reshaper.start(server.port)
        goal = sum(caller.done for caller in callers) + chance.randrange(calls // 2, calls)
        changes = 2 * (number + 1) if reshaper is not None else 0
        wait_for(lambda: sum(caller.done for caller in callers) >= goal and
                 (changes == 0 or reshaper.started >= changes) or
                 any(caller.complaint for caller in callers), 30, "calls, and changes of shards")
        server.restart(kill=number % 3 != 2)
        if reshaper is not None:
            reshaper.join()
    goal = sum(caller.done for caller in callers) + calls
    wait_for(lambda: sum(caller.done for caller in callers) >= goal, 30, "calls")
    for caller in callers:
        caller.stopping = True
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert [caller.complaint for caller in callers] == [None] * clients
    assert list(history.complaints()) == []
    unanswered = sum(operation.end is NEVER for lists in (history.registers, history.counters)
                     for parts in lists for part in parts for operation in part)
    assert unanswered > rounds // 2, "no kill met a call under way"
    return history


@pytest.mark.parametrize("lanes, clients", [(2, 8), (3, 16)])
def test_histories_are_linearizable(start_sluice, lanes, clients):
    histories_with_restarts(start_sluice, lanes, clients, keys=4, rounds=3, calls=1500, seed=lanes)


def test_histories_are_linearizable_while_shards_change(start_sluice):
    reshaper = Reshaper(seed=5, lanes=2)
    histories_with_restarts(start_sluice, 2, 8, keys=4, rounds=3, calls=1500, seed=9,
                            reshaper=reshaper)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("lanes, clients, keys", [(2, 8, 2), (3, 16, 3), (3, 12, 8), (1, 16, 1)])
def test_many_histories_are_linearizable(start_sluice, lanes, clients, keys):
    history = histories_with_restarts(start_sluice, lanes, clients, keys, rounds=30, calls=4000,
                                      seed=clients)
    assert history.operations() > 50_000
