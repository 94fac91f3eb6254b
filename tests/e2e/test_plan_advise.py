"""`sluice advise` and `sluice plan`, as people run them."""

import bz2
import contextlib
import gzip
import hashlib
import json
import random
import re
import resource
import subprocess
import threading
import xml.etree.ElementTree as xml

import pytest


def run(sluice_bin, *words, status=0, stdin=None):
    done = subprocess.run(
        [sluice_bin, *map(str, words)], input=stdin, capture_output=True, timeout=55, check=False)
    assert done.returncode == status, (done.stdout + done.stderr).decode()
    return done


def advise(sluice_bin, *words, **options):
    return json.loads(run(sluice_bin, "advise", *words, "--json", **options).stdout)


def reviews(rows, seed=1):
    """As shops have them: few vendors, one heavy, mostly five stars, times nearly in order, many
    reviewers who write once or twice."""
    draw = random.Random(seed)
    yield "reviewerId,vendorId,rating,date"
    for i in range(rows):
        minute = max(0, i + draw.randrange(-20, 20))
        vendor = 3 if draw.random() < 0.2 else int(40 * draw.random() ** 2)
        rating = 5 if draw.random() < 0.8 else draw.randrange(0, 5)
        date = (f"2006-{1 + minute // 40320 % 12:02}-{1 + minute // 1440 % 28:02} "
                f"{minute // 60 % 24:02}:{minute % 60:02}")
        yield f"{draw.randrange(rows * 2 // 3)},{vendor},{rating},{date}"


def test_reviews_are_sharded_by_reviewer(sluice_bin, tmp_path):
    """Goal: the reviewer comes first, and what is wrong with the others is said with figures.
    Method: made-up reviews, plain, packed and from standard input: all the same."""
    text = ("\n".join(reviews(20_000)) + "\n").encode()
    plain, packed, zipped = (tmp_path / name for name in ("r.csv", "r.csv.bz2", "r.csv.gz"))
    plain.write_bytes(text)
    packed.write_bytes(bz2.compress(text))
    zipped.write_bytes(gzip.compress(text))
    found = advise(sluice_bin, plain)
    assert found["rows"] == 20_000
    assert [key["key"] for key in found["keys"]][0] == "reviewerId"
    keys = {key["key"]: key for key in found["keys"]}
    assert keys["reviewerId"]["grade"] == "good"
    codes = {name: {finding["code"] for finding in key["findings"]} for name, key in keys.items()}
    for name, code in {"vendorId": "few_values", "rating": "few_values", "date": "time"}.items():
        assert keys[name]["grade"] == "bad", name
        assert code in codes[name]
    assert keys["rating"]["top_share"] > 0.7
    assert keys["date"]["maps"]["range"]["skew_at_a_time"] > 4
    assert keys["reviewerId"]["maps"]["hash"]["skew"] < 1.2
    for other in (packed, zipped):
        assert advise(sluice_bin, other)["keys"] == found["keys"]
    assert advise(sluice_bin, "-", "--format", "csv", stdin=text)["keys"] == found["keys"]
    shown = run(sluice_bin, "advise", plain).stdout.decode()
    assert re.search(r"^  1  reviewerId  good", shown, re.M), shown
    assert 'shard = "hash(reviewerId)"' in shown
    assert "it is a clock" in shown


@pytest.mark.parametrize("name, text, status, said", [
    ("e.csv", b"", 2, "no header row"),
    ("h.csv", b"a,b\n", 1, "no rows"),
    ("d.csv", b"a,b,a\n1,2,3\n", 2, '"a" is there twice'),
    ("b.csv", bytes(range(256)) * 9, 2, "header row"),
    ("r.csv", b"a,b\n1\n2,3,4\n", 1, "1 fields where the header has 2"),
    ("q.csv", b'a,b\n1,"2\n', 1, "never closed"),
    ("x.ndjson", b"no\n", 1, "not JSON"),
    ("x.what", b"a\n1\n", 2, "--format"),
    ("x.csv.bz2", b"BZh91AY&SY" + b"x" * 50, 3, ""),
    ("y.csv.bz2", b'\x07"\xfe,' * 999, 3, "y.csv.bz2 is not bzip2"),
    ("y.csv.gz", b"a,b\n1,2\n", 3, "y.csv.gz is not gzip"),
    ("y.ndjson.zst", b"", 3, "y.ndjson.zst is not zstd"),
])
def test_bad_input_is_answered(sluice_bin, tmp_path, name, text, status, said):
    file = tmp_path / name
    file.write_bytes(text)
    done = run(sluice_bin, "advise", file, status=status)
    assert said in done.stderr.decode()
    assert done.stdout == b""


def test_what_can_be_used_is_used(sluice_bin, tmp_path):
    """One column, ragged rows beside good ones, a column without a value, names that are odd."""
    file = tmp_path / "a.csv"
    file.write_text("id\n" + "\n".join(str(i % 700) for i in range(2_100)) + "\n")
    assert advise(sluice_bin, file)["keys"][0]["key"] == "id"
    file.write_text("id,\"größe, \"\"x\"\"\",none\n1\n"
                    + "".join(f"{i % 300},{i},\n" for i in range(1_200)))
    found = advise(sluice_bin, file)
    assert (found["rows"], found["bad_rows"]) == (1_200, 1)
    keys = {key["key"]: key for key in found["keys"]}
    assert set(keys) == {"id", 'größe, "x"', "none"}
    assert keys["none"]["grade"] == "bad"
    run(sluice_bin, "advise", tmp_path / "nothing.csv", status=2)
    run(sluice_bin, "advise", status=2)
    run(sluice_bin, "advise", file, "--shards", "1", status=2)
    run(sluice_bin, "advise", file, "--record", "nobody", status=2)


def test_memory_does_not_grow_with_the_rows(sluice_bin):
    """Goal: bounded memory. Method: 500,000 rows of three columns of distinct values, more than
    are counted one by one, within an address space that could not hold them all."""
    check_rows(sluice_bin, 500_000)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_ten_million_rows(sluice_bin):
    check_rows(sluice_bin, 10_000_000)


def check_rows(sluice_bin, rows):
    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (320 << 20, 320 << 20))

    # The sanitizers' own memory is beyond any such limit.
    limited = {} if "san" in str(sluice_bin) else {"preexec_fn": limit}
    with subprocess.Popen([sluice_bin, "advise", "-", "--format", "csv", "--json"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, **limited) as process:
        def feed():
            process.stdin.write(b"a,b,c\n")
            for first in range(0, rows, 10_000):
                process.stdin.write(b"".join(
                    b"u%d,v%d,%d.5\n" % (i // 2, i, i * 7) for i in range(first, first + 10_000)))
            process.stdin.close()
        thread = threading.Thread(target=feed)
        thread.start()
        out = process.stdout.read()
        thread.join()
        assert process.wait() == 0
    found = json.loads(out)
    assert found["rows"] == rows
    keys = {key["key"]: key for key in found["keys"]}
    assert abs(keys["a"]["distinct"] / (rows / 2) - 1) < 0.05
    assert abs(keys["b"]["distinct"] / rows - 1) < 0.05
    assert not (keys["b"]["distinct_exact"] and keys["c"]["distinct_exact"])
    assert found["keys"][0]["key"] == "a"


def test_plan_prints_the_arithmetic(sluice_bin, tmp_path):
    """Goal: the worked examples, with thousands separators. Method: as the manual writes them."""
    svg = tmp_path / "plan.svg"
    done = run(sluice_bin, "plan", "--writes", 120000, "--per-shard", 15000, "--headroom", "25%",
               "--hot-key", 30000, "--what-if", "writes=240000", "--svg", svg)
    for figure in ("160,000", "10.67", "10,909", "4,091", "sub-keys", "more shards do not help",
                   "provisioned: 11 -> 22", "ends first", "bench/results/latest.md"):
        assert figure in done.stdout.decode(), done.stdout.decode()
    assert xml.parse(svg).getroot().tag.endswith("svg")
    found = json.loads(run(sluice_bin, "plan", "--writes", 96000, "--per-shard", 12000,
                           "--headroom", "20%", "--json").stdout)
    assert (found["shards"]["least"], found["shards"]["provisioned"]) == (8, 10)


@pytest.mark.parametrize("words", [
    [], ["--writes", "x"], ["--writes", "-5"], ["--writes", "1", "--headroom", "100%"],
    ["--writes", "1", "--what-if", "nothing"], ["--nothing"], ["--writes", "1", "--p99", "1ms"],
    ["--live", "--url", "nothing"],
])
def test_plan_refuses(sluice_bin, words):
    assert run(sluice_bin, "plan", *words, status=2).stderr


@pytest.mark.parametrize("words", [["--keys", "50M"], ["--window", "50ms"]])
def test_a_chart_needs_writes(sluice_bin, tmp_path, words):
    """Goal: no empty chart. Method: plans without the writes that the chart is of."""
    svg = tmp_path / "plan.svg"
    refused = run(sluice_bin, "plan", *words, "--svg", svg, status=2)
    assert b"--svg" in refused.stderr
    assert b"needs --writes" in refused.stderr
    assert not svg.exists()
    assert refused.stdout == b""


@contextlib.contextmanager
def writing(client, key):
    """SETs of key(i), for as long as the block runs."""
    stop = threading.Event()

    def load():
        i = 0
        while not stop.is_set():
            pipe = client.pipeline(transaction=False)
            for _ in range(50):
                pipe.set(key(i), "x" * 100)
                i += 1
            pipe.execute()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_plan_measures_a_running_node(sluice):
    """Goal: figures of the node itself, under a load that is known. Method: a client that writes as
    it can while the plan watches; syncs, bytes and rate must be there, and agree roughly."""
    with writing(sluice.client(), "key:{}".format):
        done = run(sluice.binary, "plan", "--live", "--port", sluice.port, "--http-port",
                   sluice.http_port, "--seconds", 2, "--p99", "1s", "--json")
    found = json.loads(done.stdout)
    assert found["live"]["writes_at_p99"] > 0
    assert found["given"]["writes"] > 0
    assert 100 < found["given"]["log-bytes"] < 200
    assert 0 < found["given"]["syncs-per-write"] <= 1
    done = run(sluice.binary, "plan", "--live", "--port", sluice.port, "--http-port",
               sluice.http_port, "--seconds", 1, status=1)
    assert b"took no write" in done.stderr


USERS = """
[keyspace.order]
key = "order:{customer}:{state}:{order}"
shard = "hash(customer)"

[user.admin]
password_sha256 = "%s"
commands = ["read", "write", "admin"]

[user.one]
password_sha256 = "%s"
keys = ["order:1:*"]
""" % ((hashlib.sha256(b"secret").hexdigest(),) * 2)


def test_a_running_node_with_users(start_sluice):
    """Goal: plan and advise read a node as the user they are given: its figures, and the keys of
    its writes, by whose segments they are graded; who may not see all keys is refused. Method:
    orders of many customers in three states."""
    node = start_sluice(USERS, username="admin", password="secret")
    url = f"admin:secret@127.0.0.1:{node.http_port}"

    def order(i):
        return f"order:{i * 7919 % 499}:{('new', 'paid', 'sent')[i % 3]}:{i}"

    with writing(node.client(), order):
        done = run(node.binary, "plan", "--live", "--url",
                   f"redis://admin:secret@127.0.0.1:{node.port}", "--http-port", node.http_port,
                   "--seconds", 1, "--json")
        assert json.loads(done.stdout)["given"]["writes"] > 0
        found = advise(node.binary, "--live", f"http://{url}", "--seconds", 3)
        keys = {key["key"]: key for key in found["keys"]}
        assert found["rows"] > 1_000
        assert keys["customer"]["grade"] == "good", keys["customer"]["findings"]
        assert keys["state"]["grade"] == "bad"
        assert {f["code"] for f in keys["state"]["findings"]} >= {"few_values"}
        for user, why in (("one:secret", b"403"), ("admin:wrong", b"401"), ("", b"401")):
            place = f"http://{user}@127.0.0.1:{node.http_port}" if user else \
                f"127.0.0.1:{node.http_port}"
            refused = run(node.binary, "advise", "--live", place, "--seconds", 1, status=2)
            assert refused.stderr, why
        idle = run(node.binary, "advise", "--live", f"http://{url}", "--seconds", 1, "--keyspace",
                   "default", status=1)
        assert b"took no write of keyspace default" in idle.stderr
        nobody = run(node.binary, "advise", "--live", f"http://{url}", "--keyspace", "orders",
                     status=2)
        assert b'has no keyspace "orders"; did you mean "order"?' in nobody.stderr


def test_advise_takes_keys_without_a_template_apart(sluice):
    """Goal: keys of `default` have what stands between colons as columns. Method: a clock in
    front."""
    with writing(sluice.client(), lambda i: f"2024-05-{1 + i // 40_000:02}:user{i * 31 % 499}"):
        found = advise(sluice.binary, "--live", f"127.0.0.1:{sluice.http_port}", "--seconds", 3)
    keys = {key["key"]: key for key in found["keys"]}
    assert keys["part2"]["grade"] == "good", found
    assert keys["part1"]["grade"] == "bad"


@pytest.mark.parametrize("words", [
    ["--live", "127.0.0.1:1"], ["--live", "127.0.0.1:7380", "a.csv"], [], ["--keyspace", "a", "-"],
    ["--live", "no port:x"], ["--live", "127.0.0.1:7380", "--seconds", "0"],
])
def test_advise_live_refuses(sluice_bin, words):
    status = 1 if words == ["--live", "127.0.0.1:1"] else 2
    assert run(sluice_bin, "advise", *words, status=status).stderr


@pytest.mark.parametrize("place", [
    "http://127.0.0.1:1/foo", "http://127.0.0.1:1/0", "127.0.0.1:1/foo", "http://:1", "http://a:x",
    "https://127.0.0.1:1", "redis://127.0.0.1:1",
])
def test_an_address_is_refused_in_its_own_form(sluice_bin, place):
    """Goal: who gives no address is told the form that --live takes, not that of another verb.
    Method: paths, missing parts, other schemes."""
    refused = run(sluice_bin, "advise", "--live", place, status=2)
    assert b"http://[user:password@]host[:port]" in refused.stderr
    assert b"redis" not in refused.stderr
    run(sluice_bin, "advise", "--live", "http://127.0.0.1:1/", status=1)  # nobody is there
