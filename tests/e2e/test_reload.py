"""Settings that change while the node runs: CONFIG SET, and SIGHUP after the file changed.

Goal:   what may change does, at once, for the commands that come after it; what may not is refused
        or waits for the next start; a change that is refused changes nothing.
Method: a running server, its file rewritten in place, and the commands that each setting is about.
"""

import hashlib
import json
import signal

import pytest
import redis
from servers import wait_for

KEYSPACES = """
[keyspace.session]
key = "session:{id}"
shards = 4
%s
"""
USER = """
[user.%s]
password_sha256 = "%s"
commands = [%s]
keys = [%s]
"""


def user(name, password, commands='"read", "write", "admin"', keys='"*"'):
    return USER % (name, hashlib.sha256(password.encode()).hexdigest(), commands, keys)


def log_lines(server, event):
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if event in line.values()]


def reload(server, config, event="read again"):
    """Rewrites the file, asks for it to be read, and returns what the server said of it."""
    before = len(log_lines(server, event))
    server.config_file.write_text(config)
    server.signal(signal.SIGHUP)
    wait_for(lambda: len(log_lines(server, event)) > before, 10, f"'{event}' in the log")
    return log_lines(server, event)[-1]


def test_config_set_changes_policies(start_sluice):
    server = start_sluice(KEYSPACES % "")
    client = server.client(decode_responses=True)
    client.set("session:1", "a")
    assert client.ttl("session:1") == -1
    assert client.config_set("keyspace.session.ttl", "1h", "keyspace.session.append_only", "true")
    assert client.config_get("keyspace.session.*")["keyspace.session.ttl"] == "1h"
    assert server.api("config")["config"]["keyspace.session.append_only"] == "true"
    client.set("session:2", "b")
    assert 3590 <= client.ttl("session:2") <= 3600
    with pytest.raises(redis.ResponseError, match="append-only"):
        client.delete("session:1")
    client.config_set("keyspace.session.append_only", "false", "keyspace.session.ttl", "none")
    assert client.delete("session:1", "session:2") == 2
    client.set("session:3", "c")
    assert client.ttl("session:3") == -1
    server.restart()
    assert server.client().config_get("keyspace.session.ttl")["keyspace.session.ttl"] == "none"


def test_config_set_changes_folding(start_sluice):
    """INFO counts the writes that became a part of another's record."""
    server = start_sluice(KEYSPACES % "")
    client = server.client(decode_responses=True)

    def folded():
        before = client.info("sluice")["folded_writes"]
        with client.pipeline(transaction=False) as pipe:
            for _ in range(200):
                pipe.incr("session:hot")
            pipe.execute()
        return client.info("sluice")["folded_writes"] - before

    assert folded() > 100
    client.config_set("keyspace.session.hot_key", "off")
    assert folded() == 0
    with pytest.raises(redis.ResponseError, match="not available yet"):
        client.config_set("keyspace.session.hot_key", "split")
    client.config_set("keyspace.session.hot_key", "fold")
    assert folded() > 100
    assert client.get("session:hot") == "600"


@pytest.mark.parametrize("ack", ["memory", "durable"])
def test_config_set_changes_ack(start_sluice, ack):
    """With a group delay of a second, only a reply that waits for the disk takes that long."""
    server = start_sluice('[log]\ngroup_delay = "1s"\n')
    client = server.client()
    client.config_set("keyspace.default.ack", ack)
    before = server.http("/metrics")[1]
    client.set("k", "v")
    after = server.http("/metrics")[1]

    def groups(text):
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if line.startswith("sluice_log_records_total"))

    # The record is in the log when a durable reply is there, and not yet when one of memory is.
    assert (groups(after) > groups(before)) == (ack == "durable")
    client.config_set("log.group_delay", "0ms")
    wait_for(lambda: groups(server.http("/metrics")[1]) > groups(before), 10, "the group")


def test_config_set_refuses(start_sluice):
    server = start_sluice(KEYSPACES % "")
    client = server.client(decode_responses=True)
    before = client.config_get("*")
    for values, why in (
        (("server.memory", "2GiB"), "takes effect at the next start"),
        (("keyspace.session.key", "s:{id}"), "baked into the stored data"),
        (("keyspace.session.shards", "9"), "how things began"),
        (("keyspace.session.ttl", "soon"), "soon"),
        (("keyspace.session.ttl", "1h", "log.group_bytes", "1"), "group_bytes"),
        (("keyspace.session.ttl", "1h", "keyspace.nosuch.ttl", "1h"), "Unknown option"),
        (("maxclients", "77", "log.group_delay", "1d"), "group_delay"),
    ):
        with pytest.raises(redis.ResponseError, match=why):
            client.execute_command("CONFIG", "SET", *values)
        assert client.config_get("*") == before, values


def test_sighup_reads_the_file_again(start_sluice):
    server = start_sluice(KEYSPACES % "")
    client = server.client(decode_responses=True)
    client.config_set("log.group_delay", "1ms")
    said = reload(server, '[server]\nmemory = "2GiB"\n' + KEYSPACES % 'ttl = "1h"')
    assert "keyspace.session.ttl" in said["changed"]
    assert "log.group_delay" in said["changed"], "as the file says: the default"
    assert said["at_the_next_start"] == "server.memory"
    client.set("session:1", "a")
    assert 3590 <= client.ttl("session:1") <= 3600
    assert client.config_get("server.memory")["server.memory"] == "1GiB"
    assert client.config_get("log.group_delay")["log.group_delay"] == "0ms"
    said = reload(server, "[server]\nmemmory = 1\n", "not read again; everything stays as it was")
    assert "memory" in said["error"], "the nearest name is told"
    assert client.config_get("keyspace.session.ttl")["keyspace.session.ttl"] == "1h"


def test_sighup_changes_users(start_sluice):
    config = KEYSPACES % ""
    server = start_sluice(config)
    anonymous = server.client(decode_responses=True)
    anonymous.set("session:1", "a")
    # Users come: who is nobody from then on must log in.
    reload(server, config + user("app", "one") + user("reader", "two", '"read"', '"session:*"'))
    with pytest.raises(redis.AuthenticationError):
        anonymous.get("session:1")
    assert server.http("/metrics")[0] == 401
    app = server.client(username="app", password="one", decode_responses=True)
    reader = server.client(username="reader", password="two", decode_responses=True)
    assert app.set("x", "1") and reader.get("session:1") == "a"
    with pytest.raises(redis.exceptions.NoPermissionError):
        reader.get("x")
    # A right that is given reaches connections that are open; a password that changed ends theirs.
    bare = redis.Connection(port=server.port, username="reader", password="two")
    changed = redis.Connection(port=server.port, username="app", password="one")
    for connection in (bare, changed):
        connection.connect()
    reload(server, config + user("app", "three") + user("reader", "two", '"read"'))
    bare.send_command("GET", "x")
    assert bare.read_response() == b"1"
    changed.send_command("GET", "x")
    with pytest.raises(redis.AuthenticationError):
        changed.read_response()
    with pytest.raises(redis.ResponseError, match="WRONGPASS"):
        server.client(username="app", password="one").ping()
    assert server.client(username="app", password="three").ping()
    for connection in (bare, changed):
        connection.disconnect()
    # And they go again.
    reload(server, config)
    assert anonymous.get("session:1") == "a"
    assert server.http("/metrics")[0] == 200
