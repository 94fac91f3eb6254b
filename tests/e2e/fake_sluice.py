"""A scripted stand-in for the server under `sluice load`: it refuses, forgets and hangs up on cue.

It keeps real counts, remembers sequence numbers as Sluice does, and takes a `script`: a function of
(number of the request, its words) that returns None to carry the request out, bytes to answer
instead, HANG_UP to close before it is carried out, or HANG_UP_AFTER to close instead of replying.
"""

import socket
import threading

from resp import Connection, encode

HANG_UP = object()
HANG_UP_AFTER = object()
REMEMBERED = 1024


class FakeSluice:
    def __init__(self, script=lambda number, words: None):
        self.script = script
        self.data = {}  # strings, and dicts for hashes
        self.done = {}  # (producer, seq % REMEMBERED): (seq, words, reply)
        self.requests = 0
        self.in_flight_max = 0
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                try:
                    self._serve(client)
                except (OSError, EOFError):
                    pass

    def _serve(self, client):
        requests = Requests(client)
        while True:
            batch = requests.whole()
            self.in_flight_max = max(self.in_flight_max, len(batch))
            replies = b""
            for words in batch:
                self.requests += 1
                verdict = self.script(self.requests, words)
                if verdict is HANG_UP:
                    client.sendall(replies)
                    return
                if isinstance(verdict, bytes):
                    replies += verdict
                    continue
                reply = self._carry(words)
                if verdict is HANG_UP_AFTER:
                    client.sendall(replies)
                    return
                replies += reply
            client.sendall(replies)

    def _carry(self, words):
        name = words[0].upper()
        if name == b"SLUICE" and words[1] == b"ONCE":
            producer, seq, inner = words[2], int(words[3]), words[4:]
            known = self.done.get((producer, seq % REMEMBERED))
            if known and known[0] > seq:
                return b"-ERR sequence number is older than the last 1024\r\n"
            if known and known[0] == seq:
                return known[2] if known[1] == inner else b"-TOKENMISMATCH\r\n"
            reply = self._carry(inner)
            if not reply.startswith(b"-"):
                self.done[producer, seq % REMEMBERED] = (seq, inner, reply)
            return reply
        if name == b"SLUICE":
            return b"+OK\r\n"
        key = words[1]
        if name == b"SET":
            self.data[key] = words[2]
            return b"+OK\r\n"
        if name == b"INCR":
            if not self.data.get(key, b"0").isdigit():
                return b"-ERR value is not an integer or out of range\r\n"
            self.data[key] = b"%d" % (int(self.data.get(key, b"0")) + 1)
            return b":%s\r\n" % self.data[key]
        if name == b"HSET":
            fields = self.data.setdefault(key, {})
            fields.update(zip(words[2::2], words[3::2]))
            return b":1\r\n"
        if name == b"HGETALL":
            pairs = [part for item in self.data.get(key, {}).items() for part in item]
            return encode(pairs)
        return b"-ERR unknown command\r\n"


class Requests(Connection):
    """The other side's view: all whole requests that have arrived."""

    def __init__(self, client):
        self.socket = client
        self.pending = bytearray()
        self.raw = bytearray()

    def whole(self):
        batch = [self.reply()[0]]
        while self.pending:
            batch.append(self.reply()[0])
        return batch
