"""A disk that does not answer: one sync of the log takes seconds, or half a minute.

Goal:   nothing is acknowledged before that sync is over; meanwhile low and normal writes are
        refused by class, critical ones wait, a load gives way without being refused, reads go on;
        afterwards everybody is served again without a restart, and what is counted is what was
        acknowledged.
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
ROWS = 100_000
WHEN = 40  # the sync that is held back; a load of ROWS takes more than twice as many
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


def stands_still(server, tmp_path, sluice_bin, seconds):
    rows = tmp_path / "rows.csv"
    rows.write_text("n\n" + "".join(f"{n}\n" for n in range(ROWS)))
    load = subprocess.Popen(
        [sluice_bin, "load", rows, "--do", "SET row:{n} v", "--port", str(server.port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    clients = [Client(server, name) for name in CLASSES]
    for client in clients:
        client.start()
    began = wait_for(lambda: held_since(tmp_path), 20, "the sync that is held back")
    wait_for(lambda: meter(server, "sluice_admit_limited"), seconds, "writes held back")
    clients += [Client(server, name) for name in CLASSES]
    for client in clients[len(CLASSES):]:
        client.start()
    reader = server.client(socket_timeout=1)
    assert reader.get("row:0") == b"v", "what was durable before is read"
    until = began + seconds
    wait_for(lambda: time.time() > until, seconds + 5, "the end of the sync")

    def served():
        return all(client.seen and client.seen[-1][2] and client.seen[-1][0] > until
                   for client in clients)

    wait_for(lambda: served() and not meter(server, "sluice_admit_limited"), 20, "all is well")
    for client in clients:
        client.stop.set()
    for client in clients:
        client.join()
        assert client.failure is None, client.failure
        early = [each for each in client.seen if each[2] and each[0] > began and each[1] < until]
        assert not early, f"{client.of}: acknowledged before its sync: {early[:3]}"
    refused = {name: sum(c.refused() for c in clients if c.of == name) for name in CLASSES}
    assert refused["low"] > refused["normal"] > refused["critical"] == 0, refused
    out, err = load.communicate(timeout=30)
    assert load.returncode == 0, err.decode()
    assert f"{ROWS} rows read = {ROWS} applied + 0 rejected" in out.decode()
    # Whether it also waited for units depends on how much of it was under way by then.
    assert of_class(server, "sluice_server_write_units_total", "background") >= ROWS
    assert of_class(server, "sluice_server_shed_total", "background") == 0, "it is not refused"
    for name in CLASSES:
        acknowledged = sum(c.acknowledged() for c in clients if c.of == name)
        assert int(reader.get(f"{name}:0")) == acknowledged, name


@pytest.mark.long
def test_a_sync_that_takes_seconds(sluice_bin, tmp_path):
    with with_a_slow_sync(sluice_bin, tmp_path, 3).start() as server:
        stands_still(server, tmp_path, sluice_bin, 3)


@pytest.mark.long
@pytest.mark.timeout(150)
def test_a_sync_that_takes_half_a_minute(sluice_bin, tmp_path):
    with with_a_slow_sync(sluice_bin, tmp_path, 30).start() as server:
        stands_still(server, tmp_path, sluice_bin, 30)
