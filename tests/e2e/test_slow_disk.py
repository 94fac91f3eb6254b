"""A disk that does not answer: one sync of the log takes two seconds, or half a minute.

Goal:   nothing is acknowledged before that sync is over; a load is never refused, nor a critical
        write; afterwards everybody is served again without a restart, and what is counted is what
        was acknowledged. In half a minute low writes are refused first, then normal ones, and reads
        go on. (In two seconds it depends on the machine how far that goes.)
Method: strace holds back one fdatasync of the log. Clients of each class increment a counter all
        the time, beside `sluice load`, some of them from when the log stands still; each notes
        when it sent what, and what it heard.
Tried:  replies that do not wait for their sync (mutation gate-ignored), a load without a class of
        its own (load-class).
"""

import collections
import re
import shutil
import subprocess
import threading
import time

import pytest
import redis

from servers import Sluice, wait_for

pytestmark = pytest.mark.release_only  # traces the process

CLASSES = ("critical", "normal", "low")
CONFIG = "[server]\nlanes = 2\n" + "".join(
    f'[keyspace.{name}]\nkey = "{name}:{{n}}"\npriority = "{name}"\n' for name in CLASSES)
ROWS, MANY_ROWS = 20_000, 100_000
WHEN = 40  # the sync that is held back; a load of MANY_ROWS takes more than twice as many
REFUSED = re.compile(r"OVERLOADED reason=log class=(\w+) retry_ms=\d+ applied=no")


class Client(threading.Thread):
    """Increments the counter of its class until it is stopped; [(sent, heard, acknowledged)]."""

    def __init__(self, server, name):
        super().__init__()
        self.key, self.of = f"{name}:0", name
        self.client = server.client(socket_timeout=50)
        self.stop, self.seen, self.failure = threading.Event(), [], None

    def run(self):
        try:
            while not self.stop.is_set():
                sent, done = time.time(), True
                try:
                    self.client.incr(self.key)
                except redis.ResponseError as error:
                    done = False
                    assert REFUSED.fullmatch(str(error))[1] == self.of, error
                    time.sleep(0.01)
                self.seen.append((sent, time.time(), done))
        except Exception as failure:  # told to the test's own thread
            self.failure = failure

    def acknowledged(self):
        return sum(done for _, _, done in self.seen)

    def refused(self):
        return len(self.seen) - self.acknowledged()


def with_a_slow_sync(sluice_bin, tmp_path, seconds):
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev setup"
    data = tmp_path / "s" / "data" / "log"
    watched = [word for n in range(20) for word in ("-P", data / f"{n:016x}.seg")]
    return Sluice(sluice_bin, tmp_path / "s", CONFIG, wrapper=[
        strace, "-D", "-f", "-qq", "-ttt", "-o", tmp_path / "trace", *watched, "-e",
        "trace=fdatasync", "-e", f"inject=fdatasync:delay_enter={seconds}s:when={WHEN}"])


def held_since(tmp_path):
    """When the sync began that is held back, the thread's WHENth; None while it has not."""
    trace = (tmp_path / "trace").read_text(errors="replace")
    calls = collections.defaultdict(list)
    for thread, at in re.findall(r"^(\d+) +([0-9.]+) fdatasync\(", trace, re.M):
        calls[thread].append(float(at))
    return next((each[WHEN - 1] for each in calls.values() if len(each) >= WHEN), None)


def meter(server, name):
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", server.http("/metrics")[1], re.M)
    return sum(map(float, found))


def of_class(server, name, label):
    page = server.http("/metrics")[1]
    return sum(map(float, re.findall(rf'^{name}{{[^}}]*class="{label}"[^}}]*}} (\S+)', page, re.M)))


class Load:
    """`sluice load` of that many rows, each its own key."""

    def __init__(self, server, path, count):
        path.write_text("n\n" + "".join(f"{n}\n" for n in range(count)))
        self.count = count
        self.process = subprocess.Popen(
            [server.binary, "load", path, "--do", "SET row:{n} v", "--port", str(server.port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def expect_whole(self, server):
        out, err = self.process.communicate(timeout=50)
        assert self.process.returncode == 0, err.decode()
        assert f"{self.count} rows read = {self.count} applied + 0 rejected" in out.decode()
        # Whether it also waited for units depends on how much of it was under way by then.
        assert of_class(server, "sluice_server_write_units_total", "background") >= self.count
        assert of_class(server, "sluice_server_shed_total", "background") == 0, "it is not refused"


def begin(server):
    clients = [Client(server, name) for name in CLASSES]
    for client in clients:
        client.start()
    return clients


def expect_patience(clients, began, until):
    """They are served again, and heard nothing too early; ends them. Refusals by class."""
    def served():
        return all(client.failure or client.seen and client.seen[-1][2] and
                   client.seen[-1][0] > until for client in clients)

    wait_for(served, 40, "all are served again")
    for client in clients:
        client.stop.set()
    for client in clients:
        client.join()
        assert client.failure is None, client.failure
        early = [each for each in client.seen if each[2] and each[0] > began and each[1] < until]
        assert not early, f"{client.of}: acknowledged before its sync: {early[:3]}"
    return {name: sum(c.refused() for c in clients if c.of == name) for name in CLASSES}


def expect_counted(server, clients):
    counters = server.client()
    for name in CLASSES:
        acknowledged = sum(c.acknowledged() for c in clients if c.of == name)
        assert int(counters.get(f"{name}:0")) == acknowledged, name


def test_a_sync_that_takes_seconds(sluice_bin, tmp_path):
    seconds = 2
    with with_a_slow_sync(sluice_bin, tmp_path, seconds).start() as server:
        load = Load(server, tmp_path / "rows.csv", ROWS)
        clients = begin(server)
        began = wait_for(lambda: held_since(tmp_path), 40, "the sync that is held back")
        clients += begin(server)
        refused = expect_patience(clients, began, began + seconds)
        assert refused["critical"] == 0
        load.expect_whole(server)
        expect_counted(server, clients)


@pytest.mark.long
@pytest.mark.timeout(150)
def test_a_sync_that_takes_half_a_minute(sluice_bin, tmp_path):
    seconds = 30
    with with_a_slow_sync(sluice_bin, tmp_path, seconds).start() as server:
        server.client().set("before", "v")
        load = Load(server, tmp_path / "rows.csv", MANY_ROWS)
        clients = begin(server)
        began = wait_for(lambda: held_since(tmp_path), 40, "the sync that is held back")
        wait_for(lambda: meter(server, "sluice_admit_limited"), seconds, "writes held back")
        clients += begin(server)
        assert server.client(socket_timeout=10).get("before") == b"v", "what was durable is read"
        assert time.time() < began + seconds, "while the log stands still"
        refused = expect_patience(clients, began, began + seconds)
        assert refused["low"] > refused["normal"] > refused["critical"] == 0, refused
        wait_for(lambda: not meter(server, "sluice_admit_limited"), 20, "nothing is held back")
        load.expect_whole(server)
        expect_counted(server, clients)
