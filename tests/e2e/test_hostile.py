"""A thousand hostile clients: memory stays under `server.memory`, and others are served.

Goal:   no number of connections that announce much, send half of it, or take no replies makes the
        process larger than its bound; an honest client is answered meanwhile and afterwards.
Method: 1,000 connections of each kind, then of all kinds mixed, that push as long as anything is
        taken; the peak resident size is read from the kernel.
Tried:  without the share of memory that unfinished commands are held to, the half commands fail it.
"""

import hashlib
import os
import selectors
import socket
import time
from pathlib import Path

import pytest

from resp import encode
from wire import Wire

pytestmark = pytest.mark.release_only  # a sanitizer's own memory is many times the server's

CLIENTS = 1000
MEMORY_MIB = 256
PUSH_SECONDS = 4  # as long as anything is taken
MIB = 1 << 20
BIG = 512 << 10  # the value that those ask for who take no reply

PASSWORD = "correct horse"
USERS = f"""
[user.default]
password_sha256 = "{hashlib.sha256(PASSWORD.encode()).hexdigest()}"
commands = ["read", "write", "admin"]
"""


def endless(head, piece):
    """`head`, then `piece` for ever."""
    yield head
    while True:
        yield piece


KINDS = {
    "announced arguments": lambda n: endless(b"*1000000\r\n", b"$1\r\nx\r\n" * 1000),
    "announced bytes": lambda n: endless(
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870000\r\n", b"x" * 65536),
    "half commands": lambda n: iter([encode(("SET", f"half:{n}", b"x" * (4 * MIB)))[:-2]]),
    "half commands behind large ones": lambda n: iter([
        encode(("ECHO", b"x" * (4 * MIB))) + encode(("GET", "x" * 40))[:-2]]),
    "many keys": lambda n: endless(b"*900001\r\n$3\r\nDEL\r\n", b"$8\r\nsome:key\r\n" * 500),
    "long lines": lambda n: endless(b"SET k ", b"x" * 65536),
    "replies not taken": lambda n: endless(b"", encode(("GET", "big")) * 100),
    "small replies not taken": lambda n: endless(b"", encode(("PING",)) * 2000),
    "values written": lambda n: endless(b"", encode(("SET", f"written:{n}", b"x" * 100_000))),
}
# Before AUTH, where a command has at most ten arguments of 16 KiB.
ARGUMENT = b"$16384\r\n" + b"x" * 16384 + b"\r\n"
STRANGERS = {
    "announced": lambda n: iter([b"*1000000\r\n"]),
    "ten arguments": lambda n: iter([b"*10\r\n", *[ARGUMENT] * 9, b"$16384\r\nx"]),
    "errors not taken": lambda n: endless(b"", encode(("GET", "big")) * 2000),
    "long lines": lambda n: endless(b"SET k ", b"x" * 65536),
}


class Crowd:
    """Connections that each push their bytes whenever the kernel takes some."""

    def __init__(self, port, scripts):
        self.selector = selectors.DefaultSelector()
        self.sent = 0
        self.closed = 0
        for script in scripts:
            connection = socket.socket()
            # Little room on the way, so that what is pushed is soon the server's.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_WRITE, [script, b""])

    def push(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for key, _ in self.selector.select(0.1):
                self.push_one(key)
            yield

    def push_one(self, key):
        script, rest = key.data
        rest = rest or next(script, b"")
        if not rest:
            self.selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
            return
        try:
            sent = key.fileobj.send(rest)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.closed += 1
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
            return
        self.sent += sent
        key.data[1] = rest[sent:]

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def peak_mib(server):
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def honest(server):
    """Another client is answered, whatever the crowd does."""
    with Wire(server.port, timeout=20) as wire:
        if server.password:
            assert wire.call("AUTH", server.password) == b"OK"
        assert wire.call("PING") == b"PONG"
        assert wire.call("SET", "honest", "1") == b"OK"
        assert wire.call("GET", "honest") == b"1"


def besiege(server, scripts):
    crowd = Crowd(server.port, scripts)
    try:
        for _ in crowd.push(PUSH_SECONDS):
            pass
        honest(server)
        print(f"{crowd.sent / MIB:.0f} MiB sent, {crowd.closed} of {CLIENTS} connections closed, "
              f"at most {peak_mib(server):.0f} MiB resident")
    finally:
        crowd.close()
    honest(server)
    assert peak_mib(server) <= MEMORY_MIB, f"{peak_mib(server):.0f} MiB at the peak"


def start(start_sluice, users=""):
    config = f'[server]\nmemory = "{MEMORY_MIB}MiB"\n{users}'
    server = start_sluice(config, args=["--set", "server.lanes=2"],
                          password=PASSWORD if users else None)
    with Wire(server.port) as wire:
        if users:
            wire.call("AUTH", PASSWORD)
        assert wire.call("SET", "big", os.urandom(BIG)) == b"OK"
    return server


def mixed(kinds):
    return [list(kinds.values())[n % len(kinds)](n) for n in range(CLIENTS)]


def test_a_thousand_of_all_kinds(start_sluice):
    besiege(start(start_sluice), mixed(KINDS))


def test_a_thousand_strangers(start_sluice):
    besiege(start(start_sluice, USERS), mixed(STRANGERS))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_of_a_kind(start_sluice, kind):
    besiege(start(start_sluice), [KINDS[kind](n) for n in range(CLIENTS)])


@pytest.mark.long
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_thousand_strangers_of_a_kind(start_sluice, kind):
    besiege(start(start_sluice, USERS), [STRANGERS[kind](n) for n in range(CLIENTS)])
