"""What tools read of a server: INFO, LATENCY, SLOWLOG, MEMORY; and the tools of Redis themselves.

Goal:   tools made for Redis find what they look for, and say clearly what they do not find.
Method: the same questions to Debian's redis-server and to Sluice, compared where they should agree;
        redis-cli and redis-benchmark as they come.
"""

import os
import pty
import re
import select
import subprocess

import pytest

from resp import Connection, Error
from servers import RedisServer, Sluice, wait_for


@pytest.fixture(scope="module")
def servers(sluice_bin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tools")
    with RedisServer(directory / "redis").start() as redis:
        with Sluice(sluice_bin, directory / "sluice").start() as sluice:
            yield redis, sluice
            sluice.stop()
            sluice.check_stderr()


@pytest.fixture
def pair(servers):
    pair = [Connection(server.port) for server in servers]
    yield pair
    for connection in pair:
        connection.close()


def tool(server, *words, stdin=None, seconds=50):
    done = subprocess.run([words[0], "-p", str(server.port), *words[1:]], input=stdin,
                          capture_output=True, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


# --- INFO ---

@pytest.mark.parametrize("words", [
    (), ("default",), ("all",), ("everything",), ("server",), ("modules",), ("SERVER", "keyspace"),
    ("memory", "nothing"), ("errorstats", "commandstats", "latencystats"), ("nothing",),
])
def test_sections_of_info(pair, words):
    for connection in pair:
        connection.call("SET", "k", "v")
        assert isinstance(connection.call("GET")[0], Error)
    titles = [re.findall(rb"(?m)^# (\w+)", connection.call("INFO", *words)[0])
              for connection in pair]
    assert [title for title in titles[1] if title != b"Sluice"] == titles[0]


# What redis_exporter, the agents of monitoring services and client libraries read.
FIELDS = """
redis_version redis_mode os process_id run_id tcp_port uptime_in_seconds uptime_in_days hz
connected_clients blocked_clients maxclients tracking_clients used_memory used_memory_human
used_memory_rss used_memory_peak used_memory_peak_perc used_memory_lua maxmemory maxmemory_policy
mem_fragmentation_ratio mem_allocator total_system_memory lazyfree_pending_objects loading
rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status
rdb_last_bgsave_time_sec aof_enabled aof_rewrite_in_progress aof_last_bgrewrite_status
aof_last_write_status total_connections_received total_commands_processed instantaneous_ops_per_sec
total_net_input_bytes total_net_output_bytes instantaneous_input_kbps instantaneous_output_kbps
rejected_connections expired_keys evicted_keys pubsub_channels pubsub_patterns latest_fork_usec
total_error_replies role connected_slaves master_repl_offset master_replid repl_backlog_size
used_cpu_sys used_cpu_user cluster_enabled db0
"""


def test_fields_that_tools_read(servers):
    for server in servers:
        redis = server.client()
        redis.set("k", "v")
        info = redis.info("all")
        missing = [name for name in FIELDS.split() if name not in info]
        assert not missing
        assert info["used_memory"] <= info["used_memory_rss"] * 2
        assert info["db0"]["keys"] >= 1


def test_what_happened_is_counted(servers):
    sluice = servers[1]
    redis = sluice.client()
    redis.config_resetstat()
    for _ in range(50):
        redis.get("k")
    redis.set("text", "x")
    for _ in range(3):
        with pytest.raises(Exception):
            redis.incr("text")
    with pytest.raises(Exception):
        redis.execute_command("HGET", "text", "f")
    info = redis.info("everything")
    assert info["cmdstat_get"]["calls"] == 50
    assert info["latency_percentiles_usec_get"]["p99"] > 0
    # An error that another lane answers is counted where it is sent.
    assert (info["errorstat_ERR"], info["errorstat_WRONGTYPE"]) == ("count=3", "count=1")
    assert info["total_error_replies"] == 4
    histogram = redis.execute_command("LATENCY", "HISTOGRAM", "get", "nothing", "hdel")
    assert histogram[0] == b"get" and len(histogram) == 2
    counts = dict(zip(histogram[1][0::2], histogram[1][1::2]))
    assert counts[b"calls"] == 50
    bounds, sums = counts[b"histogram_usec"][0::2], counts[b"histogram_usec"][1::2]
    assert list(bounds) == sorted(bounds) and list(sums) == sorted(sums) and sums[-1] == 50
    redis.config_resetstat()
    assert "cmdstat_get" not in redis.info("commandstats")
    assert "errorstat_ERR" not in redis.info("errorstats")

    with redis.pipeline(transaction=False) as pipe:
        for _ in range(2_000):
            pipe.get("k")

        def rate():
            pipe.execute() if pipe.command_stack else None
            for _ in range(500):
                pipe.get("k")
            return redis.info("stats")["instantaneous_ops_per_sec"] > 0

        wait_for(rate, 20, "a rate is shown")


# --- LATENCY, SLOWLOG, MEMORY ---

@pytest.mark.parametrize("words", [
    "LATENCY LATEST", "LATENCY HISTORY command", "LATENCY HISTORY x", "LATENCY GRAPH command",
    "LATENCY RESET", "LATENCY RESET x y", "LATENCY HISTOGRAM nothing", "LATENCY HISTORY",
    "LATENCY X", "SLOWLOG LEN", "SLOWLOG RESET", "SLOWLOG GET -2", "SLOWLOG GET x",
    "SLOWLOG GET 1 2", "MEMORY USAGE nothing", "MEMORY USAGE", "MEMORY USAGE k SAMPLES",
    "MEMORY USAGE k SAMPLES x", "MEMORY USAGE k SAMPLES -1", "MEMORY USAGE k X 1", "MEMORY PURGE",
    "MEMORY X", "CONFIG SET latency-monitor-threshold -1", "CONFIG SET latency-monitor-threshold x",
    "CONFIG SET latency-monitor-threshold 0", "CONFIG GET latency-monitor-threshold",
    "CONFIG GET latency-tracking", "CONFIG GET latency-tracking-info*",
    "CONFIG SET slowlog-log-slower-than -2",
    "CONFIG SET slowlog-max-len 128 slowlog-log-slower-than 10000",
])
def test_answers_as_redis_does(pair, words):
    replies = [connection.call(*words.split()) for connection in pair]
    assert replies[1] == replies[0]


@pytest.mark.parametrize("name", ["LATENCY", "SLOWLOG", "MEMORY", "COMMAND", "CLIENT", "CONFIG"])
def test_help_names_every_subcommand(pair, name):
    lines = pair[1].call(name, "HELP")[0]
    named = {word.lower().rstrip(b",") for line in lines if not line.startswith(b" ")
             for word in line.replace(b"|", b" ").split()}
    (entry,) = pair[1].call("COMMAND", "INFO", name)[0]
    for sub in entry[9]:
        word = sub[0].split(b"|")[1]
        assert word in named or word in {b"pause", b"unpause", b"rewrite", b"tracking",
                                         b"unblock"}, word


def test_spikes_and_slow_commands(servers):
    redis = servers[1].client()
    redis.config_set("slowlog-log-slower-than", 0)
    redis.config_set("latency-monitor-threshold", 1)
    try:
        redis.slowlog_reset()
        redis.execute_command("LATENCY", "RESET")
        redis.hset("big", mapping={f"f{i}": "v" * 20 for i in range(20_000)})

        def spike():
            redis.hset("big", mapping={f"f{i}": "w" * 20 for i in range(20_000)})
            return redis.execute_command("LATENCY", "LATEST")

        (event,) = wait_for(spike, 20, "HSET of 20,000 fields takes a millisecond")
        name, second, latest, highest = event
        assert name in (b"command", b"fast-command") and 1 <= latest <= highest
        history = redis.execute_command("LATENCY", "HISTORY", name)
        assert [second, latest] in [list(sample) for sample in history]
        assert name in redis.execute_command("LATENCY", "GRAPH", name)
        assert name in redis.execute_command("LATENCY", "DOCTOR")
        assert redis.execute_command("LATENCY", "RESET", "nothing", name) == 1
        assert redis.execute_command("LATENCY", "LATEST") == []

        entries = redis.slowlog_get(-1)
        assert redis.slowlog_len() >= len(entries) > 1
        assert [entry["id"] for entry in entries] == sorted(
            (entry["id"] for entry in entries), reverse=True)
        assert len(redis.slowlog_get(1)) == 1
        assert any(entry["command"].startswith(b"HSET big") for entry in entries)
        redis.config_set("slowlog-max-len", 2)
        redis.ping()
        assert redis.slowlog_len() == 2
    finally:
        redis.config_set("slowlog-log-slower-than", 10_000)
        redis.config_set("slowlog-max-len", 128)
        redis.config_set("latency-monitor-threshold", 0)


def test_memory(servers):
    redis = servers[1].client()
    redis.set("ten", "v" * 10_000)
    assert 10_000 <= redis.memory_usage("ten") < 10_500
    stats = redis.memory_stats()
    assert stats["total.allocated"] > 0 and stats["keys.count"] >= 1
    assert redis.memory_purge()
    assert redis.info("memory")["mem_allocator"] in ("jemalloc", "libc")  # libc: with sanitizers
    assert isinstance(redis.execute_command("MEMORY", "MALLOC-STATS"), bytes)
    assert b"server.memory" in redis.execute_command("MEMORY", "DOCTOR")


# --- The tools of Redis. ---

def test_redis_cli(servers):
    redis = servers[1].client()
    redis.flushall()
    with redis.pipeline(transaction=False) as pipe:
        for i in range(2_000):
            pipe.set(f"key:{i}", "v" * (i % 100))
        pipe.hset("hash:wide", mapping={f"f{i}": i for i in range(500)})
        pipe.execute()
    server = servers[1]
    status, out, _ = tool(server, "redis-cli", "--scan", "--pattern", "key:1?")
    assert status == 0 and sorted(out.split()) == [b"key:%d" % i for i in range(10, 20)]
    status, out, err = tool(server, "redis-cli", "--bigkeys")
    assert status == 0 and b"hash:wide" in out and b"500 fields" in out, (out, err)
    status, out, err = tool(server, "redis-cli", "--memkeys", "--memkeys-samples", "0")
    assert status == 0 and b"hash:wide" in out, (out, err)
    status, out, _ = tool(server, "redis-cli", "-r", "3", "-i", "0.1", "info", "clients")
    assert status == 0 and out.count(b"connected_clients") == 3
    requests = b"".join(b"*3\r\n$3\r\nSET\r\n$4\r\np:%02d\r\n$1\r\nv\r\n" % i for i in range(50))
    status, out, err = tool(server, "redis-cli", "--pipe", stdin=requests)
    assert status == 0 and b"errors: 0, replies: 50" in out, (out, err)
    status, out, _ = tool(server, "redis-cli", "monitor", stdin=b"")
    assert b"'MONITOR' is not offered by Sluice" in out


@pytest.mark.parametrize("words, expected", [
    (("--stat", "-i", "0.1"), rb"\n2\d\d\d +\d"), (("--latency",), rb"min: \d+, max: \d+, avg: "),
    (("--latency-history", "-i", "1"), rb"avg: "), (("--latency-dist", "-i", "1"), rb"\d"),
])
def test_redis_cli_on_a_terminal(servers, words, expected):
    servers[1].client().flushall()
    servers[1].client().mset({f"stat:{i}": i for i in range(2_100)})
    screen, terminal = pty.openpty()
    process = subprocess.Popen(["redis-cli", "-p", str(servers[1].port), *words],
                               stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal)
    seen = b""

    def shows():
        nonlocal seen
        if select.select([screen], [], [], 0.1)[0]:
            seen += os.read(screen, 1 << 16).replace(b"\r\n", b"\n")
        return re.search(expected, seen)

    try:
        wait_for(shows, 20, f"redis-cli {words} shows something; it showed {seen[-500:]!r}")
    finally:
        process.kill()
        process.wait()
        os.close(screen)
        os.close(terminal)


def test_hints_of_redis_cli_come_from_the_command_table(servers):
    """redis-cli knows Redis' commands by itself; of others it asks COMMAND when it starts."""
    server = servers[1]
    status, out, _ = tool(server, "redis-cli", "help", "sluice")
    assert status == 0 and b"SLUICE" in out.upper(), out


# What each test of redis-benchmark asks for. Those that are not offered answer an error.
OFFERED = {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "HSET", "MSET (10 keys)"}
NOT_OFFERED = {"LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "SPOP", "ZADD", "ZPOPMIN", "LRANGE_100",
               "LRANGE_300", "LRANGE_500", "LRANGE_600"}


def test_redis_benchmark_runs_through(servers):
    """With its defaults it ends at the first error; `-t` names the tests that there are."""
    server = servers[1]
    status, out, err = tool(server, "redis-benchmark", "-n", "500", "-c", "20", "--csv", "-t",
                            "ping,set,get,incr,hset,mset")
    assert status == 0, err
    ran = {line.split(b'"')[1].decode() for line in out.splitlines()[1:]}
    assert ran == OFFERED
    status, out, err = tool(server, "redis-benchmark", "-n", "500", "-c", "20", "--csv")
    assert status == 1 and b"is not offered by Sluice" in out + err
    for name in ("lpush", "rpush", "lpop", "rpop", "sadd", "spop", "zadd", "zpopmin", "lrange"):
        status, out, err = tool(server, "redis-benchmark", "-n", "50", "-c", "5", "-t", name)
        assert status == 1 and re.search(rb"is not (offered|available)", out + err), name
    assert server.client().ping()
