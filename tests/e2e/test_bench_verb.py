"""`sluice bench`: its figures are true, also when the server is slow.

A server of this test's own counts what it gets and stalls where it is told to.
"""

import json
import os
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree as xml

import pytest
from servers import wait_for


class StallingServer:
    """Gives each command of exactly `size` bytes one answer; stalls once, for all connections."""

    def __init__(self, size, stall_at=None, stall_seconds=0.0, answer=b"+OK"):
        self.size, self.answer = size, answer
        self.stall_at, self.stall_seconds = stall_at, stall_seconds
        self.commands = 0
        self.begun = None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        left = 0
        while True:
            received = connection.recv(65536)
            if not received:
                return
            count, left = divmod(left + len(received), self.size)
            # One lock for all of it: while one connection stalls, every other one waits.
            with self.lock:
                self.begun = self.begun or time.monotonic()
                self.commands += count
                if self.stall_at and time.monotonic() - self.begun > self.stall_at:
                    self.stall_at = None
                    time.sleep(self.stall_seconds)
            connection.sendall((self.answer + b"\r\n") * count)

    def close(self):
        self.listener.close()


def bench(sluice_bin, *words, status=0):
    done = subprocess.run(
        [sluice_bin, "bench", *map(str, words)], capture_output=True, text=True, timeout=50,
        check=False,
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done


def result(sluice_bin, *words, status=0):
    return json.loads(bench(sluice_bin, *words, "--json", status=status).stdout)


@pytest.mark.release_only
def test_a_stall_is_seen_by_all_that_was_due_meanwhile(sluice_bin):
    """Goal: no coordinated omission. Method: 1,000 commands a second for 3 s over 8 connections,
    and a server that answers none for 300 ms. 300 commands, a tenth of all, are due in the stall,
    and only 8 of them are sent before it ends. Measured from sending, p99 would be that of a quick
    server (tried: it was 0.5 ms); measured from when they were due, p99 is nearly the stall.
    """
    request = len(b"*1\r\n$4\r\nPING\r\n")
    server = StallingServer(request, stall_at=1.0, stall_seconds=0.3)
    try:
        found = result(sluice_bin, "--do", "PING", "--rate", 1000, "--seconds", 3,
                       "--connections", 8, "--port", server.port)
    finally:
        server.close()
    assert found["due"] == found["answered"] == server.commands == 3000
    assert found["latency_us"]["p99"] > 200_000
    assert found["latency_us"]["max"] > 290_000
    # A tenth waited, evenly from 300 ms down to nothing: half of all were quick.
    assert found["latency_us"]["p50"] < 50_000
    # The stall is the server's doing, not the generator's.
    assert found["generator_us"]["p99"] < 100_000
    assert max(sample["max_us"] for sample in found["timeline"]) > 290_000


@pytest.mark.release_only
def test_what_did_not_go_out_in_time_stays(sluice_bin):
    """Goal: with --drain 0 nothing goes out after the run, and all that did is awaited. Method: a
    server that stalls over the end of the run. Tried: with a drain of 1 s, all went out."""
    server = StallingServer(len(b"*1\r\n$4\r\nPING\r\n"), stall_at=0.7, stall_seconds=0.8)
    try:
        found = result(sluice_bin, "--do", "PING", "--rate", 1000, "--seconds", 1, "--drain", 0,
                       "--connections", 8, "--port", server.port, status=1)
    finally:
        server.close()
    assert found["due"] == 1000
    assert found["answered"] == server.commands == 1000 - found["unanswered"]
    assert 100 < found["unanswered"] < 400


@pytest.mark.release_only
def test_a_server_that_never_answers_is_not_a_fast_one(sluice_bin):
    """Goal: what was never answered counts. Method: a listener that reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = result(sluice_bin, "set", "--rate", 100, "--seconds", 1, "--connections", 2,
                       "--port", port, status=1)
    assert (found["answered"], found["unanswered"]) == (0, 100)
    assert found["latency_us"]["p50"] > 1_400_000, "their age when the bench gave up"


def test_scenarios_do_what_they_say(sluice_bin, sluice, redis_server):
    """Goal: any Redis server can be measured, and gets exactly the commands that were due.
    Method: each scenario, against Redis or Sluice; what is there afterwards."""
    at = ["--rate", 2000, "--seconds", 1, "--keys", 50, "--port", sluice.port]
    client = sluice.client()
    assert result(sluice_bin, "set", *at, "--value-bytes", 33)["answered"] == 2000
    assert client.strlen("key:000000000007") == 33
    mixed = result(sluice_bin, "cache", *at)
    reads, writes = (each["latency_us"]["count"] for each in mixed["commands"])
    assert reads + writes == 2000 and 1400 < reads < 1800, "80 % of them"
    at[-1] = redis_server.port
    client = redis_server.client()
    assert result(sluice_bin, "get", *at, "--pipeline", 16)["answered"] == 2000
    assert result(sluice_bin, "incr", *at, "--connections", 3)["answered"] == 2000
    assert sum(int(client.get(f"counter:{key:012}") or 0) for key in range(50)) == 2000
    numbered = result(sluice_bin, *at, "--do", "HSET numbered {n} {key}")
    assert numbered["answered"] == client.hlen("numbered") == 2000


def test_errors_are_told_and_fail(sluice_bin, redis_server):
    """Goal: an error is never taken for a fast answer. Method: INCR of what is no number."""
    redis_server.client().set("text", "abc")
    at = ["--do", "3:PING", "--do", "INCR text", "--rate", 400, "--seconds", 1,
          "--port", redis_server.port]
    found = result(sluice_bin, *at, status=1)
    assert found["answered"] + found["errors"]["ERR"] == 400
    assert found["latency_us"]["count"] == found["answered"]
    assert "error ERR" in bench(sluice_bin, *at, status=1).stdout


def test_refusals_are_no_errors_and_not_sent_again(sluice_bin):
    """Goal: a refusal counts by its reason, apart from errors, and is not tried again. Method: a
    server that refuses everything; what it got."""
    request = len(b"*1\r\n$4\r\nPING\r\n")
    server = StallingServer(
        request, answer=b"-OVERLOADED reason=log class=normal retry_ms=7 applied=no")
    try:
        found = result(sluice_bin, "--do", "PING", "--rate", 500, "--seconds", 1, "--port",
                       server.port)
    finally:
        server.close()
    assert found["refusals"] == {"OVERLOADED reason=log": 500}
    assert (found["answered"], found["errors"], found["refused"]) == (0, {}, 500)
    assert server.commands == 500
    assert found["latency_us"]["count"] == 0 < found["refusal_us"]["count"]


@pytest.mark.parametrize("scenario", ["likes", "flash-sale", "chat", "mixed"])
def test_increments_are_counted(sluice_bin, sluice, scenario):
    """Goal: what was acknowledged is what was applied, and the bench says so. Method: each scenario
    with counters, on a server that has some of them already; all streams do their part."""
    sluice.client().set("likes:000000000003", 1000)
    at = [scenario, "--rate", 4800, "--seconds", 1, "--pipeline", 4, "--keys", 500, "--port",
          sluice.port]
    text = bench(sluice_bin, *at).stdout
    applied = next(line for line in text.splitlines() if line.startswith("applied")).split()
    assert applied[1] == applied[3] and int(applied[1]) > 0, text
    found = result(sluice_bin, *at)
    assert found["applied"] == found["acknowledged"] == sum(
        each["latency_us"]["count"] for each in found["commands"]
        if each["command"].startswith("INCR"))
    streams = found["streams"].values()
    assert sum(stream["due"] for stream in streams) == found["due"] == 4800
    assert all(stream["answered"] == stream["due"] for stream in streams)
    if scenario == "flash-sale":
        assert found["streams"]["hot item"]["due"] == 1000, "25 of 120 parts"
        assert "0.04 times the 120000" in text


def test_a_lost_or_doubled_increment_is_found(sluice_bin, redis_server):
    """Goal: applied and acknowledged that differ end the bench with 1. Method: somebody else
    increments one of its counters meanwhile; the difference is what that one did."""
    client = redis_server.client()
    running = subprocess.Popen(
        [sluice_bin, "bench", "likes", "--rate", "500", "--seconds", "2", "--json", "--port",
         str(redis_server.port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for(lambda: client.exists("likes:000000000000"), 20, "the bench has begun")
    client.incrby("likes:000000000000", 5)
    output, _ = running.communicate(timeout=50)
    found = json.loads(output)
    assert running.returncode == 1
    assert (found["acknowledged"], found["applied"]) == (1000, 1005)


def test_classes_are_told(sluice_bin, redis_server):
    """Goal: a server that knows no classes is measured all the same, and the report says so.
    Method: Redis."""
    at = ["mixed", "--rate", 1000, "--seconds", 1, "--port", redis_server.port]
    assert "does not take SLUICE PRIORITY" in bench(sluice_bin, *at).stdout
    found = result(sluice_bin, *at)
    assert "unknown command" in found["priority_refused"]
    assert {name: stream["due"] for name, stream in found["streams"].items()} == {
        "critical": 33, "normal": 667, "low": 300}


def test_a_chart_is_drawn(sluice_bin, redis_server, tmp_path):
    """Goal: --svg writes a drawing of what the run brought, that stands alone. Method: steps of a
    rate; it parses, has its panels, its legend and its lines, and names nothing from elsewhere."""
    path = tmp_path / "chart.svg"
    found = result(sluice_bin, "mixed", "--rate", 1000, "--steps", "0.5,2", "--seconds", 2,
                   "--sample-ms", 250, "--svg", path, "--port", redis_server.port)
    due = [sample["due"] for sample in found["timeline"]]
    assert len(due) >= 8 and sum(due[:4]) == 500 and sum(due[4:8]) == 2000
    drawing = xml.parse(path).getroot()
    words = [text for text in drawing.itertext() if text.strip()]
    for word in ("mixed", "critical", "normal", "low", "due, all together", "Answered, /s",
                 "p99 from due to reply, ms", "Refused, /s", "seconds", "none"):
        assert word in words
    lines = [each for each in drawing.iter() if each.get("class", "").startswith("line")]
    assert len(lines) == 4 + 4 * 3 + 1, "legend, four panels of three classes, what was due"
    assert "href" not in path.read_text() and "script" not in path.read_text()
    redis_server.client().flushall()
    assert str(tmp_path) in bench(
        sluice_bin, "set", "--rate", 10, "--seconds", 1, "--port", redis_server.port, "--svg",
        tmp_path / "no" / "such.svg", status=2).stderr
    assert redis_server.client().dbsize() == 0, "nothing was sent for a chart that cannot be kept"


def test_configurations_are_complete(sluice_bin, tmp_path):
    """Goal: what --print-config prints is a configuration. Method: `sluice check` of each."""
    for scenario in ("set", "likes", "flash-sale", "chat", "iot", "burst", "mixed"):
        config = tmp_path / f"{scenario}.toml"
        config.write_text(bench(sluice_bin, scenario, "--print-config").stdout)
        done = subprocess.run([sluice_bin, "check", config], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
def test_it_is_pinned(sluice_bin, redis_server):
    """Goal: --cpu keeps the generator on one processor."""
    cpu = max(os.sched_getaffinity(0))
    running = subprocess.Popen(
        [sluice_bin, "bench", "set", "--rate", "100", "--seconds", "2", "--cpu", str(cpu), "--port",
         str(redis_server.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: os.sched_getaffinity(running.pid) == {cpu}, 20, "it is pinned")
    finally:
        assert running.wait(50) == 0


def test_usage(sluice_bin, redis_server):
    """Goal: what cannot be meant exits with 2 and says why; a server that is not there, with 1."""
    for words, why in (
        ([], "name a scenario"),
        (["set", "--do", "PING"], "a scenario, 'set', and commands of --do"),
        (["set", "--steps", "1,,2"], '"" is no number from 0 to 1000'),
        (["set", "--steps", "0"], "nothing would be sent"),
        (["nosuch"], "no scenario 'nosuch'"),
        (["--do", "GET {k}"], "none of {key}, {n}, {value}"),
        (["set", "--rate", "0"], "--rate"),
        (["set", "--url", "http://x"], "redis://"),
        (["set", "--rate", "5", "--scale", "2"], "--scale"),
        (["burst", "--steps", "1,2"], "no --steps"),
        (["set", "--cpu", "1000"], "--cpu"),
        (["nosuch", "--print-config"], "--print-config"),
    ):
        assert why in bench(sluice_bin, *words, status=2).stderr
    assert "Scenarios:" in bench(sluice_bin, "--help").stdout
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert str(port) in bench(sluice_bin, "set", "--port", port, status=1).stderr
    at = ["--url", f"redis://127.0.0.1:{redis_server.port}", "--rate", 100, "--seconds", 1]
    assert "there is none in 1 s" in bench(sluice_bin, "burst", *at).stderr
    text = bench(sluice_bin, "set", *at).stdout
    assert "100 were due: 100 answered, 0 refused, 0 errors, 0 without a reply" in text
