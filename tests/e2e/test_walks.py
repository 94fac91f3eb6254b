"""SCAN, KEYS, DBSIZE, RANDOMKEY and SLUICE RANGE over keys that lie in RocksDB."""

import pytest

from resp import Error
from wire import Wire

KEYS = 20_000
DRAWS = 4_000


@pytest.fixture
def stored(start_sluice):
    """A server whose keys are all in RocksDB, stopped again."""
    server = start_sluice("[server]\nlanes = 2\n")
    with Wire(server.port) as wire:
        writes = [("SET", f"key:{i}", "v" * 100) for i in range(KEYS)]
        assert set(wire.pipeline(writes)) == {b"OK"}
    server.stop()
    return server


def tables(server):
    return sorted(server.data.rglob("*.sst"))


def test_a_lost_reply_of_scan_costs_nothing(stored):
    with Wire(stored.start().port) as wire:
        seen, cursor, calls = [], b"0", 0
        while True:
            calls += 1
            lost = wire.call("SCAN", cursor, "COUNT", 700)
            reply = wire.call("SCAN", cursor, "COUNT", 700) if calls % 3 == 0 else lost
            assert reply[1] == lost[1]
            seen += reply[1]
            cursor = reply[0]
            if cursor == b"0":
                break
        assert len(seen) == len(set(seen)) == KEYS
        assert wire.call("DBSIZE") == KEYS


def test_random_keys_are_spread(stored):
    with Wire(stored.start().port) as wire:
        drawn = set(wire.pipeline([("RANDOMKEY",)] * DRAWS))
        # Drawn evenly, 3,625 of them would be different keys.
        assert len(drawn) >= 3_000


def test_damage_is_named_by_every_walk(stored):
    for table in tables(stored):
        content = bytearray(table.read_bytes())
        for at in range(len(content) // 4, len(content) // 2, 512):
            content[at] ^= 0xFF
        table.write_bytes(content)
    with Wire(stored.start().port) as wire:
        for words in (
            ("KEYS", "*"), ("DBSIZE",), ("SCAN", "0", "COUNT", KEYS),
            ("SLUICE", "RANGE", "default", "FROM", "-", "TO", "+"),
        ):
            reply = wire.call(*words)
            assert isinstance(reply, Error), words
            assert reply.startswith(b"DAMAGED shard "), reply
            assert b".sst" in reply, reply
        draws = wire.pipeline([("RANDOMKEY",)] * 200)
        assert {reply[:14] for reply in draws if isinstance(reply, Error)} == {b"DAMAGED shard "}
        assert wire.call("SET", "key:new", "v") == b"OK"
        assert wire.call("GET", "key:new") == b"v"
