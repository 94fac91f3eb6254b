"""`sluice load`: every row once, in the order of its key, through refusals, crashes and kills.

Goal:   rows read = applied + rejected, and the server ends with exactly what Python computes from
        the same file, whatever interrupts the load.
Method: files written here (and a large one, if $SLUICE_REVIEWS names one), a real server that is
        killed, a loader that is killed, and a scripted server that refuses and hangs up.
"""

import bz2
import csv
import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from fake_sluice import HANG_UP, HANG_UP_AFTER, FakeSluice
from servers import wait_for

ROWS = 60_000
LONG_ROWS = 580_000
DO = [
    "--do",
    "HSET review:{reviewer}:{vendor} rating {rating} at {date}",
    "--do",
    "INCR vendor:{vendor}",
    "--do",
    "INCR rating:{rating}",
]


class Loader:
    """One run of `sluice load`."""

    def __init__(self, binary, port, *words, stdin=None):
        self.process = subprocess.Popen(
            [str(binary), "load", "--port", str(port), *map(str, words)],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.input = stdin

    def end(self, seconds=50):
        """(exit status, stdout, stderr)."""
        out, err = self.process.communicate(self.input, timeout=seconds)
        return self.process.returncode, out.decode(), err.decode()


def load(binary, port, *words, stdin=None):
    return Loader(binary, port, *words, stdin=stdin).end()


def summary(out):
    """(read, applied, rejected) of the summary."""
    found = re.search(r"(\d+) rows read = (\d+) applied \+ (\d+) rejected", out)
    assert found, out
    read, applied, rejected = map(int, found.groups())
    assert read == applied + rejected
    return read, applied, rejected


def write_reviews(path, rows, seed=1):
    """A table as a shop has it: few vendors, some of them hot; pairs that come again."""
    chance = random.Random(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["reviewer", "vendor", "rating", "date"])
        for n in range(rows):
            writer.writerow(
                [
                    chance.randrange(rows // 4),
                    int(chance.paretovariate(0.8)) % 250,
                    chance.choice("0123455555"),
                    f"2006-0{n % 9 + 1}-{n % 28 + 1:02d} 12:16",
                ]
            )
    return path


class Truth:
    """What must be in the server after a load, computed from the file."""

    def __init__(self, path, reviewer="reviewer", vendor="vendor"):
        opener = bz2.open if str(path).endswith(".bz2") else open
        self.rows, self.vendors, self.ratings, self.reviews = 0, Counter(), Counter(), {}
        with opener(path, "rt", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                self.rows += 1
                self.vendors[row[vendor]] += 1
                self.ratings[row["rating"]] += 1
                self.reviews[row[reviewer], row[vendor]] = (row["rating"], row["date"])

    def check(self, redis):
        for name, counts in (("vendor", self.vendors), ("rating", self.ratings)):
            keys = list(counts)
            values = redis.mget([f"{name}:{key}" for key in keys])
            assert {key: int(value or 0) for key, value in zip(keys, values)} == dict(counts)
        pairs = list(self.reviews)
        for start in range(0, len(pairs), 10_000):
            part = pairs[start : start + 10_000]
            pipe = redis.pipeline(transaction=False)
            for reviewer, vendor in part:
                pipe.hmget(f"review:{reviewer}:{vendor}", "rating", "at")
            for pair, (rating, date) in zip(part, pipe.execute()):
                expected = tuple(text.encode() for text in self.reviews[pair])
                assert (rating, date) == expected, pair


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    path = write_reviews(tmp_path_factory.mktemp("reviews") / "reviews.csv", ROWS)
    return path, Truth(path)


def test_a_file_ends_up_in_the_server(sluice, sluice_bin, reviews):
    path, truth = reviews
    status, out, err = load(sluice_bin, sluice.port, path, *DO)
    assert status == 0, err
    assert summary(out) == (truth.rows, truth.rows, 0)
    truth.check(sluice.client())


def test_all_formats_hold_the_same_rows(sluice, sluice_bin, tmp_path):
    """Method: the same rows, hostile values among them, in every format and from standard input."""
    values = [
        "plain",
        "two words",
        'quo"te',
        "com,ma",
        "new\nline",
        "",
        "ü€\U0001f600",
        "tab\there",
        "'",
        "{a}",
        "\\",
        "x" * 100_000,
    ]
    rows = [{"id": str(n), "value": value} for n, value in enumerate(values)]

    def table(name, delimiter):
        path = tmp_path / name
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["id", "value"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path

    ndjson = tmp_path / "rows.ndjson"
    ndjson.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    packed = tmp_path / "rows.csv.bz2"
    packed.write_bytes(bz2.compress(table("rows.csv", ",").read_bytes()))
    gzipped = tmp_path / "rows.csv.gz"
    gzipped.write_bytes(gzip.compress(table("rows.csv", ",").read_bytes()))
    bom = tmp_path / "bom.csv"
    bom.write_bytes(b"\xef\xbb\xbf" + (tmp_path / "rows.csv").read_bytes())
    redis = sluice.client()
    runs = [
        ([tmp_path / "rows.csv"], None),
        ([table("rows.tsv", "\t")], None),
        ([ndjson], None),
        ([packed], None),
        ([bom], None),
        (["-"], bom.read_bytes() + b"\r\n"),
        (["-", "--format", "ndjson"], ndjson.read_bytes()),
        ([gzipped], None),
        (["-", "--format", "csv"], packed.read_bytes()),
        (["-", "--format", "csv"], gzipped.read_bytes()),
    ]
    for number, (words, stdin) in enumerate(runs):
        do = ["--do", f"SET run{number}:{{id}} {{value}}", "--do", f"INCR n{number}"]
        status, out, err = load(sluice_bin, sluice.port, *words, *do, stdin=stdin)
        assert (status, summary(out)[0]) == (0, len(rows)), (words, err)
        for row in rows:
            assert redis.get(f"run{number}:{row['id']}") == row["value"].encode(), (
                words,
                row["id"],
            )
        assert redis.get(f"n{number}") == b"%d" % len(rows)


def test_rows_that_cannot_be_applied_are_named(sluice, sluice_bin, tmp_path):
    path, rejects = tmp_path / "in.csv", tmp_path / "rejects.csv"
    path.write_text('id,value\n1,one\n2\n3,"a, b"\nhash,x\n5,q"uote\n6,six\n7,"open\n')
    sluice.client().hset("k:hash", "f", 1)
    words = [
        path,
        "--do",
        "INCR seen:{id}",
        "--do",
        "APPEND k:{id} {value}",
        "--do",
        "INCR after:{id}",
        "--rejects",
        rejects,
    ]
    status, out, err = load(sluice_bin, sluice.port, *words)
    assert status == 1
    assert summary(out) == (7, 3, 4), err
    with open(rejects, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert [(line[0], line[2]) for line in lines] == [
        ("3", "2"),
        ("5", "hash,x"),
        ("6", '5,q"uote'),
        ("8", '7,"open'),
    ]
    assert "WRONGTYPE" in lines[1][1] and "command 2 of 3" in lines[1][1]
    redis = sluice.client()
    assert redis.get("k:3") == b"a, b"
    # Behind a refused command the row's later ones are not run.
    assert (redis.get("seen:hash"), redis.get("after:hash")) == (b"1", None)
    status, out, err = load(sluice_bin, sluice.port, path, "--do", "SET other:{id} {value}")
    assert status == 1 and "line 3: rejected" in err


def test_wrong_usage_sends_nothing(sluice, sluice_bin, tmp_path):
    path, empty = tmp_path / "in.csv", tmp_path / "empty.csv"
    path.write_text("id\n1\n")
    empty.write_text("")
    for words, message in (
        ([path, "--do", "SET {id} {nosuch}"], "nosuch"),
        ([path], "--do"),
        ([empty, "--do", "PING"], "header"),
        ([tmp_path / "no.csv", "--do", "PING"], "no.csv"),
        ([path, "--do", 'SET "a'], "quote"),
        ([path, "--do", "INCR {id}", "--window", "5000"], "window"),
        ([path, "--do", "INCR {id}", "--resume", "--restart"], "resume"),
        ([path, "--do", "INCR {id}", "--url", "http://x"], "redis://"),
        ([tmp_path, "--do", "INCR {id}", "--format", "csv"], "directory"),
    ):
        status, _, err = load(sluice_bin, sluice.port, *words)
        assert status == 2 and message in err, (words, status, err)
    assert sluice.client().dbsize() == 0
    status, _, err = load(sluice_bin, 1, path, "--do", "INCR {id}")
    assert status == 1 and "127.0.0.1:1" in err


def test_a_plain_redis_is_told_apart(redis_server, sluice_bin, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id\n1\n")
    status, _, err = load(sluice_bin, redis_server.port, path, "--do", "SET {id} 1")
    assert status == 1 and "Sluice" in err


def test_a_second_run_is_a_decision(sluice, sluice_bin, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id\n" + "1\n" * 10)
    redis = sluice.client()
    for count in (10, 20):  # a finished load may simply be done again
        assert load(sluice_bin, sluice.port, path, "--do", "INCR n{id}")[0] == 0
        assert redis.get("n1") == b"%d" % count
    status, out, _ = load(sluice_bin, sluice.port, path, "--do", "INCR n{id}", "--resume")
    assert (status, summary(out)) == (0, (10, 10, 0))
    assert redis.get("n1") == b"20"
    assert load(sluice_bin, sluice.port, path, "--do", "INCR n{id}", "--restart")[0] == 0
    assert redis.get("n1") == b"30"


def kill_loader_again_and_again(server, binary, path, truth, chance, kill_server=False):
    """Kills the loader (and the server) at random moments until a run comes to its end."""
    kills = 0
    resume = []
    while True:
        before = int(server.client().get("rating:5") or 0)
        loader = Loader(binary, server.port, path, *DO, *resume)
        resume = ["--resume"]
        goal = before + chance.randrange(1, truth.rows // 8)

        def far_enough():
            try:
                with server.client() as redis:
                    return (
                        loader.process.poll() is not None or int(redis.get("rating:5") or 0) >= goal
                    )
            except OSError:
                return False

        wait_for(far_enough, 50, "a load that goes on")
        if loader.process.poll() is None:
            kills += 1
            loader.process.send_signal(
                random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            )
            loader.end()
            if kill_server:
                server.restart(kill=True)
            continue
        status, out, err = loader.end()
        assert status == 0, err
        assert summary(out) == (truth.rows, truth.rows, 0)
        return kills


@pytest.mark.parametrize("kill_server", [False, True], ids=["loader", "both"])
def test_a_killed_load_resumes_exactly(sluice, sluice_bin, reviews, kill_server):
    path, truth = reviews
    kills = kill_loader_again_and_again(
        sluice, sluice_bin, path, truth, random.Random(3), kill_server
    )
    assert kills >= 3
    truth.check(sluice.client())


def test_a_load_goes_on_through_a_killed_server(sluice, sluice_bin, reviews):
    path, truth = reviews
    loader = Loader(sluice_bin, sluice.port, path, *DO)
    for part in (5, 3, 2):
        with sluice.client() as redis:
            wait_for(
                lambda: int(redis.get("rating:5") or 0) > truth.ratings["5"] // part
                or loader.process.poll() is not None,
                50,
                f"1/{part} of the load",
            )
        sluice.restart(kill=True)
    status, out, err = loader.end()
    assert status == 0, err
    assert summary(out) == (truth.rows, truth.rows, 0)
    assert "connecting again" in err
    truth.check(sluice.client())


def test_an_unfinished_load_wants_a_decision(sluice, sluice_bin, reviews):
    path, truth = reviews
    loader = Loader(sluice_bin, sluice.port, path, *DO)
    with sluice.client() as redis:
        wait_for(lambda: redis.get("rating:5"), 20, "the first rows")
        loader.process.send_signal(signal.SIGTERM)
        status, out, err = loader.end()
        assert status == 1 and "--resume" in err
        summary(out)
        status, _, err = load(sluice_bin, sluice.port, path, *DO)
        assert status == 2 and "--resume" in err and "--restart" in err
    assert load(sluice_bin, sluice.port, path, *DO, "--resume")[0] == 0
    truth.check(sluice.client())


def test_refusals_and_lost_connections_are_survived(sluice_bin, tmp_path):
    """Method: the scripted server refuses every 51st request and hangs up at every 401st, before or
    after carrying it out."""
    path, rows = tmp_path / "in.csv", 1500
    path.write_text("id,group\n" + "".join(f"{n},{n % 7}\n" for n in range(rows)))
    refusals = [
        b"-THROTTLED reason=limit scope=x retry_ms=3 applied=no\r\n",
        b"-TRYAGAIN moving\r\n",
        b"-OVERLOADED reason=queue class=low retry_ms=2 applied=no\r\n",
        b"-NOSPACE the disk is full\r\n",
        b"-INDOUBT the log failed\r\n",
    ]

    def script(number, words):
        if words[0] == b"SLUICE" and words[1] == b"ONCE":
            if number % 401 == 0:
                return HANG_UP if number % 2 else HANG_UP_AFTER
            if number % 17 == 0 and number % 3 == 0:
                return refusals[number // 51 % len(refusals)]
        return None

    with FakeSluice(script) as server:
        status, out, err = load(
            sluice_bin,
            server.port,
            path,
            "--do",
            "SET last:{group} {id}",
            "--do",
            "INCR count:{group}",
            "--window",
            "200",
        )
        assert status == 0, err
        assert summary(out) == (rows, rows, 0)
        assert server.connections > 5
        assert server.in_flight_max <= 201
        for group in range(7):
            ids = range(group, rows, 7)
            assert server.data[b"last:%d" % group] == b"%d" % ids[-1]
            assert server.data[b"count:%d" % group] == b"%d" % len(ids)


def test_a_server_that_refuses_is_asked_again_no_sooner_than_it_says(sluice_bin, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id\n1\n2\n3\n")
    times = []

    def script(number, words):
        if words[0] == b"SLUICE" and words[1] == b"ONCE":
            times.append(time.monotonic())
            if len(times) <= 3:
                return b"-THROTTLED reason=limit scope=x retry_ms=300 applied=no\r\n"
        return None

    with FakeSluice(script) as server:
        assert load(sluice_bin, server.port, path, "--do", "INCR n")[0] == 0
        assert server.data[b"n"] == b"3"
    assert times[3] - times[2] >= 0.29


def test_damaged_input_ends_the_load_and_says_where_it_was(sluice, sluice_bin, tmp_path):
    text = b"id,x\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(60_000))
    for name, kind, whole in (
        ("in.csv.bz2", "bzip2", bz2.compress(text, 1)),
        ("in.csv.gz", "gzip", gzip.compress(text)),
    ):
        path = tmp_path / name
        path.write_bytes(whole[: len(whole) // 2])
        status, out, err = load(sluice_bin, sluice.port, path, "--do", f"INCR {name}")
        assert status == 3 and f"the {kind} data ends too early" in err, err
        read, applied, _ = summary(out)
        assert read == applied == int(sluice.client().get(name)) > 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_large_file_through_kills(sluice, sluice_bin, tmp_path):
    path = write_reviews(tmp_path / "reviews.csv", LONG_ROWS)
    truth = Truth(path)
    kill_loader_again_and_again(sluice, sluice_bin, path, truth, random.Random(9), kill_server=True)
    truth.check(sluice.client())


REVIEWS = os.environ.get("SLUICE_REVIEWS")

if REVIEWS:  # a file that not every machine has; nothing is counted where it is not named

    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("kill_server", [False, True], ids=["quiet", "kills"])
    def test_the_reviews(sluice, sluice_bin, kill_server):
        """$SLUICE_REVIEWS: a CSV (or .bz2) with reviewerId, vendorId, rating and date."""
        truth = Truth(Path(REVIEWS), "reviewerId", "vendorId")
        do = [
            "--do",
            "HSET review:{reviewerId}:{vendorId} rating {rating} at {date}",
            "--do",
            "INCR vendor:{vendorId}",
            "--do",
            "INCR rating:{rating}",
        ]
        loader = Loader(sluice_bin, sluice.port, REVIEWS, *do)
        if kill_server:
            for part in (4, 2):
                with sluice.client() as redis:
                    wait_for(
                        lambda: int(redis.get("rating:5") or 0) > truth.ratings["5"] // part
                        or loader.process.poll() is not None,
                        100,
                        f"1/{part} of the load",
                    )
                loader.process.kill()
                loader.end()
                sluice.restart(kill=True)
                loader = Loader(sluice_bin, sluice.port, REVIEWS, *do, "--resume")
        status, out, err = loader.end(300)
        assert status == 0, err
        assert summary(out) == (truth.rows, truth.rows, 0)
        truth.check(sluice.client())
