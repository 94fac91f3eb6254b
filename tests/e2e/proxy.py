"""TCP proxies that do harm: one accept loop, and what each of them does to what passes."""

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
CHUNK = 1 << 16


class Proxy:
    """Listens on .port; harm(client, server, source, data, chance) is asked of all that is read
    from `source`, and ends both connections when it says true. `chance` is the connection's own.
    """

    def __init__(self, upstream_port, seed):
        self.upstream_port = upstream_port
        self._seed = seed
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
            self._seed += 1
            threading.Thread(target=self._serve, args=(client, random.Random(self._seed)),
                             daemon=True).start()

    def _serve(self, client, chance):
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream_port), CONNECT_SECONDS)
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as selector:
            for one, other in ((client, server), (server, client)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(one, selectors.EVENT_READ, other)
            try:
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(CHUNK)
                        if not data or self.harm(client, server, key.fileobj, data, chance):
                            return
                        key.data.sendall(data)
            except OSError:
                return


class LossyProxy(Proxy):
    """`loss` is the chance that replies are lost with their connection; .lost counts them."""

    def __init__(self, upstream_port, loss, seed):
        self.loss, self.lost = loss, 0
        super().__init__(upstream_port, seed)

    def harm(self, client, server, source, data, chance):
        loses = source is server and chance.random() < self.loss
        self.lost += loses
        return loses


class CommitProxy(Proxy):
    """Before PostgreSQL: one COMMIT in `every` is cut, in a way that a seed draws:

    before   the server never gets it, and rolls back
    during   the server gets it and the end of the connection at once
    after    the server's answer is lost
    late     the client hears of the end first, and the server gets the COMMIT afterwards

    .cuts counts them. While .calm is true, nothing is cut.
    """

    WAYS = ("before", "during", "after", "late")

    def __init__(self, upstream_port, every, seed):
        self.every, self.cuts, self.calm = every, Counter(), False
        super().__init__(upstream_port, seed)

    def harm(self, client, server, source, data, chance):
        if source is not client or COMMIT not in data or self.calm or chance.randrange(self.every):
            return False
        way = chance.choice(self.WAYS)
        self.cuts[way] += 1
        if way == "before":
            return True
        if way == "late":
            client.close()
            time.sleep(chance.uniform(0, LATE_SECONDS))
        server.sendall(data)
        if way != "during":
            server.settimeout(ANSWER_SECONDS)
            server.recv(CHUNK)
        return True
