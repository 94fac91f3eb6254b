"""A stop while HTTP clients are reading: the process ends in order, whatever they ask for."""

import http.client
import threading

PATHS = ("/metrics", "/readyz", "/api/v1/shards", "/api/v1/keyspaces", "/api/v1/config")
STOPS = 5


class Reader(threading.Thread):
    """Asks for everything, again and again, until the server is gone."""

    def __init__(self, port):
        super().__init__()
        self.port, self.done, self.answers = port, False, 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            while not self.done:
                for path in PATHS:
                    connection.request("GET", path)
                    connection.getresponse().read()
                    self.answers += 1
        except (OSError, http.client.HTTPException):
            pass  # the server stopped


def test_a_stop_under_http_load_is_clean(start_sluice):
    """What pages show belongs to parts that end one after the other: a few stops under load."""
    server = start_sluice()
    for _ in range(STOPS):
        readers = [Reader(server.http_port) for _ in range(4)]
        for reader in readers:
            reader.start()
        while not all(reader.answers > len(PATHS) for reader in readers):
            assert server.http("/healthz")[0] == 200
        server.restart()  # expects status 0 of the stop
        for reader in readers:
            reader.done = True
        for reader in readers:
            reader.join()
