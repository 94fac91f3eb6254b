"""Limits of keyspaces, clients and segments, as real clients meet them.

Goal:   over all lanes and connections together a limit admits exactly its burst, and afterwards
        its rate; what is admitted is applied and what is refused is not; limits change under load,
        by CONFIG SET and SIGHUP, without a connection lost; observing refuses nothing and counts.
Method: a server of two lanes and clients on threads. Where numbers must be exact, limits fill by
        the hour, so that the run itself gives nothing back.
"""

import re
import signal
import threading
import time

import pytest
import redis

from servers import wait_for

KEYSPACE = '[keyspace.likes]\nkey = "likes:{post_id}:{user}"\nshards = 8\n'
LANES = "[server]\nlanes = 2\n"
REFUSAL = re.compile(r"^THROTTLED reason=(\w+) scope=(\S+) retry_ms=(\d+) applied=no$")
USERS = "".join(
    f'[user.{name}]\npassword_sha256 = '
    '"8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918"\n'
    'commands = ["read", "write", "admin"]\n' for name in ("app", "job"))


def refusal(error):
    found = REFUSAL.match(str(error))
    assert found, error
    return found.group(1), found.group(2), int(found.group(3))


class Writer(threading.Thread):
    """Writes keys of its own until it is told to stop, or has tried often enough."""

    def __init__(self, server, number, tries=None):
        super().__init__()
        self.client = server.client()
        self.number, self.tries = number, tries
        self.stop = threading.Event()
        self.applied, self.refused, self.lost = [], 0, None

    def run(self):
        done = 0
        try:
            while not self.stop.is_set() and (self.tries is None or done < self.tries):
                key = f"likes:{done}:{self.number}"
                done += 1
                try:
                    self.client.set(key, "v")
                    self.applied.append(key)
                except redis.ResponseError as error:
                    refusal(error)
                    self.refused += 1
        except redis.RedisError as error:
            self.lost = error


def run_writers(server, tries, count=6):
    writers = [Writer(server, number, tries) for number in range(count)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert all(writer.lost is None for writer in writers)
    return writers


def metric(server, name, reason):
    text = server.http("/metrics")[1]
    found = re.search(
        rf'^{name}{{[^}}]*keyspace="likes"[^}}]*reason="{reason}"[^}}]*}} (\d+)', text, re.M)
    assert found, text
    return int(found.group(1))


def test_a_burst_is_exact_over_lanes_and_connections(start_sluice):
    server = start_sluice(LANES + KEYSPACE + 'limit = "1/h burst 24"\n')
    writers = run_writers(server, tries=100)
    applied = [key for writer in writers for key in writer.applied]
    assert len(applied) == 24
    assert sum(writer.refused for writer in writers) == 576
    client = server.client()
    assert sorted(key.decode() for key in client.scan_iter("likes:*")) == sorted(applied)
    assert metric(server, "sluice_admit_refused_total", "limit") == 576
    # A restart gives the burst anew: limits are not durable.
    server.restart()
    assert sum(len(writer.applied) for writer in run_writers(server, tries=20)) == 24


@pytest.mark.release_only
def test_a_rate_holds_over_the_node(start_sluice):
    server = start_sluice(LANES + KEYSPACE + 'limit = "1000/s burst 1"\n')
    began = time.monotonic()
    writers = [Writer(server, number) for number in range(6)]
    for writer in writers:
        writer.start()
    wait_for(lambda: sum(len(writer.applied) for writer in writers) >= 1500, 60, "1,500 writes")
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join()
    elapsed = time.monotonic() - began
    applied = sum(len(writer.applied) for writer in writers)
    assert applied <= 1000 * elapsed * 1.001 + 1 + 6, (applied, elapsed)


def test_limits_change_under_load(start_sluice):
    server = start_sluice(LANES + KEYSPACE + 'limit = "24/h burst 5"\n')
    admin = server.client()
    writers = [Writer(server, number) for number in range(4)]
    for writer in writers:
        writer.start()

    def applied():
        return sum(len(writer.applied) for writer in writers)

    def refused():
        return sum(writer.refused for writer in writers)

    def after_refusals():
        """What is applied, once 200 more were refused and each writer has noted its last reply."""
        before = refused()
        wait_for(lambda: refused() > before + 200, 60, "refusals")
        noted = [writer.refused for writer in writers]
        wait_for(lambda: all(writer.refused > n + 1 for writer, n in zip(writers, noted)), 60,
                 "a reply to each")
        return applied()

    assert after_refusals() == 5
    admin.config_set("keyspace.likes.limit", "24/h burst 300")
    assert after_refusals() == 300, "a larger burst helps at once"
    admin.config_set("keyspace.likes.limit", "24/h burst 2")
    assert after_refusals() == 300, "a smaller one as well"
    admin.config_set("keyspace.likes.limit_mode", "observe")
    before = applied()
    wait_for(lambda: applied() > before + 500, 60, "writes that are only observed")
    assert metric(server, "sluice_admit_observed_total", "limit") >= 500
    admin.config_set("keyspace.likes.limit_mode", "enforce")
    stopped = after_refusals()
    assert after_refusals() == stopped
    admin.config_set("keyspace.likes.limit", "none")
    wait_for(lambda: applied() > stopped + 500, 60, "writes without a limit")
    config = server.config_file
    config.write_text(config.read_text().replace("24/h burst 5", "1/h burst 1"))
    server.signal(signal.SIGHUP)
    wait_for(lambda: admin.config_get("keyspace.likes.limit")["keyspace.likes.limit"]
             == "1/h burst 1", 30, "the file's limit")
    stopped = after_refusals()
    assert after_refusals() == stopped
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join()
        assert writer.lost is None
    kept = sum(1 for _ in admin.scan_iter("likes:*", count=1000))
    assert kept == applied()


def test_each_user_and_each_value_has_its_own(start_sluice):
    server = start_sluice(
        LANES + KEYSPACE + 'client_limit = "1/h burst 10"\n'
        'limit_by = { segment = "post_id", rate = "1/h burst 4" }\n' + USERS,
        username="app", password="admin")

    def write(client, post, tries):
        """How many passed, and what the first refusal said."""
        passed = 0
        for i in range(tries):
            try:
                client.set(f"likes:{post}:{i}", "v")
                passed += 1
            except redis.ResponseError as error:
                return passed, refusal(error)[:2]
        return passed, None

    app = [server.client(username="app", password="admin") for _ in range(4)]
    job = server.client(username="job", password="admin")
    assert write(app[0], "p1", 9) == (4, ("limit_by", "likes/post_id:p1"))
    assert write(job, "p1", 9) == (0, ("limit_by", "likes/post_id:p1"))
    assert write(app[1], "a b", 9) == (4, ("limit_by", "likes/post_id:a\\x20b"))
    assert write(app[2], "p3", 9) == (2, ("client_limit", "likes/user:app"))
    assert write(app[3], "p4", 9) == (0, ("client_limit", "likes/user:app"))
    assert write(job, "p3", 9) == (2, ("limit_by", "likes/post_id:p3"))
    why = app[3].execute_command("SLUICE", "WHY")
    assert dict(zip(why[0][::2], why[0][1::2])) | {b"ms_ago": 0, b"retry_ms": b""} == {
        b"outcome": b"refused", b"command": b"set", b"times": 1, b"ms_ago": 0, b"retry_ms": b"",
        b"reason": b"client_limit", b"scope": b"likes/user:app", b"applied": b"no"}


def test_commands_over_several_keys_and_tokens(start_sluice):
    server = start_sluice(LANES + KEYSPACE + 'limit = "1/h burst 10"\n'
                          '[keyspace.carts]\nkey = "cart:{id}"\nlimit = "1/h burst 10"\n')
    client = server.client()
    assert client.execute_command("SLUICE", "ONCE", "t1", "INCR", "likes:1:u") == 1
    assert client.mset({f"likes:{i}:u": "v" for i in range(2, 10)})
    for i in range(5):
        with pytest.raises(redis.ResponseError, match="^THROTTLED reason=limit scope=likes "):
            client.mset({"likes:20:u": "v", "likes:21:u": "v", f"cart:{i}": "v"})
    with pytest.raises(redis.ResponseError, match="never pass limit of likes, whose burst is 10"):
        client.mset({f"likes:{i}:x": "v" for i in range(11)})
    assert client.mset({f"cart:{i}": "v" for i in range(10)}), "nothing had been taken of it"
    assert client.incr("likes:30:u") == 1
    pipeline = client.pipeline(transaction=False)
    pipeline.set("likes:31:u", "v")
    pipeline.set("free", "v")
    pipeline.execute_command("SLUICE", "ONCE", "t1", "INCR", "likes:1:u")
    pipeline.execute_command("SLUICE", "ONCE", "t2", "INCR", "likes:1:u")
    pipeline.get("likes:1:u")
    throttled, free, known, new, value = pipeline.execute(raise_on_error=False)
    assert refusal(throttled)[0] == "limit" and refusal(new)[0] == "limit"
    assert (free, known, value) == (True, 1, b"1")
    assert client.exists("likes:20:u", "likes:21:u", "likes:31:u") == 0
