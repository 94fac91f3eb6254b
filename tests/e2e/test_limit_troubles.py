"""Limits and budgets under what users and machines do to them.

Goal:   a limit that makes no sense is refused with the reason and changes nothing; a write larger
        than any budget gets its answer at once; lowering a limit while hundreds of connections
        write takes no memory and no connection; clocks that jump neither open a limit nor close it,
        nor make the node believe that it is overloaded.
Method: real clients; a wall clock that the test sets (wall_clock.c); a process that is stopped and
        goes on, for which much time passes at once.
Tried:  a bucket without its burst (limit-time), buckets by the time of day.
"""

import re
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
import redis

from servers import wait_for
from test_limits import KEYSPACE, LANES, Writer, refusal
from wire import Wire, encode

MIB = 1 << 20
RATES = {  # what is said of each
    "0/s": "would refuse every write",
    "10/s burst 0": "would refuse every write",
    "-1/s": "not a rate",
    "1.5/s": "not a rate",
    "10/d": "per s, m or h",
    "99999999999/s": "10000000",
    "10": "not a rate|must be a rate",
    "": "not a rate",
}


def meter(server, name):
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", server.http("/metrics")[1], re.M)
    assert found, name
    return sum(map(float, found))


def resident_mib(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.parametrize("setting", ["limit", "client_limit", "limit_by"])
def test_rates_that_make_no_sense(start_sluice, sluice_bin, tmp_path, setting):
    def said(rate):
        return f'{{ segment = "post_id", rate = "{rate}" }}' if setting == "limit_by" else rate

    def in_file(rate):
        return said(rate) if setting == "limit_by" else f'"{rate}"'

    server = start_sluice(LANES + KEYSPACE + f"{setting} = {in_file('24/h burst 5')}\n")
    client = server.client()
    before = client.config_get(f"keyspace.likes.{setting}")
    for rate, words in RATES.items():
        with pytest.raises(redis.ResponseError, match=words):
            client.config_set(f"keyspace.likes.{setting}", said(rate))
        path = tmp_path / "wrong.toml"
        path.write_text(KEYSPACE + f"{setting} = {in_file(rate)}\n")
        checked = subprocess.run([sluice_bin, "check", path], capture_output=True, text=True)
        assert checked.returncode == 2, rate
        assert re.search(rf"wrong\.toml:4:\d+: .*{words}", checked.stderr), checked.stderr
    assert client.config_get(f"keyspace.likes.{setting}") == before
    assert client.set("likes:1:a", "v")


def test_a_write_larger_than_any_budget(start_sluice):
    """A value of 16 MiB is more than a group, a segment and a quarter of the memory, and is taken,
    also by a limit of one write; what is larger is refused before its bytes have come."""
    server = start_sluice('[server]\nmemory = "64MiB"\nlanes = 1\n[log]\nsegment = "1MiB"\n'
                          'group_bytes = "4KiB"\n' + KEYSPACE + 'limit = "3/h burst 3"\n')
    largest = b"v" * (16 * MIB)
    with Wire(server.port, timeout=20) as wire:
        assert wire.call("SET", "likes:1:a", largest) == b"OK"
        assert wire.call("SLUICE", "ONCE", "t", "SET", "likes:1:b", largest) == b"OK"
        assert wire.call("GET", "likes:1:b") == largest
        for i in range(8):
            assert wire.call("SET", f"other:{i}", largest) == b"OK", "past all write buffers"
        assert refusal(wire.call("MSET", "likes:1:c", "v", "likes:1:d", "v").decode())[0] == "limit"
        reply = wire.call("MSET", *(word for i in range(4) for word in (f"likes:1:{i}", "v")))
        assert reply.startswith(b"ERR 4 writes in one command can never pass limit of likes"), reply
        assert wire.call("SET", "likes:1:c", "v") == b"OK", "what was refused has taken nothing"
    with Wire(server.port, timeout=5) as wire:
        wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n" % (16 * MIB + 1))
        assert b"rotocol error" in wire.reply()
    server.restart(kill=True)
    with server.client() as client:
        assert client.get("likes:1:a") == largest and client.strlen("other:7") == 16 * MIB


class Crowd(threading.Thread):
    """Connections that send pipelines of writes without a pause and count what they hear."""

    CONNECTIONS, PIPELINE = 50, 100

    def __init__(self, server, number):
        super().__init__()
        self.wires = [Wire(server.port) for _ in range(self.CONNECTIONS)]
        self.number, self.stop = number, threading.Event()
        self.applied = self.refused = 0
        self.failure = None

    def run(self):
        request = b"".join(encode(("INCR", f"likes:{n}:{self.number}"))
                           for n in range(self.PIPELINE))
        try:
            while not self.stop.is_set():
                for wire in self.wires:
                    wire.send(request)
                for wire in self.wires:
                    for _ in range(self.PIPELINE):
                        reply = wire.reply()
                        if isinstance(reply, int):
                            self.applied += 1
                        else:
                            refusal(reply.decode())
                            self.refused += 1
        except Exception as failure:  # told to the test's own thread
            self.failure = failure


def test_lowering_a_limit_under_load(start_sluice):
    server = start_sluice(LANES + KEYSPACE)
    crowds = [Crowd(server, number) for number in range(4)]
    for crowd in crowds:
        crowd.start()
    admin = server.client()

    def heard(what):
        return sum(getattr(crowd, what) for crowd in crowds)

    wait_for(lambda: heard("applied") > 50_000, 30, "writes")
    before = resident_mib(server)
    # The second is below what one pipeline sends; by the hour, so that it gives nothing back.
    for limit in ("1000/s", "1/h burst 1"):
        admin.config_set("keyspace.likes.limit", limit)
        refused = heard("refused")
        wait_for(lambda: heard("refused") > refused + 50_000, 30, "refusals")
    assert resident_mib(server) < before + 32, "a refusal takes no memory"
    assert meter(server, "sluice_server_open_connections") >= 4 * Crowd.CONNECTIONS
    for crowd in crowds:
        crowd.stop.set()
    for crowd in crowds:
        crowd.join()
        assert crowd.failure is None, crowd.failure
        for wire in crowd.wires:
            assert wire.call("PING") == b"PONG", "no connection was closed"
            wire.close()
    values = admin.mget([f"likes:{n}:{c.number}" for c in crowds for n in range(Crowd.PIPELINE)])
    assert sum(map(int, values)) == heard("applied")


@pytest.fixture
def wall_clock(tmp_path):
    """(its environment, a function that sets it by that many seconds from now)."""
    library, offset = tmp_path / "wall_clock.so", tmp_path / "offset"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    offset.write_bytes(bytes(8))

    def set_by(seconds):
        with open(offset, "r+b") as file:
            file.write(struct.pack("<q", int(seconds * 1000)))

    return {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(offset)}, set_by


@pytest.mark.release_only  # the sanitizers want to be loaded first
def test_a_wall_clock_that_jumps(start_sluice, wall_clock):
    environment, set_by = wall_clock
    server = start_sluice(LANES + KEYSPACE + 'limit = "1/h burst 24"\n', env=environment)
    client = server.client()
    applied = 0
    for hours in (0, 1, -1, 48, -48, 24 * 365, 0):
        set_by(hours * 3600)
        told = int(client.time()[0]) - time.time()
        assert abs(told - hours * 3600) < 60, "the server has that clock"
        writers = [Writer(server, 100 * hours + n, tries=10) for n in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
            assert writer.lost is None, writer.lost
        applied += sum(len(writer.applied) for writer in writers)
        assert applied == 24, f"{hours} h"
        with pytest.raises(redis.ResponseError) as refused:
            client.set("likes:0:0", "v")
        assert 0 < refusal(refused.value)[2] <= 3_600_000
        for n in range(20):
            assert client.set(f"free:{n}", hours)
        assert not meter(server, "sluice_admit_limited")


def test_time_that_passes_at_once(start_sluice):
    """A machine that was suspended: a bucket is full then, and no fuller."""
    server = start_sluice(LANES + KEYSPACE + 'limit = "200/s burst 50"\n')
    writers = [Writer(server, number) for number in range(4)]
    began = time.monotonic()
    for writer in writers:
        writer.start()

    def applied():
        return sum(len(writer.applied) for writer in writers)

    wait_for(lambda: applied() > 100, 20, "writes")
    server.signal(signal.SIGSTOP)
    time.sleep(2)
    before, woken = applied(), time.monotonic()
    server.signal(signal.SIGCONT)
    wait_for(lambda: applied() > before + 150, 20, "writes again")
    passed = time.monotonic() - woken
    # What was on its way when it was stopped, and one reply of each that is noted late.
    assert applied() - before <= 50 + 200 * passed * 1.001 + 1 + 2 * len(writers)
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join()
        assert writer.lost is None, writer.lost
    assert applied() <= 50 + 200 * (time.monotonic() - began) + 1
    wait_for(lambda: not meter(server, "sluice_admit_limited"), 10, "nothing is held back")
