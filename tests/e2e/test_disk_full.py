"""A disk that fills up, on a small file system of its own.

Goal:   a full disk is said before anything is at risk: writes are refused with -NOSPACE, reads go
        on, nothing that was acknowledged is lost; with room again, writes resume without a restart;
        what deletes is taken from a reserve, and makes room; a stop does not wait for room that
        never comes.
Method: the server in a mount namespace with a tmpfs for its data, written to until it refuses, then
        made larger from outside, or stopped.
"""

import os
import signal
import subprocess
import time

import pytest
import redis
from servers import Sluice, wait_for

MOUNT = 'mkdir -p "$0" && mount -t tmpfs -o size=$1 none "$0" && shift && exec "$@"'
SMALL, LARGE, ROOMY = "96m", "400m", "700m"
VALUE_BYTES = 20_000
REFUSALS = 40  # in a row: keys of all lanes are among them
CONFIG = '[server]\nmemory = "64MiB"\nlanes = 2\n[log]\nsegment = "8MiB"\n'


def on_a_disk_of(size, sluice_bin, tmp_path):
    """A server whose data directory is on a file system of that size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    probe = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none {tmp_path}"],
        capture_output=True, check=False,
    )
    if probe.returncode != 0:
        pytest.skip("mounting is not allowed here")
    data = tmp_path / "s" / "data"
    return Sluice(
        sluice_bin, tmp_path / "s", CONFIG,
        wrapper=["unshare", "-m", "sh", "-c", MOUNT, str(data), size],
    )


def served(size, sluice_bin, tmp_path):
    server = on_a_disk_of(size, sluice_bin, tmp_path)
    server.start()
    yield server
    server.kill()
    server.check_stderr()


@pytest.fixture
def small_disk(sluice_bin, tmp_path):
    yield from served(SMALL, sluice_bin, tmp_path)


@pytest.fixture
def roomy_disk(sluice_bin, tmp_path):
    yield from served(ROOMY, sluice_bin, tmp_path)


def fill(server, first=0, size=VALUE_BYTES):
    """Writes until every lane refuses; returns the keys that were acknowledged.

    The write that meets the full disk waits for room; those behind it are refused.
    """
    client = server.client(socket_timeout=3)
    acknowledged = []
    waiting = refused = 0
    for i in range(first, first + 100_000):
        # Random bytes: the store's compression gains nothing.
        value = b"%08d" % i + os.urandom(size)
        try:
            client.set(f"k{i}", value)
        except redis.ResponseError as error:
            assert str(error).startswith("NOSPACE"), error
            refused += 1
            if refused == REFUSALS:
                return acknowledged
            continue
        except redis.TimeoutError:
            waiting += 1
            assert waiting < 3, f"neither taken nor refused after {i} writes"
            continue
        refused = 0
        acknowledged.append(i)
    pytest.fail("the disk never filled up")


def refuse(server, client, command, acknowledged):
    """Until the command is refused; compaction may make room for a little more now and then."""
    for _ in range(20):
        try:
            client.execute_command(*command)
        except redis.ResponseError as error:
            assert str(error).startswith("NOSPACE"), error
            return
        acknowledged += fill(server, len(acknowledged) + 100_000)
    pytest.fail(f"{command} is never refused")


def check(client, numbers):
    for i in numbers:
        value = client.get(f"k{i}")
        assert value is not None and value[:8] == b"%08d" % i, i


def metric(server, name):
    page = server.http("/metrics")[1]
    return float(next(line for line in page.splitlines() if line.startswith(name)).split()[1])


def stays_low(server):
    """Whether growing writes are refused for two seconds on end: merging is over by then."""
    for _ in range(20):
        if not metric(server, "sluice_app_disk_low"):
            return False
        time.sleep(0.1)
    return True


def enlarge(server):
    subprocess.run(
        ["nsenter", "-t", str(server.pid), "-m", "mount", "-o", f"remount,size={LARGE}",
         str(server.data)], check=True,
    )


@pytest.mark.timeout(120)
def test_reads_go_on_and_writes_resume(small_disk):
    server = small_disk
    keys = fill(server)
    client = server.client()
    assert len(keys) > 500, len(keys)
    for command in (("SET", "w0", "x"), ("MSET", "a", "1", "b", "2"),
                    ("INCR", "n"), ("SLUICE", "ONCE", "t", "SET", "w0", "x")):
        refuse(server, client, command, keys)
    check(client, keys)
    status, why = server.http("/readyz")
    assert status == 503 and "full" in why
    enlarge(server)

    def taken():
        try:
            return client.set("again", "1")
        except redis.ResponseError as error:
            assert str(error).startswith("NOSPACE")
            return False

    wait_for(taken, 30, "writes taken again")
    wait_for(lambda: server.http("/readyz")[0] == 200, 30, "/readyz 200")
    check(client, keys)


@pytest.mark.timeout(120)
def test_deleting_makes_room(roomy_disk):
    """Goal:   who has filled the disk can delete, and write again, without help from outside.
    Method: a disk whose reserve is some segments; filled, seen to refuse what grows and to take
            what ends keys, one command of each kind; then all goes, by DEL.
    """
    server = roomy_disk
    client = server.client()
    keys = []
    for _ in range(40):  # merging makes room, at first
        keys += fill(server, first=len(keys), size=200_000)
        if stays_low(server):
            break
    assert client.info("sluice")["disk_low"] == 1
    reserve = metric(server, "sluice_app_disk_reserve_bytes")
    assert reserve > 50 << 20, reserve
    check(client, keys[::10])
    for command in (("HSET", "h", "f", "x"), ("SET", f"k{keys[0]}", "x"), ("APPEND", "a", "x")):
        with pytest.raises(redis.ResponseError, match="^NOSPACE the disk is nearly full"):
            client.execute_command(*command)
    assert client.expire(f"k{keys[0]}", 1000) == 1
    assert client.getdel(f"k{keys[1]}")[:8] == b"%08d" % keys[1]
    assert client.hdel("h", "f") == 0
    for first in range(2, len(keys), 100):
        client.delete(*(f"k{i}" for i in keys[first:first + 100]))

    def taken():
        try:
            return client.set("again", "1")
        except redis.ResponseError as error:
            assert str(error).startswith("NOSPACE")
            return False

    wait_for(taken, 60, "writes taken again")
    check(client, keys[:1])
    assert client.exists(*(f"k{i}" for i in keys[1:1000])) == 0


@pytest.mark.timeout(120)
def test_a_start_on_a_full_disk_recovers(small_disk, sluice_bin, tmp_path):
    """Goal:   a crash while the disk is full is recovered from without room from outside: all that
            was acknowledged is read, what grows is refused as before, and room is all that is
            missing.
    Method: kill -9 of a server whose disk has filled up; another on the same file system.
    """
    keys = fill(small_disk)
    # Holds the mount while no server does.
    with subprocess.Popen(["nsenter", "-t", str(small_disk.pid), "-m", "sh", "-c",
                           "echo; exec sleep 100"], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        small_disk.kill()
        again = Sluice(sluice_bin, tmp_path / "s", CONFIG,
                       wrapper=["nsenter", "-t", str(holder.pid), "-m"])
        try:
            again.start(wait=False)
            wait_for(lambda: again.running() and answers(again), 30, "a server that reads")
            client = again.client()
            check(client, keys)
            refuse(again, client, ("SET", "w0", "x"), keys)
            assert again.http("/readyz")[0] == 503
            enlarge(again)
            wait_for(again.ready, 30, "ready")
            assert client.set("again", "1")
            check(client, keys)
        finally:
            again.kill()
            holder.kill()


def answers(server):
    try:
        return server.client(socket_timeout=2).exists("k0") is not None
    except redis.RedisError:
        return False


@pytest.mark.timeout(120)
def test_a_stop_does_not_wait_for_room(small_disk):
    server = small_disk
    keys = fill(server)
    assert keys
    # A write that got in behind the refusal, if any, may wait; a stop gives it up.
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    status = server.wait(30)
    assert status in (0, 1), server.stderr[-2000:]
    assert time.monotonic() - began < 20
    if status == 1:
        assert "disk was full" in server.stderr


@pytest.mark.parametrize("size", ["64k", "1m", "12m"])
def test_a_disk_that_is_full_at_the_start_is_refused(sluice_bin, tmp_path, size):
    server = on_a_disk_of(size, sluice_bin, tmp_path)
    server.start(wait=False)
    status = server.process.wait(30)
    server.process = None
    assert status == 2, server.stderr
    assert "No space left" in server.stderr and "free space" in server.stderr, server.stderr
    assert str(server.data) in server.stderr
