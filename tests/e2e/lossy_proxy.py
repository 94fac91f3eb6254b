"""A TCP proxy that passes requests on and loses some of the replies, by cutting the connection."""

import random
import selectors
import socket
import threading


class LossyProxy:
    """Listens on .port; `loss` is the chance that replies are lost with their connection."""

    def __init__(self, upstream_port, loss, seed):
        self.upstream_port = upstream_port
        self.loss = loss
        self.lost = 0
        self._seed = seed
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

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
            thread = threading.Thread(
                target=self._serve, args=(client, random.Random(self._seed)), daemon=True
            )
            thread.start()

    def _serve(self, client, chance):
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream_port), 5)
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    try:
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        if key.fileobj is server and chance.random() < self.loss:
                            self.lost += 1
                            return
                        key.data.sendall(data)
                    except OSError:
                        return
