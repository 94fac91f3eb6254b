"""Bytes that no client should send: the server answers or closes, stays up, and stays small.

Goal:   malformed, oversized, cut and foreign input never crashes the server, never leaves a
        connection stuck, and never makes a buffer grow without bound.
"""

import os
import random
import re
import time
from pathlib import Path

import pytest
import redis

from servers import wait_for
from wire import Closed, Wire, encode

MIB = 1 << 20


def resident(server):
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def exchange(server, data, seconds=5):
    """What comes back to `data` until the server closes or says nothing for a moment."""
    wire = Wire(server.port, timeout=0.3)
    received = b""
    deadline = time.monotonic() + seconds
    with wire:
        try:
            wire.send(data)
            while time.monotonic() < deadline:
                chunk = wire.socket.recv(1 << 16)
                if not chunk:
                    return received, True
                received += chunk
        except (Closed, ConnectionError):
            return received, True
        except TimeoutError:
            pass
    return received, False


def healthy(server):
    assert server.running(), server.stderr[-2000:]
    with Wire(server.port) as wire:
        assert wire.call("PING") == b"PONG"
        assert wire.call("SET", "health", "1") == b"OK"
        assert wire.call("GET", "health") == b"1"


PROTOCOL_ERRORS = [
    b"*-5\r\n*1\r\n$4\r\nPING\r\n",
    b"*99999999999999999999\r\n",
    b"*2147483648\r\n",
    b"*1\r\n:3\r\n",
    b"*1\r\n$-7\r\n",
    b"*1\r\n$99999999999\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n",
    b"*x\r\n",
    b"$4\r\nPING\r\n",
    b"\x00" * 100_000,
    b"'unbalanced\r\n",
    b'SET a "unbalanced\r\n',
    b"x" * (MIB + 70_000),
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\n1",
]


@pytest.mark.parametrize("data", PROTOCOL_ERRORS, ids=lambda data: repr(data[:16]))
def test_malformed_requests(sluice, data):
    received, closed = exchange(sluice, data)
    half = data.endswith(b"\r\n1")
    if not half:
        assert closed or received, "neither an answer nor an end"
    assert b"OK" not in received
    healthy(sluice)


def test_http_on_the_redis_port_is_turned_away(sluice):
    for request in (
        b"POST /set HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20\r\n\r\n"
        b"SET stolen 1\r\nQUIT\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET stolen 1\r\n",
    ):
        _, closed = exchange(sluice, request)
        assert closed, "the connection stays open"
    with Wire(sluice.port) as wire:
        assert wire.call("GET", "stolen") is None
    healthy(sluice)


def test_disconnect_at_each_byte(sluice):
    """Goal: a half command is never carried out, wherever the connection ends."""
    command = encode(("SET", "half", "x" * 50)) + encode(("INCR", "whole"))
    first = len(encode(("SET", "half", "x" * 50)))
    for size in range(len(command)):
        with Wire(sluice.port) as wire:
            wire.call("DEL", "half", "whole")
        with Wire(sluice.port) as wire:
            wire.send(command[:size])
        with Wire(sluice.port) as wire:
            if size >= first:
                wait_for(lambda: wire.call("EXISTS", "half") == 1, 5, "the whole first command")
            assert wire.call("EXISTS", "whole") == 0
            if size < first:
                assert wire.call("EXISTS", "half") == 0
    healthy(sluice)


def test_requests_may_arrive_in_any_pieces(sluice):
    commands = [
        ("SET", "p", "a\r\nb"),
        ("GET", "p"),
        ("HSET", "ph", "f", "v"),
        ("HGETALL", "ph"),
        ("INCR", "pn"),
        ("NOSUCH",),
        ("GET",),
    ]
    data = b"".join(encode(command) for command in commands)
    chance = random.Random(3)
    answers = set()
    for _ in range(60):
        with Wire(sluice.port) as wire:
            wire.call("DEL", "p", "ph", "pn")
            at = 0
            while at < len(data):
                size = chance.choice([1, 2, 3, 7, 30, 200])
                wire.send(data[at : at + size])
                at += size
            answers.add(repr([wire.reply() for _ in commands]))
    assert len(answers) == 1, answers


def test_random_bytes(sluice):
    chance = random.Random(5)
    pieces = [
        b"*",
        b"$",
        b"\r\n",
        b"3",
        b"-1",
        b"SET",
        b"GET",
        b" ",
        b"\x00",
        b"\xff",
        b"a",
        b'"',
        b"'",
        b"*3\r\n$3\r\nSET\r\n$1\r\nr\r\n$1\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"HELLO 3\r\n",
        b"QUIT",
    ]
    for _ in range(200):
        with Wire(sluice.port, timeout=5) as wire:
            try:
                wire.send(b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 40))))
            except Closed:
                pass
    healthy(sluice)


def test_promised_bytes_take_no_memory(sluice):
    """Goal: memory grows with what arrives, never with what a header announces."""
    before = resident(sluice)
    wires = []
    for n in range(200):
        wire = Wire(sluice.port)
        wire.send(
            [b"*1000000\r\n", b"*2\r\n$3\r\nGET\r\n$16000000\r\n", b"*1000000\r\n$10\r\n"][n % 3]
        )
        wires.append(wire)
    with Wire(sluice.port) as wire:
        assert wire.call("PING") == b"PONG"
    assert resident(sluice) - before < 64 * MIB
    for wire in wires:
        wire.close()
    healthy(sluice)


def test_a_client_that_never_reads_is_bounded(start_sluice):
    """Goal: replies that nobody takes stop or end their connection; they are not piled up."""
    server = start_sluice('[server]\nmemory = "128MiB"\n')
    with Wire(server.port) as wire:
        wire.call("SET", "big", "x" * MIB)
    before = resident(server)
    # AddressSanitizer keeps what was freed for a while.
    most = (1000 if os.environ.get("SLUICE_PRESET") == "asan" else 400) * MIB
    lazy = [Wire(server.port, timeout=1) for _ in range(4)]
    request = encode(("GET", "big")) * 1000
    for wire in lazy:
        try:
            wire.send(request)
        except Closed:
            pass
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert resident(server) - before < most
        healthy(server)
    for wire in lazy:
        wire.close()
    healthy(server)


def test_large_values_pass_and_larger_ones_are_refused(sluice):
    with Wire(sluice.port) as wire:
        value = random.Random(1).randbytes(8 * MIB)
        assert wire.call("SET", "large", value) == b"OK"
        assert wire.call("GET", "large") == value
    received, closed = exchange(sluice, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000000\r\n")
    assert closed and re.match(rb"-ERR Protocol error", received), received
    healthy(sluice)


def test_what_is_too_large_is_answered(start_sluice):
    """Goal: a client that sends more than fits gets an answer, and not a reset while it sends.
    Method: an ordinary client, whose writes block until all is sent; a value above the largest, and
    a command above what all clients may hold."""
    server = start_sluice('[server]\nmemory = "64MiB"\n')
    client = server.client()
    with pytest.raises(redis.ResponseError, match="Protocol error: invalid bulk length"):
        client.set("large", bytes(17 * MIB))
    with pytest.raises(redis.ResponseError, match="a command of more than .* bytes is more than"):
        client.mset({f"large:{n}": bytes(10 * MIB) for n in range(4)})
    assert client.exists("large", "large:0", "large:3") == 0
    healthy(server)


def test_commands_with_very_many_keys(sluice):
    """Goal: the keys of one command are bounded by its bytes, not by the server's stack."""
    keys = [f"many:{n}" for n in range(200_000)]
    pairs = [word for key in keys for word in (key, "1")]
    with Wire(sluice.port) as wire:
        assert wire.call("MSET", *pairs) == b"OK"
        assert wire.call("MGET", *keys) == (b"1",) * len(keys)
        assert wire.call("EXISTS", *keys) == len(keys)
        assert wire.call("DEL", *keys) == len(keys)
        assert wire.call("MGET", *keys[:10]) == (None,) * 10
    healthy(sluice)


def test_before_auth_limits_are_small(start_sluice):
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    server = start_sluice(
        f'[user.default]\npassword_sha256 = "{digest}"\ncommands = ["read", "write", "admin"]\n',
        password="secret",
    )
    for data in (b"*11\r\n", b"*1000000\r\n", b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"):
        received, closed = exchange(server, data)
        assert closed and b"rotocol error" in received, (data, received)
    received, _ = exchange(server, encode(("SET", "a", "1")))
    assert received.startswith(b"-NOAUTH"), received
    with Wire(server.port) as wire:
        assert wire.call("AUTH", "wrong").startswith(b"WRONGPASS")
        assert wire.call("AUTH", "secret") == b"OK"
        assert wire.call("SET", "a", "1") == b"OK"
