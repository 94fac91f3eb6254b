"""`sluice inspect store|record`: what a stopped node's files hold.

Goal:   what is shown is what was written, damage is named with exit status 3, and no file changes.
Method: a server that was written to in every way and stopped; its files read in both forms, then
        damaged byte by byte in places.
"""

import hashlib
import json
import subprocess

import pytest

CONFIG = '[keyspace.likes]\nkey = "likes:{post}"\nshard = "hash(post)"\nshards = 2\n'


def inspect(binary, *words):
    done = subprocess.run([str(binary), "inspect", *map(str, words)], capture_output=True,
                          text=True, timeout=50)
    return done.returncode, done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def state(server):
    return {path: hashlib.sha1(path.read_bytes()).hexdigest()
            for path in sorted(server.data.rglob("*")) if path.is_file()}


@pytest.fixture
def stopped(start_sluice):
    server = start_sluice(CONFIG)
    redis = server.client()
    redis.set("greeting", b"h\xffllo\n", px=3_600_000)
    with redis.pipeline(transaction=False) as pipe:  # many records of a shard in one group
        for i in range(300):
            pipe.incr(f"likes:{i}")
        pipe.execute()
    with redis.pipeline(transaction=False) as pipe:  # as many writes to one key, folded
        for i in range(300):
            pipe.incr("hot")
        assert pipe.execute() == list(range(1, 301))
    redis.hset("large", mapping={f"field:{i}": i for i in range(300)})
    redis.hset("small", mapping={"a": 1, "b": 2})
    redis.execute_command("SLUICE", "ONCE", "pay-1", "INCRBY", "likes:7", 10)
    redis.execute_command("SLUICE", "ONCE", "@meter", 5, "SET", "reading", "x" * 1_000)
    redis.mset({"many:1": "a", "many:2": "b", "likes:1": "5"})
    redis.delete("many:2")
    server.stop()
    return server


def test_the_store_in_words_and_numbers(stopped, sluice_bin):
    before = state(stopped)
    status, text = inspect(sluice_bin, "store", stopped.data, "--json", "--verify")
    assert status == 0, text
    found = lines(text)
    rows = {(line["keyspace"], line["kind"]): line["rows"] for line in found if "kind" in line}
    assert rows[("likes", "values")] == 300
    assert rows[("default", "values")] == 6
    assert rows[("default", "fields")] == 300
    assert rows[("default", "large hashes")] == rows[("default", "small hashes")] == 1
    assert rows[("likes", "once")] == rows[("default", "producers")] == 1
    assert rows[("default", "expiries")] == 1
    positions = [line for line in found if "position" in line]
    assert {line["keyspace"] for line in positions} == {"default", "likes"}
    assert sum("table" in line for line in found) == len(list(stopped.data.rglob("*.sst")))
    assert found[-1] == {"verified": "every checksum is right"}

    status, text = inspect(sluice_bin, "store", stopped.data, "--keys", "likes:1")
    assert status == 0 and text.count("key likes:1") == 1 + 10 + 100, text
    status, text = inspect(sluice_bin, "store", stopped.data, "--json", "--key", "large")
    assert status == 0
    shown = {line["field"]: line["value"] for line in lines(text) if "field" in line}
    assert shown == {f"field:{i}": str(i) for i in range(300)}
    status, text = inspect(sluice_bin, "store", stopped.data, "--key", "greeting")
    assert status == 0 and "value h\\xffllo\\n" in text and "expires_at_ms" in text, text
    status, text = inspect(sluice_bin, "store", stopped.data, "--key", "likes:7")
    assert status == 0 and "once pay-1" in text and "reply :11\\r\\n" in text, text
    assert state(stopped) == before


def test_every_record_in_words_and_numbers(stopped, sluice_bin):
    before = state(stopped)
    seen, sequences, lsn = [], {}, 0
    while True:
        lsn += 1
        status, text = inspect(sluice_bin, "record", stopped.data, lsn, "--json")
        if status != 0:
            break
        found = lines(text)
        assert found[0]["record"] == lsn
        for line in found:
            if "shard" in line:
                # Numbers of a shard follow each other.
                assert line["sequence"] == sequences.get(line["shard"], 0) + 1
                sequences[line["shard"]] = line["sequence"]
        seen += found
    assert status == 1 and "log ends before LSN" in text
    effects = [line for line in seen if "effect" in line]
    assert effects[0]["effect"] == "put value" and effects[0]["key"] == "greeting"
    assert effects[0]["value"] == "h\\xffllo\\n" and effects[0]["expires_at_ms"] > 0
    by_kind = {line["effect"] for line in effects}
    assert by_kind == {"put value", "add int", "put fields", "once", "producer", "delete"}
    hot = [line for line in effects if line["key"] == "hot"]
    assert sum(line["writes"] for line in hot) == sum(line["delta"] for line in hot) == 300
    assert hot[-1]["value"] == 300 and len(hot) < 30
    once = next(line for line in effects if line["effect"] == "once")
    assert once["token"] == "pay-1" and once["reply"] == ":11\\r\\n" and once["writes"] == 1
    assert state(stopped) == before


def test_damage_is_named(stopped, sluice_bin):
    table = sorted(stopped.data.rglob("*.sst"))[0]
    sound = table.read_bytes()
    unread = 0
    for at in range(7, len(sound) - 60, len(sound) // 16):  # filter and index blocks too
        damaged = bytearray(sound)
        damaged[at] ^= 1
        table.write_bytes(damaged)
        status, text = inspect(sluice_bin, "store", stopped.data, "--verify")
        assert status == 3 and text.splitlines()[-1].startswith("damaged "), (at, text)
        assert str(table.parent) in text, (at, text)  # of its properties RocksDB says no more
        unread += inspect(sluice_bin, "store", stopped.data)[0] == 0
    assert unread > 0, "a walk over the rows sees less than --verify does"
    table.write_bytes(sound)
    assert inspect(sluice_bin, "store", stopped.data, "--verify")[0] == 0

    segment = sorted((stopped.data / "log").glob("*.seg"))[0]
    sound = segment.read_bytes()
    (record, *_) = lines(inspect(sluice_bin, "record", stopped.data, 2, "--json")[1])
    damaged = bytearray(sound)
    damaged[record["group"] + 110] ^= 1  # behind the heads of group and batch
    segment.write_bytes(damaged)
    status, text = inspect(sluice_bin, "record", stopped.data, 2)
    assert status == 3 and segment.name in text, text
    segment.write_bytes(sound)
    assert inspect(sluice_bin, "record", stopped.data, 2)[0] == 0


def test_wrong_places_and_words(sluice_bin, tmp_path):
    for words, status in (
        (("store", tmp_path), 1), (("record", tmp_path, 1), 1), (("log", tmp_path), 1),
        (("record", tmp_path), 2), (("record", tmp_path, "x"), 2), (("record", tmp_path, 0), 2),
        (("heap", tmp_path), 2), (("store",), 2), (("--help",), 0), (("store", "--help"), 0),
    ):
        assert inspect(sluice_bin, *words)[0] == status, words
    assert not list(tmp_path.iterdir())
