"""The witness: a client that takes orders, remembers what was acknowledged, and retries the rest.

Each order is two writes under tokens of their own: the order, and its amount added to the revenue
of its country. After a crash everything acknowledged must be there before anything is sent again;
then what was not answered is sent again under the same tokens.
"""

import random
import threading
import time

import redis

COUNTRIES = ["IN", "DE", "FR", "ES"]
BATCH = 16  # orders in one pipeline
RETRY_SECONDS = 0.05


class Orders:
    def __init__(self, port, seed):
        self.port = port
        self.chance = random.Random(seed)
        self.acked = {}  # key: amount
        self.revenue = dict.fromkeys(COUNTRIES, 0)  # of all orders, each counted once
        self.latencies = []  # seconds of each batch since they were last taken
        self.lost = []  # acknowledged orders that were not there after a crash
        self.retried = 0
        self.failure = None  # what no retry helps against
        self._number = 0
        self._pending = []  # (key, country, amount) without an answer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def finish(self):
        self._stop.set()
        self._thread.join(60)
        if self._thread.is_alive() or self.failure:
            raise RuntimeError(f"the orders do not come to an end: {self.failure}")

    def take_latencies(self):
        taken, self.latencies = self.latencies, []
        return sorted(taken)

    def _run(self):
        client = None
        while not (self._stop.is_set() and not self._pending):
            try:
                if client is None:
                    client = redis.Redis("127.0.0.1", self.port, socket_timeout=10)
                    client.ping()
                    self._check(client)
                if not self._pending:
                    self._pending = [self._new_order() for _ in range(BATCH)]
                self._send(client)
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                client = None
                self.retried += len(self._pending)
                time.sleep(RETRY_SECONDS)
            except redis.RedisError as error:
                self.failure = error
                return

    def _new_order(self):
        self._number += 1
        country = self.chance.choice(COUNTRIES)
        amount = self.chance.randrange(100, 100_000)
        self.revenue[country] += amount
        return f"order:{country}:{self.chance.randrange(5000)}:{self._number}", country, amount

    def _send(self, client):
        pipe = client.pipeline(transaction=False)
        for key, country, amount in self._pending:
            pipe.execute_command("SLUICE", "ONCE", key, "SET", key, amount)
            pipe.execute_command("SLUICE", "ONCE", key, "HINCRBY", "revenue", country, amount)
        begin = time.monotonic()
        pipe.execute()
        self.latencies.append(time.monotonic() - begin)
        for key, _, amount in self._pending:
            self.acked[key] = amount
        self._pending = []

    def _check(self, client):
        """Everything acknowledged so far, before anything is sent again."""
        keys = list(self.acked)
        for start in range(0, len(keys), 2000):
            part = keys[start : start + 2000]
            for key, value in zip(part, client.mget(part)):
                if value is None or int(value) != self.acked[key]:
                    self.lost.append(key)

    def check(self, client):
        """How many orders are not there, and how many countries' revenue is not exact."""
        self._check(client)
        totals = client.hgetall("revenue")
        wrong = [
            country
            for country, amount in self.revenue.items()
            if int(totals.get(country.encode(), 0)) != amount
        ]
        return len(self.lost), len(wrong)
