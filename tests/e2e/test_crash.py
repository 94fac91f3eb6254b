"""kill -9 under load: what was acknowledged is there afterwards, and nothing is there twice.

Goal:   acknowledged <= recovered <= sent, whatever moment the server dies at; what a crash
        recovers beyond the acknowledged is a prefix per connection and shard; no read ever showed
        a value that a crash took back; and all else that crash_load.py counts.
Method: clients that note what they sent and what was answered, a server killed at random moments
        again and again on the same data directory, and a count of everything after each start.
Tried:  answering before the sync fails it within the first rounds.
"""

import pytest

from crash_load import CONFIG, Load
from servers import wait_for
from wire import Error, Wire

ROUNDS = 5
ROUNDS_LONG = 100
EVERYTHING_EVERY = 10  # rounds; in between only what is new is counted


def crash_rounds(start_sluice, rounds, seed):
    server = start_sluice(CONFIG)
    load = Load(seed)
    for number in range(1, rounds + 1):
        load.start(server.port)
        load.await_writes()
        server.kill()
        load.join()
        server.start()
        load.check(server.client(), number == rounds or number % EVERYTHING_EVERY == 0)


def test_nothing_acknowledged_is_lost_by_kill_9(start_sluice):
    crash_rounds(start_sluice, ROUNDS, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_by_a_hundred_crashes(start_sluice):
    crash_rounds(start_sluice, ROUNDS_LONG, seed=2)


def test_a_crash_while_recovering_repeats_the_recovery(start_sluice):
    """Goal: recovery can die at any moment and is simply done again.
    Method: kill the starting server a little later each time, then count."""
    server = start_sluice(CONFIG)
    with Wire(server.port) as wire:
        for start in range(0, 20_000, 500):
            commands = [("SET", f"sequence:0:{n}", n) for n in range(start, start + 500)]
            commands.append(("INCRBY", "counter:sum", 500))
            assert not any(isinstance(reply, Error) for reply in wire.pipeline(commands))
    server.kill()
    for milliseconds in range(0, 100, 10):
        server.start(wait=False)
        with pytest.raises(TimeoutError):
            wait_for(lambda: not server.running(), milliseconds / 1000, "the end of the server")
        server.kill()
    server.start()
    redis = server.client()
    assert redis.get("counter:sum") == b"20000"
    values = redis.mget([f"sequence:0:{n}" for n in range(20_000)])
    assert values == [b"%d" % n for n in range(20_000)]
