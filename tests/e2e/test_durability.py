"""Each write is synced to the disk before it is answered, seen from the kernel's side.

Goal:   between a command's write to the log and its reply lies an fdatasync that has completed.
Method: the server runs under strace; each command carries a marker, which the trace shows in the
        write to the log and by which its reply can be told. One command at a time, then batches.
Tried:  `ack = "memory"` (the test below) has the replies before the syncs.
"""

import itertools
import re
import shutil
import threading

import pytest

from servers import wait_for
from wire import Closed, Wire

pytestmark = pytest.mark.release_only

COMMANDS = 100
CALLS = "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fdatasync,fsync,sync_file_range"
LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")


# Small segments: the zeroes that they are made of before they are used need not fill the trace.
SMALL_SEGMENTS = '[log]\nsegment = "1MiB"\n'


def traced(start_sluice, tmp_path, config=""):
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev setup"
    trace = tmp_path / "trace"
    wrapper = [strace, "-D", "-f", "-qq", "-s", "65536", "-o", trace, "-e", f"trace={CALLS}"]
    server = start_sluice(SMALL_SEGMENTS + config, wrapper=wrapper)
    return server, trace


class Call:
    def __init__(self, name, begin, text):
        self.name, self.begin, self.text = name, begin, text
        self.end = None  # the line on which it returned
        self.ok = False

    @property
    def fd(self):
        return re.match(r"\d*", self.text)[0]


def calls_of(trace):
    """The calls in the order in which they began."""
    calls, open_calls = [], {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        found = LINE.match(line)
        if found is None:
            continue
        thread, resumed, name, rest = found.groups()
        if resumed:
            call = open_calls.pop(thread, None)
            if call is None:
                continue
        else:
            call = Call(name, number, rest)
            calls.append(call)
            if "<unfinished ...>" in rest:
                open_calls[thread] = call
                continue
        call.end = number
        call.ok = re.search(r"= \d+$", rest.rstrip()) is not None
    return calls


def check_order(calls, marker_count):
    """Every marker's log write is followed by a completed sync of that file, then by its reply."""
    replies = [call for call in calls if call.name in ("sendto", "sendmsg", "write", "writev")]
    for number in range(marker_count):
        logged = next(
            (
                call
                for call in calls
                if call.name.startswith("pwrite") and f"value-{number:04d}" in call.text
            ),
            None,
        )
        assert logged is not None and logged.ok, f"command {number} never reached the log"
        reply = next((call for call in replies if f"{number:04d}-reply" in call.text), None)
        assert reply is not None, f"command {number} was not answered in the trace"
        synced = [
            call
            for call in calls
            if call.name in ("fdatasync", "fsync")
            and call.ok
            and call.fd == logged.fd
            and call.begin > logged.end
            and call.end < reply.begin
        ]
        assert synced, (
            f"command {number}: reply at line {reply.begin} without a sync behind "
            f"line {logged.end} of the trace"
        )


def run_commands(server, batch):
    """GETSET answers with what the SET before it wrote, so every reply carries its number."""
    with Wire(server.port) as wire:
        wire.call("SLUICE", "ACK", "durable")
        for start in range(0, COMMANDS, batch):
            numbers = range(start, start + batch)
            for n in numbers:
                assert wire.call("SET", f"k{n}", f"{n:04d}-reply") == b"OK"
            commands = [("GETSET", f"k{n}", f"value-{n:04d}") for n in numbers]
            assert list(wire.pipeline(commands)) == [b"%04d-reply" % n for n in numbers]


@pytest.mark.parametrize("batch", [1, 10])
def test_a_sync_lies_between_write_and_reply(start_sluice, tmp_path, batch):
    server, trace = traced(start_sluice, tmp_path)
    run_commands(server, batch)
    server.stop()
    wait_for(trace.exists, 5, "the trace")
    check_order(calls_of(trace), COMMANDS)


def test_the_trace_would_show_a_missing_sync(start_sluice, tmp_path):
    """The check above must be able to fail: at ack = "memory" replies do come before the sync."""
    server, trace = traced(start_sluice, tmp_path, '[keyspace.default]\nack = "memory"\n')
    with Wire(server.port) as wire:
        for n in range(COMMANDS):
            wire.call("SET", f"k{n}", f"{n:04d}-reply")
            wire.call("GETSET", f"k{n}", f"value-{n:04d}")
    server.stop()
    with pytest.raises(AssertionError):
        check_order(calls_of(trace), COMMANDS)


SLOW_SYNCS = """
[server]
lanes = 1
memory = "64MiB"

[log]
segment = "16MiB"

[keyspace.default]
ack = "memory"
"""
SYNC_US = 200_000
WRITES_TOGETHER = 50


def test_a_run_waits_for_its_log(start_sluice, tmp_path):
    """Goal: the store never holds what a crash of the log can undo.
    Method: the log's syncs take long, writes do not wait for them, and fill a buffer; kill -9 as
    soon as a table lies in the store. A node whose store is ahead of its log does not start.
    Tried: storing runs without waiting for the log."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev setup"
    log = tmp_path / "sluice-0" / "data" / "log"
    segments = [word for number in range(8) for word in ("-P", log / f"{number:016x}.seg")]
    server = start_sluice(SLOW_SYNCS, wrapper=[
        strace, "-D", "-f", "-qq", "-o", tmp_path / "trace", *segments, "-e", "trace=fdatasync",
        "-e", f"inject=fdatasync:delay_enter={SYNC_US}"])
    tables = server.data / "store" / "db"

    def write():
        value = b"x" * 8000
        numbers = itertools.count()
        try:
            with Wire(server.port) as wire:
                while True:  # until the node is killed
                    for _ in wire.pipeline([("SET", f"k{next(numbers)}", value)
                                            for _ in range(WRITES_TOGETHER)]):
                        pass
        except Closed:
            pass

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    wait_for(lambda: any(tables.glob("*.sst")), 30, "a table in the store")
    server.kill()
    writer.join(30)
    server.wrapper = []
    server.start()
    assert server.client().get("k0") == b"x" * 8000
