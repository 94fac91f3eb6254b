"""The worked examples about batching, windows and folding: the arithmetic, and a run beside it."""

import contextlib
import subprocess

import arithmetic
from measure import GET, open_loop, redis_benchmark_command
from postgres import Postgres
from report import Section, rate
from scenarios.s9 import (FIRST, ONE_ROW, drained, expect_sum, fresh_table, pgbench, projecting)
from servers import Sluice

SEND_RATE = 50_000  # of likes, while they are sent
ROW_KEYS = 100_000
MORE = 10  # times the writes of one key
ENDLESS = 1_000_000_000  # requests: they are ended
BARS = 40  # letters of the longest bar


def measure(bench):
    section = Section("EXAMPLES", "worked examples")
    log_batches(bench, section)
    window(bench, section)
    one_key(bench, section)
    with Postgres() as postgres:
        row_batches(bench, section, postgres)
        one_post(bench, section, postgres)
    return section


def serving(bench, *lines):
    return Sluice(bench.directory / "sluice", lines=lines)


class Counted:
    """What metrics of a server grew by while the block lasted: .grew[name]."""

    def __init__(self, server, *names):
        self.server, self.names = server, names
        self.grew = {}

    def __enter__(self):
        self.before = [self.server.metric(name) for name in self.names]
        return self

    def __exit__(self, *_):
        for name, before in zip(self.names, self.before):
            self.grew[name] = self.server.metric(name) - before


def run(bench, lines, body):
    server = serving(bench, *lines)
    try:
        server.start()
        server.settle()
        return body(server)
    finally:
        server.remove()


def log_batches(bench, section, writes=32_000, page_writes=5_000, appends=40_000, batch=200,
                flush_ms=4):
    bench.say("EXAMPLES log batches")
    told = arithmetic.log_batches(writes, page_writes, appends, batch, flush_ms)
    section.add(
        f"**{writes:,} writes/s; the disk carries {page_writes:,} random page writes/s or "
        f"{appends:,} appends/s; {batch} to a batch, {flush_ms} ms a flush.** Written to their "
        f"pages directly: {'possible' if told['direct'] else 'impossible'}. Appended to a log: "
        f"{'fits' if told['log'] else 'does not fit'}. {writes:,} / {batch} = "
        f"{told['flushes']:,.0f} flushes, {told['flushes']:,.0f} x {flush_ms} ms = "
        f"{told['work_ms']:,.0f} ms of work per second.")
    seconds = bench.seconds
    # A window in which a batch comes together at this rate.
    delay_ms = round(1000 * batch / writes)

    def body(server):
        with Counted(server, "sluice_log_records_total", "sluice_log_sync_seconds_count",
                     "sluice_log_sync_seconds_sum") as counted:
            found = open_loop(bench.log, server, ["set"], writes, seconds, connections=100,
                              pipeline=16)
        return found, counted.grew

    found, grew = run(bench, ["[log]", f'group_delay = "{delay_ms}ms"'], body)
    records = grew["sluice_log_records_total"]
    syncs = grew["sluice_log_sync_seconds_count"]
    busy = grew["sluice_log_sync_seconds_sum"]
    here = arithmetic.log_batches(found["answered_per_second"], page_writes, appends,
                                  records / syncs, 1000 * busy / syncs)
    section.add(
        f"Here, with `group_delay = \"{delay_ms}ms\"`, for {seconds} s: "
        f"{found['answered_per_second']:,.0f} writes/s in batches of {records / syncs:.0f}, "
        f"{1000 * busy / syncs:.2f} ms a flush: {here['flushes']:,.0f} flushes, "
        f"{here['work_ms']:,.0f} ms of work per second.")
    section.figure("flushes per second, worked out and here",
                   f"{told['flushes']:,.0f} and {here['flushes']:,.0f}")


def window(bench, section, window_ms=50, parts=10):
    bench.say("EXAMPLES a window")

    def body(server):
        return open_loop(bench.log, server, ["set"], 1_000, bench.seconds, connections=200)

    found = run(bench, ["[log]", f'group_delay = "{window_ms}ms"'], body)["latency_us"]
    shares = arithmetic.shares_of_window(found["cells"], window_ms * 1000, parts)
    section.add(f"**A batch window of {window_ms} ms: some writes wait nearly {window_ms} ms.** "
                f"1,000 SET/s for {bench.seconds} s; how many waited how long:")
    step = window_ms // parts
    names = [f"{i * step} to {(i + 1) * step} ms" for i in range(parts)]
    names.append(f"{window_ms} ms and more")
    most = max(shares)
    section.add("```\n" + "\n".join(
        f"{name:>14} {100 * share:5.1f} %  {'#' * round(BARS * share / most)}"
        for name, share in zip(names, shares)) + "\n```")
    section.figure(f"p50, p99 and max with a window of {window_ms} ms",
                   f"{found['p50'] / 1000:.3g}, {found['p99'] / 1000:.3g} and "
                   f"{found['max'] / 1000:.3g} ms")


def one_key(bench, section, writes=30_000, per_shard=12_000):
    bench.say("EXAMPLES one key")
    told = arithmetic.hot_key(writes, per_shard)
    section.add(
        f"**{writes:,} writes/s on one key, {per_shard:,} per shard.** The key lies in one shard, "
        f"so more shards do not help. {writes:,} / {per_shard:,} = {writes / per_shard:g}: "
        f"{told['sub_keys']} sub-keys do, or folding {told['fold_at_least']:g} or more writes into "
        "each record.")

    def counting(server, rate_due):
        with Counted(server, "sluice_shard_writes_total", "sluice_log_records_total") as counted:
            found = open_loop(bench.log, server, ["incr"], rate_due, bench.seconds, connections=50,
                              pipeline=64, keys=1)
        return found, counted.grew

    def body(server):
        alone, more = counting(server, writes), counting(server, MORE * writes)
        with reads(bench, server):
            full = counting(server, writes)
        return {"alone": alone, f"alone, {MORE} times as many": more,
                "while reads fill the lane": full}

    rows, folds = [], {}
    for name, (found, grew) in run(bench, [], body).items():
        records = grew["sluice_log_records_total"]
        folds[name] = grew["sluice_shard_writes_total"] / records
        rows.append([name, f"{found['answered_per_second']:,.0f}",
                     f"{records / bench.seconds:,.0f}", f"{folds[name]:.1f}",
                     f"{found['applied']:,} and {found['acknowledged']:,}"])
        if found["applied"] != found["acknowledged"]:
            raise RuntimeError(f"one key, {name}: {found['acknowledged']} increments were "
                               f"acknowledged, {found['applied']} are in the counter")
    section.add("A lane folds what one of its turns finds. With time to spare its turns are "
                "short, and hold a write or two of the key: it carries so many records, and no "
                "write waits to be folded. The less time it has, the longer its turns, and the "
                f"more writes each record takes. Here, {bench.seconds} s each:")
    section.table(["on one key", "writes/s", "records/s", "writes to a record",
                   "applied and acknowledged"], rows)
    section.at_least("writes of one key to a record, while its lane is full", folds[name],
                     told["fold_at_least"], "")


@contextlib.contextmanager
def reads(bench, server):
    """redis-benchmark asks for keys that are not there, as fast as it gets answers."""
    command = redis_benchmark_command(server, GET, ENDLESS, 64)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        bench.log.add(command, "ended" if process.poll() is None else "failed", server.name)
        if process.poll() is not None:
            raise RuntimeError(f"redis-benchmark ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def row_batches(bench, section, postgres, writes=9_000, each_ms=1.2, batch=300, batch_ms=18):
    bench.say("EXAMPLES batches of rows")
    told = arithmetic.row_batches(writes, each_ms, batch, batch_ms)
    section.add(
        f"**{writes:,} writes/s at {each_ms} ms; batches of {batch} at {batch_ms} ms.** "
        f"{writes:,} x {each_ms} ms = {told['single_ms']:,.0f} ms; {writes:,} / {batch} x "
        f"{batch_ms} ms = {told['batches_ms']:,.0f} ms of work per second, "
        f"{told['less_percent']:.0f} % less.")
    fresh_table(postgres, ROW_KEYS)
    single_ms = one_by_one(bench, postgres)
    fresh_table(postgres, ROW_KEYS)  # what was just written would be counted as increments
    names = [f"sluice_project_{name}" for name in
             ("rows_total", "write_seconds_count", "write_seconds_sum")]
    with projecting(bench, postgres) as server, Counted(server, *names) as counted:
        found = open_loop(bench.log, server, ["--do", "INCR likes:1{key}"], writes, bench.seconds,
                          keys=ROW_KEYS)
        drained(server)
        expect_sum(postgres, found["answered"])
    rows, batches, busy = (counted.grew[name] for name in names)
    here = arithmetic.row_batches(writes, single_ms, rows / batches, 1000 * busy / batches)
    section.add(
        f"Here, into PostgreSQL for {bench.seconds} s: one by one {single_ms:.2f} ms each, so "
        f"{here['single_ms']:,.0f} ms; a projection's batches of {rows / batches:.0f} rows at "
        f"{1000 * busy / batches:.1f} ms: {here['batches_ms']:,.0f} ms of work per second, "
        f"{here['less_percent']:.0f} % less.")
    section.figure("work saved by batches of rows, worked out and here",
                   f"{told['less_percent']:.0f} % and {here['less_percent']:.0f} %")


def one_by_one(bench, postgres):
    """Milliseconds of one upsert of one connection, each a transaction."""
    return 1000 / pgbench(bench, postgres, ONE_ROW.format(keys=ROW_KEYS), 1, "-T", bench.seconds)


def one_post(bench, section, postgres, likes=100_000):
    bench.say("EXAMPLES likes of one post")
    fresh_table(postgres, 1)
    names = ("sluice_project_rows_total", "sluice_project_batches_total",
             "sluice_project_writes_total")
    with projecting(bench, postgres) as server, Counted(server, *names) as counted:
        found = open_loop(bench.log, server, ["--do", f"INCR likes:{FIRST}"], SEND_RATE,
                          likes // SEND_RATE, pipeline=64)
        drained(server)
        expect_sum(postgres, likes)
    rows, batches, writes = (counted.grew[name] for name in names)
    section.add(
        f"**{likes:,} likes of one post.** One row update per window in PostgreSQL: here "
        f"{found['answered']:,} likes at {rate(SEND_RATE)}/s came to {rows:,.0f} row updates in "
        f"{batches:,.0f} windows, which stand for {writes:,.0f} writes; the table has {likes:,}.")
    section.bar("row updates per window", f"{rows / batches:.3g}", "one", rows == batches)
