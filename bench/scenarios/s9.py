"""S9: writes drained into PostgreSQL, beside PostgreSQL's own ways of writing."""

import contextlib
import re
import time
from pathlib import Path

from measure import cpu_seconds, fill, median, open_loop, redis_benchmark, run
from postgres import BINARIES, Postgres
from report import Section, figures, ms, shown
from servers import Sluice, ask

KEYS = 1_000_000  # rows of the table
WRITES = 5_000_000
FEWER = 20  # times, with --quick
CLIENTS = 2  # that send batches: what two cores carry
SINGLE_CLIENTS = 50
FILL_RATE = 250_000
BESIDE_RATE = 5_000
WAIT_SECONDS = 600
POLL_SECONDS = 0.01
STEP = 2_654_435_761  # a stride that meets each key once, and none in order
FIRST = 1_000_000_000_000  # post_id: before sluice bench's twelve digits, as no id begins with 0

SLUICE = "a backlog that Sluice drains"
BATCHED = f"its own batches of 1,000 rows, {CLIENTS} clients"
SINGLE = f"its own single rows, {SINGLE_CLIENTS} clients"

PROJECTION = """
[keyspace.likes]
key = "likes:{{post_id}}"
shards = 8
[projection.likes]
from = "likes"
to = "{url}"
table = "likes"
columns = {{ post_id = "{{post_id}}", likes = "value" }}
key = ["post_id"]
adopt = "overwrite"
"""
FRESH = (
    "DROP TABLE IF EXISTS likes, sluice_positions, sluice_dead_letters, sluice_projections",
    "CREATE TABLE likes (post_id bigint PRIMARY KEY, likes bigint NOT NULL)",
    f"INSERT INTO likes SELECT {FIRST} + i, 0 FROM generate_series(0, {{keys}} - 1) i",
    "VACUUM ANALYZE likes",
    "CHECKPOINT",
)
UPSERT = "ON CONFLICT (post_id) DO UPDATE SET likes = EXCLUDED.likes;"
ONE_ROW = (
    f"\\set at random(0, {{keys}} - 1)\nINSERT INTO likes VALUES ({FIRST} + :at, 1) " + UPSERT
)
BATCH = 1_000
MANY_ROWS = (
    f"\\set at random(0, {{keys}} / {BATCH} - 1) * {BATCH}\n"
    f"INSERT INTO likes SELECT {FIRST} + i * {STEP} % {{keys}}, i\n"
    f"  FROM generate_series(:at, :at + {BATCH} - 1) i\n  " + UPSERT
)
INCREMENT = f"UPDATE likes SET likes = likes + 1 WHERE post_id = {FIRST};"


def measure(bench):
    section = Section("S9", "writes drained into PostgreSQL")
    fewer = FEWER if bench.quick else 1
    with Postgres() as postgres:
        backlog(bench, section, postgres, KEYS // fewer, WRITES // fewer)
        hot_counter(bench, section, postgres)
        writers(bench, section, postgres, KEYS // fewer, WRITES // fewer)
    return section


def fresh_table(postgres, keys):
    for statement in FRESH:
        postgres.run(statement.format(keys=keys))


def pgbench(bench, postgres, script, clients, *options):
    """Transactions a second, each one statement."""
    path = Path(bench.directory) / "pgbench.sql"
    path.write_text(script)
    command = [f"{BINARIES}/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
               "-f", str(path), *map(str, options), postgres.url]
    done = run(bench.log, command, "PostgreSQL")
    found = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    if done.returncode != 0 or found is None or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
    return float(found[1])


@contextlib.contextmanager
def projecting(bench, postgres):
    """Sluice, with a projection of its counters `likes:N` that runs."""
    server = Sluice(bench.directory / "sluice", lines=[PROJECTION.format(url=postgres.url)])
    try:
        server.start()
        wait_until(lambda: server.metric("sluice_project_state") == 2, "the projection runs")
        server.settle()
        yield server
    finally:
        server.remove()


def wait_until(there, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while not there():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WAIT_SECONDS} s: {what}")
        time.sleep(POLL_SECONDS)


def pause(server):
    ask(server, "SLUICE", "PROJECTION", "PAUSE", "likes")
    wait_until(lambda: server.metric("sluice_project_state") == 3, "paused")


def resume(server):
    ask(server, "SLUICE", "PROJECTION", "RESUME", "likes")
    wait_until(lambda: server.metric("sluice_project_state") == 2, "it runs again")


def drained(server):
    wait_until(lambda: server.metric("sluice_project_lag_bytes") == 0, "drained")


def expect_sum(postgres, count):
    """Each increment is in the table, once."""
    ((total,),) = postgres.run("SELECT sum(likes) FROM likes")
    if int(total) != count:
        raise RuntimeError(f"the table has {total} of {count} increments")


def increments(bench, server, keys, writes):
    fill(bench.log, server, ["INCR likes:1{key}"], writes, FILL_RATE, keys=keys)


def backlog(bench, section, postgres, keys, writes):
    results = {name: [] for name in (SLUICE, BATCHED, SINGLE)}

    def note(name, result):
        results[name].append(result)
        bench.say(f"  {name}: {result}")

    for _ in range(bench.runs):
        bench.say(f"S9 a backlog of {writes} writes")
        note(SLUICE, drain(bench, postgres, keys, writes))
        fresh_table(postgres, keys)
        each = pgbench(bench, postgres, MANY_ROWS.format(keys=keys), CLIENTS,
                       "-t", writes // BATCH // CLIENTS)
        note(BATCHED, {"rps": BATCH * each})
        note(SINGLE, {"rps": pgbench(bench, postgres, ONE_ROW.format(keys=keys), SINGLE_CLIENTS,
                                     "-T", bench.seconds)})
    section.add(f"A table of two bigint columns and {keys / 1e6:g}M rows, {writes / 1e6:g}M writes "
                "of random ones; PostgreSQL as Debian has it, fsync on. In its own batches it "
                "makes up the rows itself:")
    section.table(["", "rows/s"], [[name, shown(figures(results, name))] for name in results])
    cores, rows = (median(figures(results, SLUICE, key)) for key in ("cores", "batch"))
    section.add(f"Sluice was busy for {cores:.2f} of a core meanwhile, in batches of {rows:.0f} "
                "rows. A batch of PostgreSQL's own:")
    section.add("```sql\n" + MANY_ROWS.format(keys=keys) + "\n```")
    section.ratio("to PostgreSQL's own batches of 1,000 rows",
                  figures(results, SLUICE), figures(results, BATCHED), 0.6)
    single = median(figures(results, SLUICE)) / median(figures(results, SINGLE))
    section.figure("to its single rows", f"{single:.2f}x")


def drain(bench, postgres, keys, writes):
    """From RESUME until the table has everything, while nobody writes."""
    fresh_table(postgres, keys)
    with projecting(bench, postgres) as server:
        pause(server)
        increments(bench, server, keys, writes)
        server.settle()
        begin, used = time.monotonic(), cpu_seconds(server)
        resume(server)
        drained(server)
        seconds, used = time.monotonic() - begin, cpu_seconds(server) - used
        rows = server.metric("sluice_project_rows_total")
        expect_sum(postgres, writes)
        return {"rps": rows / seconds, "cores": used / seconds,
                "batch": rows / server.metric("sluice_project_batches_total")}


def hot_counter(bench, section, postgres):
    ours, peers = [], []
    for _ in range(bench.runs):
        bench.say("S9 one hot counter")
        fresh_table(postgres, 1)
        with projecting(bench, postgres) as server:
            begin = time.monotonic()
            count = bench.requests * 3
            redis_benchmark(bench.log, server, ["INCR", f"likes:{FIRST}"], count, 64)
            drained(server)
            ours.append(count / (time.monotonic() - begin))
            expect_sum(postgres, count)
        fresh_table(postgres, 1)
        peers.append(pgbench(bench, postgres, INCREMENT, SINGLE_CLIENTS, "-T", bench.seconds))
    section.add("Increments of one counter a second until the table has them, INCR at -P 64 "
                f"through Sluice: {shown(ours)}. PostgreSQL's own, {SINGLE_CLIENTS} clients: "
                f"{shown(peers)}.")
    section.ratio("one hot counter to n = n + 1", ours, peers, 100)


def writers(bench, section, postgres, keys, writes):
    results = {}
    states = (("projection paused", None), ("draining a backlog", resume), ("running", drained),
              ("PostgreSQL away", lambda _: postgres.kill()))
    for _ in range(bench.runs):
        bench.say("S9 writers beside it")
        fresh_table(postgres, keys)
        with projecting(bench, postgres) as server:
            pause(server)
            increments(bench, server, keys, writes // 3)
            server.settle()
            for name, reach in states:
                if reach:
                    reach(server)
                found = open_loop(bench.log, server, ["--do", "INCR likes:1{key}"], BESIDE_RATE,
                                  bench.seconds, keys=keys)["latency_us"]
                found = {key: found[key] / 1000 for key in ("p50", "p99", "p99.9")}
                results.setdefault(name, []).append(found)
                bench.say(f"  {name}: {found}")
        postgres.start()
    section.add(f"Writers at {BESIDE_RATE}/s, INCR of random keys that go to the table:")
    section.table(["ms", "p50", "p99", "p99.9"],
                  [[name] + [ms(figures(results, name, key)) for key in ("p50", "p99", "p99.9")]
                   for name in results])
