"""The demo of PostgreSQL: likes and orders become rows, also through an outage of the database.

Writers send at their own pace all the time. PostgreSQL is killed in the middle; the backlog rises
in the log, and drains once it is back. At the end the tables are compared with what was
acknowledged, and row for row with the state.
"""

import json
import random
import re
import subprocess
import threading
import time
from pathlib import Path

ASKS = 6  # for what the server tells, each with the time that a request has
HERE = Path(__file__).resolve().parent
POSTS = 20_000
BATCH = 100  # writes in one pipeline
PAUSE_SECONDS = 0.01  # between pipelines of one writer
DRAIN_SECONDS = 120
NAMES = ("likes_pg", "orders_pg")
URL = re.compile(r'"postgresql://[^"]*"')


class Writer:
    """Sends pipelines until told to stop; `write` puts one together and notes what it means."""

    def __init__(self, server, write):
        self.server, self.write = server, write
        self.latencies, self.acknowledged, self.failure = [], 0, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            with self.server.client() as client:
                while not self.stopping.wait(PAUSE_SECONDS):
                    pipe = client.pipeline(transaction=False)
                    acknowledged = self.write(pipe)
                    count, begin = len(pipe), time.monotonic()
                    pipe.execute()
                    self.latencies.append(time.monotonic() - begin)
                    self.acknowledged += count
                    acknowledged()
        except Exception as error:  # of any kind: the demo says it and fails
            self.failure = error

    def take_latencies(self):
        taken, self.latencies = self.latencies, []
        return taken

    def stop(self):
        self.stopping.set()
        self.thread.join(60)
        if self.failure:
            raise RuntimeError(f"a writer failed: {self.failure}")


class Likes:
    """Zipf: the first post gets one like in ten."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.weights = []
        total = 0.0
        for rank in range(POSTS):
            total += 1 / (rank + 1)
            self.weights.append(total)
        self.count, self.posts = 0, set()

    def write(self, pipe):
        posts = self.chance.choices(range(1, POSTS + 1), cum_weights=self.weights, k=BATCH)
        for post in posts:
            pipe.incr(f"likes:{post}")

        def acknowledged():
            self.count += len(posts)
            self.posts.update(posts)

        return acknowledged


class Orders:
    """New ones, and those before them are paid."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.count, self.cents, self.paid = 0, 0, 0

    def write(self, pipe):
        first, cents = self.count + 1, []
        for order in range(first, first + BATCH // 10):
            cents.append(self.chance.randrange(100, 100_000))
            pipe.hset(f"order:{order}", mapping={
                "customer": self.chance.randrange(1, 5_000), "amount": f"{cents[-1] / 100:.2f}",
                "status": "new"})
        for order in range(self.paid + 1, self.count + 1):
            pipe.hset(f"order:{order}", "status", "paid")

        def acknowledged():
            self.paid = self.count
            self.count += len(cents)
            self.cents += sum(cents)

        return acknowledged


class Show:
    """One line a second."""

    def __init__(self, server, writers):
        self.server, self.writers = server, writers
        self.begin = self.at = time.monotonic()
        self.writes, self.rows, self.most_bytes = 0, 0, 0
        print("time  writes/s  p99 of a pipeline |  rows/s into the tables | backlog         "
              "| PostgreSQL", flush=True)

    def for_seconds(self, seconds):
        for _ in range(seconds):
            time.sleep(1.0)
            self.line()

    def line(self):
        now = time.monotonic()
        seconds, self.at = now - self.at, now
        writes = sum(writer.acknowledged for writer in self.writers)
        found = projections(self.server)
        rows = sum(one["rows"] for one in found.values())
        times = sorted(t for writer in self.writers for t in writer.take_latencies())
        p99 = f"{times[len(times) * 99 // 100] * 1e3:.1f} ms" if times else "-"
        away = [one for one in found.values() if one["state"] != "running"]
        size = sum(one["lag_bytes"] or 0 for one in found.values())
        self.most_bytes = max(self.most_bytes, size)
        known = all(one["lag_bytes"] is not None for one in found.values())
        lag = max(one["lag_ms"] or 0 for one in found.values()) / 1e3
        backlog = f"{size / 1e6:6.2f} MB {lag:5.1f} s" if known else "not known yet"
        print(f"{now - self.begin:4.0f}s {(writes - self.writes) / seconds:9.0f} {p99:>18} | "
              f"{(rows - self.rows) / seconds:22.0f} | {backlog:<15} | "
              f"{away[0]['state'] if away else 'takes batches'}", flush=True)
        self.writes, self.rows = writes, rows


def projections(server):
    # A machine that is busy elsewhere may let one request wait for too long.
    for _ in range(ASKS):
        status, body = server.get("/api/v1/projections")
        if status == 200:
            break
    else:
        raise RuntimeError(f"the server does not tell its projections: {status} {body}")
    return {one["projection"]: one for one in json.loads(body)["projections"]}


def config_for(postgres, directory):
    """demo/postgres.toml, with the address of this PostgreSQL."""
    path = Path(directory) / "postgres.toml"
    path.write_text(URL.sub(f'"{postgres.url}"', (HERE / "postgres.toml").read_text()))
    return path


def wait_drained(server):
    with server.client() as client:
        client.incr("drained")  # what this connection wrote is waited for
        for name in NAMES:
            milliseconds = DRAIN_SECONDS * 1000
            if client.execute_command("SLUICE", "WAIT", name, milliseconds) != 1:
                raise RuntimeError(f"{name} did not catch up: {projections(server)[name]}")


def check(server, postgres, likes, orders):
    """Counts both sides; the number of things that are wrong."""
    ((rows, total),) = postgres.run("SELECT count(*), coalesce(sum(likes), 0) FROM post_likes")
    ((placed, paid, amount),) = postgres.run(
        "SELECT count(*), count(*) FILTER (WHERE status = 'paid'), coalesce(sum(amount), 0) "
        "FROM orders")
    expected = [
        ("likes", "posts", len(likes.posts), int(rows)),
        ("", "likes", likes.count, int(total)),
        ("orders", "placed", orders.count, int(placed)),
        ("", "paid", orders.paid, int(paid)),
        ("", "cents", orders.cents, round(float(amount) * 100)),
    ]
    print("\n                    acknowledged    in PostgreSQL")
    wrong = 0
    for table, what, sent, there in expected:
        print(f"  {table:7} {what:8} {sent:15,} {there:16,}" + ("" if sent == there else "  WRONG"))
        wrong += sent != there
    for name in NAMES:
        done = subprocess.run([server.binary, "projection", "verify", name, "--port",
                               str(server.port)], capture_output=True, text=True, check=False)
        print(f"  sluice projection verify {name}: " + done.stdout.strip().splitlines()[-1])
        wrong += done.returncode != 0
    return wrong


def run(server, postgres, options):
    print(f"PostgreSQL: {postgres.url}\nSluice ready in {server.start():.2f} s on "
          f"127.0.0.1:{server.port}", flush=True)
    likes, orders = Likes(options.seed), Orders(options.seed)
    writers = [Writer(server, likes.write), Writer(server, orders.write)]
    show = Show(server, writers)
    show.for_seconds(options.seconds // 2)
    postgres.kill()
    print(f"      kill -9 of PostgreSQL; it stays away for {options.outage} s", flush=True)
    show.for_seconds(options.outage)
    postgres.start()
    print("      PostgreSQL is started again", flush=True)
    show.for_seconds(options.seconds - options.seconds // 2)
    for writer in writers:
        writer.stop()
    wait_drained(server)
    found = projections(server)
    print(f"\nthe backlog rose to {show.most_bytes / 1e6:.1f} MB and is drained: "
          f"{sum(writer.acknowledged for writer in writers):,} writes were "
          f"{sum(one['rows'] for one in found.values()):,} rows in "
          f"{sum(one['batches'] for one in found.values()):,} transactions")
    wrong = check(server, postgres, likes, orders)
    print("the tables equal the state" if wrong == 0 else "THE CHECK FAILED", flush=True)
    return 0 if wrong == 0 else 1
