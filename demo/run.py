#!/usr/bin/python3
"""Starts Sluice on an empty temporary directory and drives it: a generated mix, or a real file.

Without a FILE: likes with celebrities, chat messages, orders and device readings; in the middle the
server is killed with kill -9 and started again; at the end every write is looked for. The exit
status is 0 only if all of them are there, and none twice.

With a FILE, it and all that follows go to `sluice load`.

With --postgres, likes and orders become rows of PostgreSQL, which is killed and comes back.
"""

import argparse
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.append(str(HERE.parent / "tools"))  # postgres.py

import drain  # noqa: E402
import redis  # noqa: E402
from feeds import all_feeds  # noqa: E402
from orders import Orders  # noqa: E402
from postgres import Postgres  # noqa: E402

START_SECONDS = 60
FINISH_SECONDS = 120
KEYSPACES = ["likes", "chat", "orders", "devices"]
HOT_KEYS_SHOWN = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, directory):
        self.binary, self.directory = binary, Path(directory)
        self.config = HERE / "sluice.toml"
        self.port, self.http_port = free_port(), free_port()
        self.process = None
        self.log = self.directory / "server.log"

    def start(self):
        """Seconds until it takes writes."""
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    self.binary,
                    "serve",
                    "--config",
                    str(self.config),
                    "--data",
                    str(self.directory / "data"),
                    "--port",
                    str(self.port),
                    "--http-port",
                    str(self.http_port),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while self.get("/readyz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() - begin > START_SECONDS:
                raise RuntimeError("the server does not start:\n" + self.log.read_text()[-2000:])
            time.sleep(0.005)
        return time.monotonic() - begin

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def meters(self):
        """{name: sum over its labels}."""
        sums = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name = re.split(r"[{ ]", line, maxsplit=1)[0]
                sums[name] = sums.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
        return sums

    def client(self):
        return redis.Redis("127.0.0.1", self.port, socket_timeout=30)

    def records(self):
        """{keyspace: {shard: records so far}}."""
        found = {}
        with self.client() as client:
            for reply in client.execute_command("SLUICE", "SHARDS"):
                shard = dict(zip(reply[::2], reply[1::2]))
                found.setdefault(shard[b"keyspace"].decode(), {})[shard[b"shard"]] = shard[
                    b"records"
                ]
        return found


class Watch:
    """One line a second of what the server did in it."""

    def __init__(self, server, orders):
        self.server, self.orders = server, orders
        self.begin = time.monotonic()
        self.rates, self.writes, self.syncs, self.logged = [], 0.0, 0.0, 0.0
        self.reset()
        print(
            "time  writes/s |   likes    chat  orders devices | fsyncs/s writes/fsync | "
            "busiest shard of likes | p50 and p99 of 16 orders"
        )

    def reset(self):
        """A new process counts from zero."""
        self.last, self.shards, self.at = (
            self.server.meters(),
            self.server.records(),
            time.monotonic(),
        )

    def line(self):
        meters, shards, now = self.server.meters(), self.server.records(), time.monotonic()
        seconds = now - self.at

        def moved(name):
            return max(0.0, meters.get(name, 0.0) - self.last.get(name, 0.0))

        def records(keyspace):
            old = self.shards.get(keyspace, {})
            return {
                shard: count - old.get(shard, 0)
                for shard, count in shards.get(keyspace, {}).items()
            }

        writes, syncs = moved("sluice_shard_writes_total"), moved("sluice_log_groups_total")
        self.writes, self.syncs = self.writes + writes, self.syncs + syncs
        self.logged += moved("sluice_log_records_total")
        self.rates.append(writes / seconds)
        spaces = " ".join(f"{sum(records(name).values()) / seconds:7.0f}" for name in KEYSPACES)
        likes = records("likes")
        share = max(likes.values()) / max(1, sum(likes.values())) if likes else 0.0
        times = self.orders.take_latencies()
        shown = "-"
        if times:
            half, most = times[len(times) // 2], times[len(times) * 99 // 100]
            shown = f"{half * 1e3:.1f} ms, {most * 1e3:.1f} ms"
        print(
            f"{now - self.begin:4.0f}s {writes / seconds:9.0f} | {spaces} | {syncs / seconds:8.0f} "
            f"{writes / max(1, syncs):12.1f} | {share:22.0%} | {shown}",
            flush=True,
        )
        self.last, self.shards, self.at = meters, shards, now


def heat(server):
    """What is hot now: the keys that are written most, and the keyspaces that are skewed."""
    lines = []
    for key in json.loads(server.get("/api/v1/hotkeys")[1])["hotkeys"][:HOT_KEYS_SHOWN]:
        lines.append(
            f"  {key['key']:20} {key['writes_per_second']:7}/s, "
            f"{key['percent_of_shard']} % of shard {key['shard']}"
        )
    for one in json.loads(server.get("/api/v1/keyspaces")[1])["keyspaces"]:
        if one["skew_percent"] is not None:
            lines.append(
                f"  {one['keyspace']:20} shard {one['hottest_shard']} takes "
                f"{one['skew_percent'] / 100:.1f} times the mean of its {one['shards']} shards"
            )
    return lines


def drive(watch, seconds):
    for _ in range(seconds):
        time.sleep(1.0)
        watch.line()


def check(server, feeds, orders):
    """Looks for everything that was written; the number of things that are wrong."""
    wrong = 0
    with server.client() as client:
        likes = next(feed for feed in feeds if feed.name == "likes").counts()
        posts = list(likes)
        values = client.mget([f"likes:{post}" for post in posts])
        inexact = sum(int(value or 0) != likes[post] for post, value in zip(posts, values))
        print(
            f"  likes    {sum(likes.values()):9} of {len(posts)} posts: "
            f"{'every counter is exact' if not inexact else f'{inexact} COUNTERS ARE WRONG'}"
        )
        lost, revenue = orders.check(client)
        print(
            f"  orders   {len(orders.acked):9} acknowledged, {orders.retried} sent again: "
            f"{'all there' if not lost else f'{lost} ARE LOST'}, revenue "
            f"{'exact' if not revenue else 'WRONG'}"
        )
        wrong += inexact + lost + revenue
    for feed in feeds:
        if feed.name != "likes":
            bad = feed.check(server.port)
            print(
                f"  {feed.name:8} {feed.rows:9} written: "
                f"{'all there' if not bad else f'{bad} THOUSANDS WITH WRONG ONES'}"
            )
            wrong += bad
    return wrong


def generated(server, directory, options):
    print(f"server ready in {server.start():.2f} s on 127.0.0.1:{server.port}", flush=True)
    feeds = all_feeds(options.seed)
    orders = Orders(server.port, options.seed)
    with open(directory / "load.log", "wb") as output:
        for feed in feeds:
            feed.start(server.binary, server.port, output)
    orders.start()
    watch = Watch(server, orders)
    try:
        drive(watch, options.seconds // 2)
        server.kill()
        print("      kill -9 in the middle of it", flush=True)
        print(f"      started again: ready in {server.start():.2f} s", flush=True)
        watch.reset()
        drive(watch, options.seconds // 2)
        hot = heat(server)
        orders.finish()
        applied = sum(
            int(re.search(r"= (\d+) applied \+ 0 rejected", feed.finish(FINISH_SECONDS))[1])
            for feed in feeds
        )
    finally:
        for feed in feeds:
            if feed.loader is not None and feed.loader.poll() is None:
                feed.loader.kill()
    rates = sorted(watch.rates)
    print(
        f"\n{applied + 2 * len(orders.acked)} writes acknowledged, through one kill -9; "
        f"median {rates[len(rates) // 2]:.0f} writes/s, "
        f"{watch.writes / max(1, watch.syncs):.1f} writes per fsync, "
        f"{watch.writes / max(1, watch.logged):.2f} per record of the log (folding)"
    )
    print("hot at the end:", *hot, sep="\n")
    wrong = check(server, feeds, orders)
    print("all acknowledged writes are there, each once" if wrong == 0 else "THE CHECK FAILED")
    return 0 if wrong == 0 else 1


def file_load(server, words):
    print(f"server ready in {server.start():.2f} s on 127.0.0.1:{server.port}", flush=True)
    return subprocess.call([server.binary, "load", "--port", str(server.port), *words])


def into_postgres(server, options):
    with Postgres() as postgres:
        server.config = drain.config_for(postgres, server.directory)
        try:
            status = drain.run(server, postgres, options)
            if options.serve:
                stay(server, f"psql {postgres.url}    ")
            return status
        finally:
            server.stop()


def stay(server, also=""):
    print(
        f"\n{also}redis-cli -p {server.port}    http://127.0.0.1:{server.http_port}/"
        "    (Ctrl-C ends it and removes its data)",
        flush=True,
    )
    server.process.wait()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--sluice", default=str(HERE.parent / "build/release/sluice"))
    parser.add_argument("--serve", action="store_true", help="stay up afterwards")
    parser.add_argument("--postgres", action="store_true", help="rows in PostgreSQL instead")
    parser.add_argument("--outage", type=int, default=10, help="seconds without PostgreSQL")
    parser.add_argument("--seconds", type=int, default=16, help="of generated load")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the generated load")
    options, words = parser.parse_known_args()
    options.sluice = str(Path(options.sluice).resolve())
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as directory:
        server = Server(options.sluice, directory)
        try:
            if options.postgres:
                return into_postgres(server, options)
            status = (
                file_load(server, words) if words else generated(server, Path(directory), options)
            )
            if options.serve:
                stay(server)
        except KeyboardInterrupt:
            status = 130
        finally:
            server.stop()
    return status


if __name__ == "__main__":
    sys.exit(main())
