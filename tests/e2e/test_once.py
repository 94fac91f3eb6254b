"""SLUICE ONCE: a retry is never a second write.

Goal:   with every tenth reply lost, clients that retry under their tokens or numbers end with exact
        counters, and each retry gets the first answer, restarts and kill -9 included.
Method: a proxy that passes requests on and cuts the connection instead of the reply; a server that
        is killed and started again in the middle.
"""

import random
import threading

import pytest

from proxy import LossyProxy
from servers import wait_for
from wire import Closed, Error, Wire

CLIENTS = 4
WRITES = 500  # of each client
COUNTERS = 10
RETRIES_MAX = 10_000
LOSS = 0.1


def once_with_retries(port, words, retries):
    """Sends the command until an answer arrives."""
    for _ in range(RETRIES_MAX):
        try:
            if retries["wire"] is None:
                retries["wire"] = Wire(port, timeout=5)
            reply = retries["wire"].call(*words)
            if isinstance(reply, Error) and reply.startswith(b"LOADING"):
                continue
            return reply
        except Closed:
            retries["count"] += 1
            if retries["wire"] is not None:
                retries["wire"].close()
            retries["wire"] = None
    raise AssertionError(f"{words} was never answered")


def write_some(port, number, by_token, result):
    chance = random.Random(number)
    retries = {"wire": None, "count": 0}
    counts = [0] * COUNTERS
    last = 0
    try:
        for i in range(WRITES):
            if i % 5 == 4:  # a counter of its own, so that each reply is known
                command = ("INCR", f"own:{number}")
                last += 1
            else:
                which = chance.randrange(COUNTERS)
                counts[which] += 1
                command = ("INCR", f"count:{which}")
            head = (f"t{number}-{i}",) if by_token else (f"@p{number}", i + 1)
            reply = once_with_retries(port, ("SLUICE", "ONCE", *head, *command), retries)
            if command[1].startswith("own"):
                assert reply == last, f"{command} answered {reply!r}, not {last}"
            else:
                assert isinstance(reply, int), reply
        result[number] = (counts, last, retries["count"])
    except AssertionError as error:
        result[number] = error
    finally:
        if retries["wire"] is not None:
            retries["wire"].close()


@pytest.mark.parametrize("by_token", [True, False], ids=["token", "producer"])
def test_counters_are_exact_when_replies_are_lost(start_sluice, by_token):
    server = start_sluice()
    result = {}
    with LossyProxy(server.port, LOSS, seed=7) as proxy:
        threads = [
            threading.Thread(target=write_some, args=(proxy.port, n, by_token, result), daemon=True)
            for n in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        redis = server.client()
        for goal in (WRITES * CLIENTS // 4, WRITES * CLIENTS // 2):

            def written():
                values = redis.mget([f"count:{i}" for i in range(COUNTERS)])
                return sum(int(value or 0) for value in values) >= goal or not threads[0].is_alive()

            wait_for(written, 40, f"{goal} writes")
            redis.close()
            server.restart(kill=True)
            redis = server.client()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert proxy.lost > 0
    assert all(isinstance(result[n], tuple) for n in range(CLIENTS)), result
    for which in range(COUNTERS):
        expected = sum(result[n][0][which] for n in range(CLIENTS))
        assert int(redis.get(f"count:{which}") or 0) == expected
    for n in range(CLIENTS):
        assert int(redis.get(f"own:{n}")) == result[n][1]
    assert sum(result[n][2] for n in range(CLIENTS)) > 0


def test_a_token_answers_as_at_first(sluice):
    with Wire(sluice.port) as wire:
        assert wire.call("SLUICE", "ONCE", "a", "INCRBY", "n", 5) == 5
        assert wire.call("INCR", "n") == 6
        assert wire.call("SLUICE", "ONCE", "a", "INCRBY", "n", 5) == 5
        assert wire.call("GET", "n") == b"6"
        # The first key is part of the token.
        assert wire.call("SLUICE", "ONCE", "a", "INCRBY", "m", 5) == 5
        # Other arguments under one token are refused.
        reply = wire.call("SLUICE", "ONCE", "a", "INCRBY", "n", 6)
        assert reply.startswith(b"TOKENMISMATCH")
        assert wire.call("GET", "n") == b"6"
        # A refusal is not remembered.
        wire.call("SET", "text", "x")
        assert b"not an integer" in wire.call("SLUICE", "ONCE", "b", "INCR", "text")
        wire.call("SET", "text", 1)
        assert wire.call("SLUICE", "ONCE", "b", "INCR", "text") == 2


def test_a_producer_answers_as_at_first(sluice):
    with Wire(sluice.port) as wire:
        for seq in range(1, 1025):
            assert wire.call("SLUICE", "ONCE", "@p", seq, "INCR", "n") == seq
        for seq in (1, 2, 700, 1024):
            assert wire.call("SLUICE", "ONCE", "@p", seq, "INCR", "n") == seq
        assert wire.call("GET", "n") == b"1024"
        reply = wire.call("SLUICE", "ONCE", "@p", 5, "INCRBY", "n", 2)
        assert reply.startswith(b"TOKENMISMATCH")
        # What is out of the window is refused, never applied again.
        assert wire.call("SLUICE", "ONCE", "@p", 1025, "INCR", "n") == 1025
        assert isinstance(wire.call("SLUICE", "ONCE", "@p", 1, "INCR", "n"), Error)
        assert wire.call("GET", "n") == b"1025"
    sluice.restart(kill=True)
    with Wire(sluice.port) as wire:
        assert wire.call("SLUICE", "ONCE", "@p", 1025, "INCR", "n") == 1025
        assert wire.call("GET", "n") == b"1025"


def test_once_wants_a_token_and_a_write(sluice):
    with Wire(sluice.port) as wire:
        for words in (
            ["ONCE"],
            ["ONCE", "t"],
            ["ONCE", "@p", "1"],
            ["ONCE", "@p", "x", "SET", "a", "1"],
            ["ONCE", "@p", "0", "SET", "a", "1"],
            ["ONCE", "@", "1", "SET", "a", "1"],
            ["ONCE", "t", "PING"],
            ["ONCE", "t", "NOSUCH", "a"],
            ["ONCE", "t", "GET", "a"],
            ["ONCE", "t" * 5000, "SET", "a", "1"],
        ):
            reply = wire.call("SLUICE", *words)
            assert isinstance(reply, Error), (words, reply)
        assert wire.call("GET", "a") is None
