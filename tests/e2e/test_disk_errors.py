"""The real program on a disk that fails: EIO and ENOSPC, call after call, put in by strace.

Goal:   whatever call of the log or of the store fails, answers are those of the manual: -INDOUBT
        (it may be there), -NOSPACE or -OVERLOADED (it is not), never a wrong "done"; the server
        goes on, or ends with status 1 and is started again; nothing acknowledged is lost, a retry
        under its once token is never a second write.
Method: strace lets one call fail, the N-th of its thread on files of the log or of the store; N
        grows. Meanwhile a client writes enough for segments to end and runs to be stored, and
        notes what it heard. Then the server is started on the healthy disk and all is counted.
Tried:  a log that goes on after a failed sync loses acknowledged writes here.
"""

import itertools
import shutil

import pytest
import redis

from servers import Sluice, wait_for
from wire import Closed, Error, Wire

pytestmark = pytest.mark.release_only  # a traced process under a sanitizer takes minutes

CONFIG = """
[server]
lanes = 2
memory = "64MiB"

[log]
segment = "1MiB"
"""
BATCHES = 36
BATCH = 20
VALUE_BYTES = 12_000  # 8 MiB in all: some segments, a run of each lane
FILES = 60  # as many names of each kind are watched

LOG = [f"log/{number:016x}.{kind}" for number in range(FILES) for kind in ("seg", "spare", "tmp")]
STORE = [f"store/tmp/{number:06}.sst" for number in range(FILES)]
STORE += [f"store/db/{name}" for number in range(FILES)
          for name in (f"{number:06}.sst", f"MANIFEST-{number:06}", f"{number:06}.dbtmp")]
DIRECTORIES = ["", "log", "store", "store/db", "store/tmp"]

# (system call, error, files): everyday, these calls of each thread fail, one in each run …
EVERYDAY = [
    ("fdatasync", "EIO", LOG, (2, 5, 14)),
    ("pwrite64", "EIO", LOG, (6,)),
    ("pwrite64", "ENOSPC", LOG, (8,)),
    ("rename", "ENOSPC", LOG, (3,)),
    ("openat", "EIO", LOG, (4,)),
    ("fdatasync", "EIO", STORE, (3, 6)),
    ("write", "EIO", STORE, (9,)),
    ("write", "ENOSPC", STORE, (9,)),
    ("link", "EIO", STORE, (1,)),
    ("fsync", "EIO", DIRECTORIES, (2, 4)),
]
# … and with --long all of these.
LONG = [
    (call, error, files, range(1, last + 1))
    for call, files, last in (
        ("fdatasync", LOG, 24), ("pwrite64", LOG, 32), ("rename", LOG, 4), ("openat", LOG, 6),
        ("fdatasync", STORE, 10), ("write", STORE, 16), ("openat", STORE, 12), ("link", STORE, 2),
        ("rename", STORE, 2), ("fsync", DIRECTORIES, 8),
    )
    for error in ("EIO", "ENOSPC")
]


def cases(table):
    for call, error, files, numbers in table:
        kind = "log" if files is LOG else "store" if files is STORE else "directories"
        for number in numbers:
            yield pytest.param(call, error, files, number, id=f"{call}-{error}-{kind}-{number}")


def on_a_failing_disk(sluice_bin, directory, call, error, files, number):
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev setup"
    watched = itertools.chain.from_iterable(
        ("-P", directory / "s" / "data" / name) for name in files)
    return Sluice(sluice_bin, directory / "s", CONFIG, wrapper=[
        strace, "-D", "-f", "-qq", "-o", directory / "trace", *watched, "-e", f"trace={call}", "-e",
        f"inject={call}:error={error}:when={number}"])


class Writer:
    """Writes values, and increments one counter under tokens; notes what it heard of each."""

    def __init__(self):
        self.done, self.refused, self.unknown = set(), set(), set()
        self.tokens = 0  # sent, each once or until answered
        self.counted = 0

    def run(self, port):
        number = 0
        try:
            with Wire(port, timeout=30) as wire:
                for _ in range(BATCHES):
                    numbers = range(number, number + BATCH)
                    number += BATCH
                    self.unknown.update(numbers)
                    commands = [("SET", f"k{n}", f"{n}:".ljust(VALUE_BYTES, "x")) for n in numbers]
                    for n, reply in zip(numbers, wire.pipeline(commands)):
                        self.heard(n, reply)
                    self.count(wire)
        except Closed:
            pass

    def heard(self, n, reply):
        if reply == b"OK":
            self.done.add(n)
        elif reply.startswith((b"NOSPACE", b"OVERLOADED")):
            self.refused.add(n)
        else:
            assert isinstance(reply, Error) and reply.startswith(b"INDOUBT"), reply
            return
        self.unknown.discard(n)

    def count(self, wire):
        """The next token, or again the one that was not answered."""
        if self.tokens == self.counted:
            self.tokens += 1
        reply = wire.call("SLUICE", "ONCE", f"t{self.tokens}", "INCR", "counter")
        if isinstance(reply, Error):
            assert reply.startswith((b"NOSPACE", b"OVERLOADED", b"INDOUBT")), reply
        else:
            assert reply == self.tokens, f"token {self.tokens} answered {reply}"
            self.counted = self.tokens

    def check(self, redis):
        for n in sorted(self.done | self.refused | self.unknown):
            value = redis.get(f"k{n}")
            assert value is None or value == f"{n}:".ljust(VALUE_BYTES, "x").encode(), f"k{n}"
            assert value is not None or n not in self.done, f"k{n} is lost"
            assert value is None or n not in self.refused, f"k{n} was refused and is there"
        assert self.counted <= int(redis.get("counter") or 0) <= self.tokens
        for token in range(1, self.tokens + 1):
            reply = redis.execute_command("SLUICE", "ONCE", f"t{token}", "INCR", "counter")
            assert reply == token, f"token {token} answered {reply}"
        assert int(redis.get("counter") or 0) == self.tokens


def starts(server):
    """Waits until it takes writes (True), or has refused to start (False)."""
    wait_for(lambda: not server.running() or server.ready(), 60, "ready, or the end")
    return server.running()


def serves_again(server):
    """A server that lived through it takes writes again; one that did not has ended."""

    def taken():
        if not server.running():
            return True
        try:
            with server.client(socket_timeout=20) as client:
                return client.set("again", "1")
        except redis.RedisError:
            return False

    wait_for(taken, 40, "writes taken again, or the end")


def fail_at(sluice_bin, directory, call, error, files, number):
    server = on_a_failing_disk(sluice_bin, directory, call, error, files, number)
    writer = Writer()
    try:
        server.start(wait=False)
        if starts(server):
            writer.run(server.port)
            serves_again(server)
        if server.running():
            server.stop()
        else:
            status = server.wait()
            words = server.stderr[-3000:]
            assert status == 1 or (status == 2 and error == "ENOSPC"), f"status {status}: {words}"
        healthy = Sluice(sluice_bin, directory / "s", CONFIG)
        with healthy.start():
            with healthy.client() as client:
                writer.check(client)
    finally:
        server.kill()
    assert "(INJECTED)" in (directory / "trace").read_text(errors="replace") or number > 1


@pytest.mark.parametrize("call, error, files, number", cases(EVERYDAY))
def test_a_call_that_fails_loses_nothing(sluice_bin, tmp_path, call, error, files, number):
    fail_at(sluice_bin, tmp_path, call, error, files, number)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("call, error, files, number", cases(LONG))
def test_any_call_that_fails_loses_nothing(sluice_bin, tmp_path, call, error, files, number):
    fail_at(sluice_bin, tmp_path, call, error, files, number)
