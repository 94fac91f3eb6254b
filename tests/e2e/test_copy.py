"""`sluice load --from`: the keys of a running Redis, each once, with their times to live.

Goal:   keys read = applied + rejected; what is applied is what the source held; nothing is applied
        again, whatever is killed; what was rejected is named with its reason.
Method: Debian's redis-server as the source (and a Sluice), a real server as the target; loaders and
        servers that are killed while clients already write to the target.
"""

import random
import re
import subprocess
import threading

import pytest

from servers import RedisServer, wait_for

TTL_TOLERANCE_MS = 1_000  # between asking for a time to live and its end


def start_copy(binary, source, target, *words, stdout=subprocess.PIPE):
    url = source if isinstance(source, str) else f"redis://127.0.0.1:{source.port}"
    return subprocess.Popen(
        [str(binary), "load", "--from", url, "--port", str(target.port), *map(str, words)],
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
    )


def copy(binary, source, target, *words):
    """(exit status, stdout, stderr)"""
    process = start_copy(binary, source, target, *words)
    out, err = process.communicate(timeout=55)
    return process.returncode, out, err


def summary(out):
    found = re.search(r"(\d+) keys read = (\d+) applied \+ (\d+) rejected", out)
    assert found, out
    read, applied, rejected = map(int, found.groups())
    assert read == applied + rejected
    return read, applied, rejected


def fill(redis, rows=500):
    """Strings and hashes of every size, some with times to live."""
    with redis.pipeline(transaction=False) as pipe:
        for i in range(rows):
            pipe.set(f"plain:{i}", i * 7919)
            pipe.set(f"timed:{i}", bytes(range(256)), px=3_600_000 + i)
            pipe.hset(f"small:{i}", mapping={"a": i, b"\r\n\0": b"\xff"})
        for i in range(3):
            pipe.hset(f"large:{i}", mapping={f"field:{n}": f"{i}-{n}" for n in range(2_000)})
        pipe.hset("hours", mapping={"f": 1})
        pipe.pexpire("hours", 7_200_000)
        pipe.pexpire("large:1", 7_200_000)
        pipe.set("", "no name")
        pipe.set("long", b"x" * (5 << 20))
        pipe.hset("heavy", mapping={f"f{n}": b"y" * (1 << 20) for n in range(12)})
        pipe.execute()


def contents(redis):
    """All keys: value, and when it expires."""
    keys = [key for key in redis.scan_iter(count=1000) if not key.startswith(b"load:")]
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key)
            pipe.pexpiretime(key)
        told = pipe.execute()
        for key, kind in zip(keys, told[0::2]):
            pipe.get(key) if kind == b"string" else pipe.hgetall(key)
        values = pipe.execute()
    return {key: (value, ends) for key, value, ends in zip(keys, values, told[1::2])}


def same(one, other):
    assert one.keys() == other.keys()
    for key, (value, ends) in one.items():
        assert other[key][0] == value, key
        assert (ends < 0) == (other[key][1] < 0), key
        assert abs(other[key][1] - ends) < TTL_TOLERANCE_MS, key


@pytest.mark.parametrize("source_kind", ["redis", "sluice"])
def test_a_copy_holds_the_same(sluice, sluice_bin, redis_server, start_sluice, source_kind):
    source = redis_server if source_kind == "redis" else start_sluice()
    fill(source.client())
    sluice.client().hset("small:1", "stale", "goes away")
    sluice.client().set("small:2", "of another type")
    status, out, err = copy(sluice_bin, source, sluice)
    assert status == 0, (out, err)
    there = contents(source.client())
    assert summary(out) == (len(there), len(there), 0)
    same(there, contents(sluice.client()))
    # Once is enough, unless it is asked for.
    sluice.client().set("plain:7", "changed")
    status, out, _ = copy(sluice_bin, source, sluice, "--resume")
    assert status == 0 and summary(out)[0] == len(there)
    assert sluice.client().get("plain:7") == b"changed"
    assert copy(sluice_bin, source, sluice, "--restart")[0] == 0
    same(there, contents(sluice.client()))


def test_what_cannot_be_copied_is_named(sluice, sluice_bin, tmp_path):
    with RedisServer(tmp_path / "source", password="se cret").start() as source:
        redis = source.client(db=3)
        redis.set("fine:1", "yes")
        redis.rpush("list", "a")
        redis.sadd("set", "a")
        redis.zadd("zset", {"a": 1})
        redis.xadd("stream", {"a": 1})
        redis.set("k" * 60_001, "v")
        redis.set("sluice:mine", "v")
        redis.set("huge", b"x" * ((16 << 20) + 1))
        redis.hset("wide", "f" * 60_001, "v")
        url = f"redis://:se%20cret@127.0.0.1:{source.port}/3"
        rejects = tmp_path / "rejects.csv"
        status, out, err = copy(sluice_bin, url, sluice, "--rejects", rejects)
        assert (status, summary(out)) == (1, (9, 1, 8)), (out, err)
        reasons = rejects.read_text()
        for words in (
            "keys of type list cannot be copied yet", "keys of type set", "keys of type zset",
            "keys of type stream", "the key is longer than 60000 bytes", "reserved",
            "the value is longer than 16777216 bytes", "a field is longer than 60000 bytes",
        ):
            assert words in reasons, reasons[:2000]
        status, out, _ = copy(sluice_bin, url, sluice, "--match", "fine:*")
        assert (status, summary(out)) == (0, (1, 1, 0))
        for wrong, expected in ((f"redis://:no@127.0.0.1:{source.port}", 1),
                                ("http://127.0.0.1", 2), (f"{url}x", 2)):
            status, _, err = copy(sluice_bin, wrong, sluice)
            assert status == expected and "se cret" not in err, (wrong, err)
        assert copy(sluice_bin, url, sluice, "--do", "INCR x")[0] == 2


def test_keys_that_go_while_they_are_copied_are_no_errors(sluice, sluice_bin, redis_server):
    redis = redis_server.client()
    with redis.pipeline(transaction=False) as pipe:
        for i in range(30_000):
            pipe.set(f"short:{i}", i, px=1 + i % 1_500)
            pipe.hset(f"gone:{i}", "f", i)
            pipe.pexpire(f"gone:{i}", 1 + i % 1_500)
        pipe.execute()
    status, out, err = copy(sluice_bin, redis_server, sluice)
    assert status == 0 and summary(out)[2] == 0, (out, err)
    wait_for(lambda: not contents(sluice.client()), 20, "everything has expired")


class Adder(threading.Thread):
    """A client that adds to keys of the target as soon as they are there."""

    def __init__(self, target, keys):
        super().__init__(daemon=True)
        self.target, self.keys = target, keys
        self.added = dict.fromkeys(keys, 0)
        self.over = threading.Event()

    def run(self):
        chance = random.Random(3)
        redis = self.target.client()
        while not self.over.is_set():
            key = chance.choice(self.keys)
            if key.startswith("n:") and redis.exists(key):
                redis.incr(key)
                self.added[key] += 1
            elif key.startswith("h:") and redis.hexists(key, "n"):
                redis.hincrby(key, "n", 1)
                self.added[key] += 1


def test_a_copy_that_is_killed_applies_nothing_twice(sluice, sluice_bin, redis_server):
    redis = redis_server.client()
    keys = [f"n:{i}" for i in range(8_000)] + [f"h:{i}" for i in range(2_000)]
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            if key.startswith("n:"):
                pipe.set(key, 1000)
            else:
                pipe.hset(key, mapping={"n": 1000, "x": "y"})
                pipe.pexpire(key, 3_600_000)
        for i in range(2):
            pipe.hset(f"large:{i}", mapping={f"f:{n}": n for n in range(3_000)})
            pipe.pexpire(f"large:{i}", 3_600_000)
        pipe.execute()
    adder = Adder(sluice, keys)
    adder.start()
    chance = random.Random(11)
    kills, words = 0, []
    while True:
        process = start_copy(sluice_bin, redis_server, sluice, "--count", 20, *words)
        words = ["--resume"]
        try:
            # Longer each time: on a slow machine a start alone takes more than the first of them.
            out, err = process.communicate(timeout=chance.uniform(0.02, 0.12 + 0.02 * kills))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, (out, err)
        break
    adder.over.set()
    adder.join()
    assert kills > 2
    assert summary(out) == (len(keys) + 2, len(keys) + 2, 0)
    target = sluice.client()
    for key in keys:
        held = target.get(key) if key.startswith("n:") else target.hget(key, "n")
        assert int(held) == 1000 + adder.added[key], key
        assert (target.pttl(key) > 0) == key.startswith("h:"), key
    for i in range(2):
        assert target.hlen(f"large:{i}") == 3_000 and target.pttl(f"large:{i}") > 0


def test_a_run_that_ends_before_its_first_page(sluice, sluice_bin, redis_server):
    """Goal: --resume begins with the first page, also where a run before it had copied everything.
    Method: a source that does not take SCAN for a while; tried without the state in what Begin
    stores."""
    redis, target = redis_server.client(), sluice.client()
    for words, value in (([], b"1"), (["--restart"], b"2")):
        for i in range(50):
            redis.set(f"k:{i}", value)
        redis.execute_command("ACL", "SETUSER", "default", "-scan")
        code, _, err = copy(sluice_bin, redis_server, sluice, *words)
        assert code == 1 and "--resume" in err, err
        redis.execute_command("ACL", "SETUSER", "default", "+scan")
        code, out, err = copy(sluice_bin, redis_server, sluice, "--resume")
        assert code == 0, err
        assert summary(out) == (50, 50, 0)
        assert {target.get(f"k:{i}") for i in range(50)} == {value}


def test_a_copy_goes_on_through_a_killed_server(sluice, sluice_bin, redis_server):
    fill(redis_server.client(), rows=3_000)
    process = start_copy(sluice_bin, redis_server, sluice, "--count", 20)
    for _ in range(2):
        before = sluice.client().dbsize()
        wait_for(lambda: process.poll() is not None or sluice.client().dbsize() > before + 500, 30,
                 "the copy moves")
        sluice.restart(kill=True)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, (out, err)
    same(contents(redis_server.client()), contents(sluice.client()))


def test_a_stopped_copy_says_how_to_go_on(sluice, sluice_bin, redis_server):
    fill(redis_server.client(), rows=3_000)
    process = start_copy(sluice_bin, redis_server, sluice, "--count", 20)
    wait_for(lambda: sluice.client().dbsize() > 200, 30, "the copy moves")
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "--resume" in err, (out, err)
    assert copy(sluice_bin, redis_server, sluice)[0] == 2, "a decision is wanted"
    status, out, err = copy(sluice_bin, redis_server, sluice, "--resume")
    assert status == 0 and "done by earlier runs" in out, (out, err)
    same(contents(redis_server.client()), contents(sluice.client()))
