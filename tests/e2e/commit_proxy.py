"""A TCP proxy before PostgreSQL that cuts connections inside COMMIT, each time in another way."""

import random
import selectors
import socket
import threading
import time
from collections import Counter

COMMIT = b"COMMIT\0"  # of a Parse message: the sink sends it alone
CONNECT_SECONDS = 5
LATE_SECONDS = 0.3  # at most, until a COMMIT arrives whose client is gone
ANSWER_SECONDS = 10


class CommitProxy:
    """Listens on .port; one COMMIT in `every` is cut, in a way that a seed draws:

    before   the server never gets it, and rolls back
    during   the server gets it and the end of the connection at once
    after    the server's answer is lost
    late     the client hears of the end first, and the server gets the COMMIT afterwards

    .cuts counts them. While .calm is true, nothing is cut.
    """

    WAYS = ("before", "during", "after", "late")

    def __init__(self, upstream_port, every, seed):
        self.upstream_port, self.every = upstream_port, every
        self.cuts, self.calm = Counter(), False
        self._chance = random.Random(seed)
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._listener.close()

    def _accept(self):
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream_port), CONNECT_SECONDS)
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as selector:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            try:
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        if key.fileobj is client and COMMIT in data and self._drawn():
                            return self._cut(client, server, data)
                        key.data.sendall(data)
            except OSError:
                return

    def _drawn(self):
        return not self.calm and self._chance.randrange(self.every) == 0

    def _cut(self, client, server, data):
        way = self._chance.choice(self.WAYS)
        self.cuts[way] += 1
        if way == "before":
            return
        if way == "late":
            client.close()
            time.sleep(self._chance.uniform(0, LATE_SECONDS))
        server.sendall(data)
        if way != "during":
            server.settimeout(ANSWER_SECONDS)
            server.recv(1 << 16)
