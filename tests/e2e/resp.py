"""Raw RESP for tests that compare bytes: what was sent and received, without a client between."""

import socket


def encode(args):
    """A command as a client sends it."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class Map(tuple):
    """Pairs of a RESP3 map, told apart from an array."""


class Error(bytes):
    """An error reply, told apart from a simple string."""


class Connection:
    """A bare connection that reads one reply at a time and keeps its bytes.

    .reply()   (parsed, raw bytes) of the next reply: arrays are tuples, strings bytes, nulls None
    """

    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = bytearray()
        self.raw = bytearray()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def call(self, *args):
        self.send(encode(args))
        return self.reply()

    def reply(self):
        self.raw = bytearray()
        parsed = self._parse()
        return parsed, bytes(self.raw)

    def to_end(self):
        """All bytes until the server closes."""
        received = bytes(self.pending)
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return received
            if not data:
                return received
            received += data

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError("the server closed the connection")
        self.pending += data

    def _take(self, size):
        while len(self.pending) < size:
            self._fill()
        taken = bytes(self.pending[:size])
        del self.pending[:size]
        self.raw += taken
        return taken

    def _line(self):
        while (end := self.pending.find(b"\r\n")) < 0:
            self._fill()
        return self._take(end + 2)[:-2]

    def _parse(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Error(rest)
        if kind == b":":
            return int(rest)
        if kind in b"$=":
            size = int(rest)
            return None if size < 0 else self._take(size + 2)[:-2]
        if kind in b"*~>":
            size = int(rest)
            return None if size < 0 else tuple(self._parse() for _ in range(size))
        if kind == b"%":
            return Map((self._parse(), self._parse()) for _ in range(int(rest)))
        if kind == b"_":
            return None
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        raise ValueError(f"not a reply: {line[:80]!r}")
