"""The console's page, as a browser shows it."""

import hashlib
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from servers import Sluice, wait_for
from wire import Wire, mapped

WEB = Path(__file__).resolve().parents[2] / "web"
VIRTUAL_MS = 7_000  # of the page's own clock: three refreshes
WAIT_S = 20

CONFIG = """
[keyspace.likes]
key = "likes:{post}"
shard = "hash(post)"
shards = 8

[keyspace.orders]
key = "order:{day}:{id}"
shard = "range(day, id)"
"""

MARKUP = '<img src=x onerror=alert(1)>"&'


@pytest.fixture(scope="module")
def server(sluice_bin, tmp_path_factory):
    """One key takes half of the writes of its keyspace, as long as the tests run."""
    stop = threading.Event()
    with Sluice(sluice_bin, tmp_path_factory.mktemp("console"), CONFIG).start() as running:
        def load():
            with Wire(running.port) as writer:
                n = 0
                while not stop.wait(0.01):
                    batch = []
                    for _ in range(20):
                        n += 1
                        batch += [("INCR", "likes:" + MARKUP), ("INCR", f"likes:{n}"),
                                  ("SET", f"order:{n // 1000}:{n}", "x")]
                    list(writer.pipeline(batch))

        thread = threading.Thread(target=load)
        thread.start()
        yield running
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def hot_shard(server):
    """The id of the shard of the hot key, once the node has seen that it is the hottest."""
    with Wire(server.port) as wire:
        shard = mapped(wire.call("SLUICE", "ROUTE", "likes:" + MARKUP))["shard"]

    def seen():
        likes = [k for k in server.api("keyspaces")["keyspaces"] if k["keyspace"] == "likes"][0]
        heat = server.api("heatmap?keyspace=likes")
        return likes["hottest_shard"] == shard and heat["steps"] > 0

    wait_for(seen, WAIT_S, "the hot shard")
    return shard


def browse(server, tmp_path, path="/"):
    """(the document as it is after some refreshes, what the browser complained of)"""
    browser = shutil.which("chromium", path="/usr/bin:/usr/local/bin")
    assert browser, "chromium is missing: ./dev setup"
    ended = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr", "--log-level=0",
         f"--virtual-time-budget={VIRTUAL_MS}", "--dump-dom",
         f"http://127.0.0.1:{server.http_port}{path}"],
        capture_output=True, text=True, timeout=90, check=True)
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def texts(document, query):
    """The texts of elements that match a simple pattern of their opening tag."""
    return [re.sub(r"<[^>]*>", " ", found)
            for found in re.findall(rf"<{query}[^>]*>(.*?)</{query.split()[0]}>", document, re.S)]


def test_the_page_shows_the_hot_shard(server, hot_shard, tmp_path):
    """Goal: who opens the page sees which shard is hot, by how much, and the key that makes it so;
    the browser has nothing to complain of, and names are never markup. Method: one key takes half
    of the writes; headless Chromium, and the document after three refreshes.
    """
    document, complaints = browse(server, tmp_path)
    assert complaints == []
    assert texts(document, "p id=\"ready\"") == ["ready"]
    assert any("skewed" or "likes" in text for text in texts(document, "button"))
    (warning,) = [text for text in texts(document, "p") if "times the mean" in text]
    assert f"shard {hot_shard} takes" in warning
    rows = texts(document, "tr data-hot")
    assert f"▲ {hot_shard}" in rows[0] and "serving" in rows[0]
    assert "&lt;img src=x onerror=alert(1)&gt;" in rows[1] and "<img" not in document
    assert f"Shard {hot_shard} is the hottest now" in document
    assert re.search(rf'<li[^>]*data-hot[^>]*>▲ {hot_shard}</li>', document)
    assert 'aria-label="Heat of keyspace likes"' in document
    assert "u-legend" in document  # the lines are drawn


def test_the_page_asks_nobody_else(server):
    """Goal: a browser runs only what the node itself sends. Method: the headers and the files."""
    for path in ("/", "/console.js", "/console.css"):
        connection_status, body = server.http(path)
        assert connection_status == 200
        assert not re.search(r"""(?:src|href|url|import)\s*[=(]\s*["']?(?:https?:)?//""", body)
    headers = subprocess.run(["curl", "-sI", f"http://127.0.0.1:{server.http_port}/"],
                             capture_output=True, text=True, check=True).stdout
    policy = re.search(r"^Content-Security-Policy: (.*)$", headers, re.M).group(1)
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_page_is_what_its_sources_build():
    """Goal: nobody changes the sources and forgets the build. Method: the digests noted by it."""
    noted = {}
    for line in (WEB / "dist/sources.sha256").read_text().splitlines():
        digest, name = line.split()
        noted[name] = digest
    sources = ["index.html", "package.json", "package-lock.json", "tsconfig.json",
               "vite.config.js", *(f"src/{file.name}" for file in (WEB / "src").iterdir())]
    now = {name: hashlib.sha256((WEB / name).read_bytes()).hexdigest() for name in sources}
    assert noted == now, "./dev web"
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert not any("resolved" in package for package in lock["packages"].values())


@pytest.mark.long
@pytest.mark.release_only
def test_the_build_can_be_repeated(tmp_path):
    """Goal: the page in the repository is the one that its sources and the versions in the lock
    file build, byte for byte. Method: build it again elsewhere.
    """
    copy = tmp_path / "web"
    shutil.copytree(WEB, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=copy, check=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=copy, check=True)
    for built in (copy / "dist").iterdir():
        assert built.read_bytes() == (WEB / "dist" / built.name).read_bytes(), built.name


def test_the_heat_map_tells_where_and_when(server, hot_shard):
    """Goal: the heat map of a keyspace has the hot key's stretch as its hottest, in each
    resolution, and says no to what it cannot show. Method: the stretch that the shard's range and
    the hot key's token lie in.
    """
    with Wire(server.port) as wire:
        token = mapped(wire.call("SLUICE", "ROUTE", "likes:" + MARKUP))["token"].decode()
    for resolution in ("1m", "10m", "1h"):
        heat = server.api(f"heatmap?keyspace=likes&resolution={resolution}&buckets=50")
        assert len(heat["begins"]) == len(heat["writes_per_second"]) == 50
        now = [row[-1] for row in heat["writes_per_second"]]
        hottest = now.index(max(now))
        assert heat["begins"][hottest] <= token
        assert hottest == 49 or token < heat["begins"][hottest + 1]
    assert server.api("heatmap?keyspace=default")["steps"] == 0
    for query, status in (("keyspace=none", 404), ("", 400), ("keyspace=likes&buckets=0", 400),
                          ("keyspace=likes&resolution=5m", 400), ("keyspace=likes&x=1", 400)):
        assert server.http(f"/api/v1/heatmap?{query}")[0] == status, query


def test_the_heat_outlives_a_restart(sluice_bin, tmp_path):
    """Goal: the history is there after a restart, and a damaged one is set aside with a word in the
    log. Method: writes, a stop, a look; then a byte is flipped.
    """
    with Sluice(sluice_bin, tmp_path, CONFIG).start() as server:
        def written():
            with Wire(server.port) as wire:
                list(wire.pipeline([("INCR", f"likes:{n}") for n in range(100)]))
            heat = server.api("heatmap?keyspace=likes&resolution=1h&buckets=1")
            return heat["writes_per_second"][0][-1:] not in ([], [None], [0])

        wait_for(written, WAIT_S, "some heat")
        server.restart()
        assert server.api("heatmap?keyspace=likes&resolution=1h&buckets=1")["steps"] > 0
        server.stop()
        (file,) = [f for f in (server.data / "heat").iterdir() if f.stat().st_size > 1_000_000]
        bytes_ = bytearray(file.read_bytes())
        bytes_[-100] ^= 1
        file.write_bytes(bytes_)
        server.start()
        assert server.api("heatmap?keyspace=likes&resolution=1h")["steps"] == 0
        assert "heat history cannot be read" in server.stderr
        assert file.with_name(file.name + ".unreadable").read_bytes() == bytes(bytes_)


def run(server, *words):
    return subprocess.run([server.binary, "shard", *words], capture_output=True, text=True,
                          timeout=60, check=False)


def test_shards_are_listed_and_drawn(server, hot_shard, tmp_path):
    """Goal: `sluice shard` tells and draws the same as the page."""
    at = ["--port", str(server.port)]
    listed = run(server, "ls", *at)
    assert listed.returncode == 0
    assert f"! shard {hot_shard} takes" in listed.stdout
    lines = run(server, "ls", "likes", "--json", *at).stdout.splitlines()
    lines = [json.loads(line) for line in lines]
    assert len(lines) == 8 and all(line["keyspace"] == "likes" for line in lines)
    assert max(lines, key=lambda line: line["writes_per_second"])["shard"] == hot_shard
    drawing = tmp_path / "heat.svg"
    web = ["--http-port", str(server.http_port)]
    assert run(server, "heat", "--svg", str(drawing), *web).returncode == 0
    svg = drawing.read_text()
    assert ">likes</text>" in svg and ">orders</text>" in svg and ">default</text>" not in svg
    maps = run(server, "heat", "likes", "--json", "--resolution", "1h", *web).stdout.splitlines()
    assert [json.loads(line)["resolution"] for line in maps] == ["1h"]
    for words, status in ((("heat", *web), 2), (("heat", "none", "--json", *web), 1), ((), 2),
                          (("heat", "--svg", "/no/such/place", *web), 1), (("ls", "none", *at), 1),
                          (("heat", "--json", "--http-port", str(server.port)), 1)):
        assert run(server, *words).returncode == status, words
    for later in ("reshard", "undo"):
        refused = run(server, later, "1")
        assert (refused.returncode, "not available yet" in refused.stderr) == (2, True), later


def test_jobs_are_followed_and_seen(server, hot_shard, tmp_path):
    """Goal: a job that the command line starts and follows is listed there, and seen on the page.
    Method: a shard is split where its load halves.
    """
    at = ["--port", str(server.port)]
    lines = run(server, "ls", "orders", "--json", *at).stdout.splitlines()
    shard = json.loads(lines[0])["shard"]
    split = run(server, "split", str(shard), "--wait", *at)
    assert split.returncode == 0, split.stderr
    assert f"split of shard {shard} · done" in split.stdout
    assert f"split of shard {shard} · done" in run(server, "jobs", *at).stdout
    (job,) = server.api("jobs")["jobs"]
    assert job["state"] == "done" and len(job["made"]) == 2
    document, complaints = browse(server, tmp_path, "/#keyspace=orders")
    assert complaints == []
    (jobs,) = texts(document, "table id=\"jobs\"")
    assert f"split {shard}" in " ".join(jobs.split())
    assert run(server, "split", str(shard), *at).returncode == 1  # it is no more
    assert run(server, "pause", "999", *at).returncode == 1
