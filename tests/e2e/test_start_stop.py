"""Starting and stopping: what a server refuses, what it says, and that SIGTERM loses nothing."""

import os
import shutil
import signal
import subprocess
import threading

import pytest

from servers import Sluice, wait_for
from wire import Closed, Error, Wire

REFUSED = (2, 3)


def ended(server, seconds=30):
    """Exit status of a server that is expected not to start."""
    status = server.process.wait(seconds)
    server.process = None
    return status


def test_a_second_process_is_refused(sluice_bin, sluice, tmp_path):
    second = Sluice(sluice_bin, tmp_path / "second")
    second.data = sluice.data
    second.start(wait=False)
    status = ended(second)
    words = second.stderr + second.stdout
    assert status in REFUSED, words
    assert "in use" in words and str(sluice.data) in words
    assert sluice.client().ping()


def prepared(sluice_bin, directory, prepare):
    """A server object on a data directory that `prepare` made."""
    server = Sluice(sluice_bin, directory)
    prepare(server.data)
    return server


@pytest.mark.parametrize("name", ["foreign file", "a file", "no parent"])
def test_directories_that_are_not_sluices_are_refused(sluice_bin, tmp_path, name):
    def prepare(data):
        if name == "foreign file":
            data.mkdir()
            (data / "holiday.jpg").write_bytes(b"\xff\xd8")
        elif name == "a file":
            data.write_text("")

    server = prepared(sluice_bin, tmp_path / "s", prepare)
    if name == "no parent":
        server.data = tmp_path / "nobody" / "made" / "this"
    server.start(wait=False)
    status = ended(server)
    words = server.stderr + server.stdout
    assert status in REFUSED, words
    assert str(server.data) in words
    if name == "foreign file":
        assert "holiday.jpg" in words
        assert [path.name for path in server.data.iterdir()] == ["holiday.jpg"]


def test_a_read_only_directory_is_refused(sluice_bin, tmp_path):
    if os.geteuid() != 0:
        make = tmp_path / "s" / "data"
        make.mkdir(parents=True)
        make.chmod(0o500)
        wrapper = []
    else:
        # Root may write everywhere but on a file system that is mounted read-only.
        wrapper = [
            "unshare",
            "-m",
            "sh",
            "-c",
            'mkdir -p "$0" && mount -t tmpfs -o ro none "$0" && exec "$@"',
            str(tmp_path / "s" / "data"),
        ]
        probe = subprocess.run(
            ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o ro none {tmp_path}"],
            capture_output=True,
            check=False,
        )
        if probe.returncode != 0:
            pytest.skip("mounting is not allowed here, and root may write everywhere else")
    server = Sluice(sluice_bin, tmp_path / "s", wrapper=wrapper)
    server.start(wait=False)
    status = ended(server)
    words = server.stderr + server.stdout
    assert status in REFUSED, f"{status}: {words}"
    assert str(server.data) in words


def test_newer_formats_are_refused(sluice_bin, tmp_path):
    """Goal: the server starts with all its data, or refuses and names the file; it never serves
    less in silence.
    Method: in each file that a clean stop leaves, each of the first bytes is changed."""
    server = Sluice(sluice_bin, tmp_path / "s", '[log]\nsegment = "1MiB"\n').start()
    server.client().set("a", "1")
    server.stop()
    whole = tmp_path / "whole"
    shutil.copytree(server.data, whole)
    files = [
        path.relative_to(whole)
        for path in sorted(whole.rglob("*"))
        if path.is_file() and path.stat().st_size > 0
    ]
    ours = [path for path in files if path.parts[0] in ("topology", "log")]
    assert ours, files
    refusals = 0
    for path in ours:
        for offset in range(0, 12):
            shutil.rmtree(server.data)
            shutil.copytree(whole, server.data)
            data = bytearray((server.data / path).read_bytes())
            if offset >= len(data):
                continue
            data[offset] ^= 0x55
            (server.data / path).write_bytes(data)
            server.stderr_file.write_text("")
            server.start(wait=False)
            ready = wait_for(lambda: not server.running() or server.ready(), 30, "a decision")
            assert ready
            if server.running():
                assert server.client().get("a") == b"1", f"{path} byte {offset}"
                server.stop()
            else:
                refusals += 1
                status = ended(server)
                assert status in REFUSED, f"{path} byte {offset}: exit {status}"
                assert path.name in server.stderr, server.stderr
    assert refusals > 0


def test_sigterm_answers_what_it_took_and_stops_cleanly(start_sluice):
    """Goal: nothing acknowledged before or while the server drains is missing afterwards, and the
    next start has nothing to cut."""
    server = start_sluice()
    acked = [0] * 4

    def write(number):
        try:
            with Wire(server.port) as wire:
                while True:
                    commands = [("SET", f"{number}:{acked[number] + i}", "x") for i in range(16)]
                    for reply in wire.pipeline(commands):
                        if isinstance(reply, Error):
                            return
                        acked[number] += 1
        except Closed:
            pass

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: min(acked) > 1000, 30, "writes")
    server.stop()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    before = len(server.stderr)
    server.start()
    words = server.stderr[before:]
    assert "clean" in words.lower(), words
    with Wire(server.port) as wire:
        for number in range(4):
            names = [("EXISTS", f"{number}:{i}") for i in range(acked[number])]
            assert sum(wire.pipeline(names)) == acked[number]


def test_a_start_says_what_it_listens_on_and_what_it_recovered(start_sluice):
    server = start_sluice()
    for port in (server.port, server.http_port):  # it answers a moment before it says so
        wait_for(lambda: str(port) in server.stderr, 20, f"a line that names port {port}")
    with Wire(server.port) as wire:
        assert set(wire.pipeline([("SET", f"k{n}", n) for n in range(1000)])) == {b"OK"}
    server.kill()
    before = len(server.stderr)
    server.start()
    words = server.stderr[before:].lower()
    assert "recover" in words or "replay" in words, words


def test_readyz_says_503_until_recovered(start_sluice):
    """Method: many writes, kill -9, and /readyz asked all the time while the server starts."""
    server = start_sluice()
    with Wire(server.port) as wire:
        for start in range(0, 400_000, 5_000):
            for reply in wire.pipeline([("SET", f"k{n}", n) for n in range(start, start + 5_000)]):
                assert reply == b"OK"
    server.kill()
    server.start(wait=False)
    seen = []

    def answer():
        try:
            status, body = server.http("/readyz", timeout=5)
        except OSError:
            return False
        if (status, body) not in seen:
            seen.append((status, body))
        return status == 200

    wait_for(answer, 60, "/readyz with 200")
    assert any(status == 503 and body for status, body in seen), seen
    assert {status for status, _ in seen} == {200, 503}
    with Wire(server.port) as wire:
        assert wire.call("GET", "k399999") == b"399999"


@pytest.mark.parametrize(
    "setting",
    ["server.listen=0.0.0.0:{port}", "server.http=0.0.0.0:{port}", "server.listen=[::]:{port}"],
)
def test_other_machines_need_a_password(sluice_bin, tmp_path, setting):
    server = Sluice(sluice_bin, tmp_path / "s")
    done = subprocess.run(
        [
            sluice_bin,
            "serve",
            "--data",
            str(server.data),
            "--set",
            setting.format(port=server.port),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done
    assert "password" in done.stderr + done.stdout or "user" in done.stderr + done.stdout


def test_a_second_sigterm_or_sigint_is_harmless(start_sluice):
    server = start_sluice()
    server.signal(signal.SIGTERM)
    try:
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
    except ProcessLookupError:
        pass
    assert server.wait() == 0
