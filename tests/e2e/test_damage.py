"""A node's real files, damaged: it serves what was acknowledged, or says what is wrong.

Goal:   a flipped bit, a shortened, missing, swapped or doubled file of log, store or topology is
        either harmless, or the start is refused with status 3 and the name of what is damaged, or
        the reads that meet it answer -DAMAGED with the file's name. Never a wrong value, never an
        acknowledged one missing. Nothing is changed by a refusal: with the file as it was before
        the node starts again.
Method: a node that was killed, and one that was stopped, each with several segments and tables;
        each file is damaged at drawn places in a copy; each key is read.
Tried:  recovery that cuts at the first bad group loses values here.
"""

import random
import re
import shutil

import pytest

from servers import Sluice, wait_for
from wire import Error, Wire

pytestmark = pytest.mark.release_only  # starts by the dozen; the decoders have sanitizers elsewhere

CONFIG = """
[server]
lanes = 1
memory = "64MiB"

[log]
segment = "1MiB"
"""
KEYS = 1_400
VALUE_BYTES = 9_000  # 12 MiB: a write buffer and more, so that half lie in a table
DAMAGED, WRONG = 3, 2  # exit statuses
LIVED, REFUSED, DENIED = "lived", "refused", "denied"  # the last: some reads answered -DAMAGED


def value(n):
    """Compresses by half, so that tables have blocks of both kinds."""
    return random.Random(n).randbytes(VALUE_BYTES // 2) + b"x" * (VALUE_BYTES // 2)


def write_all(server):
    with Wire(server.port) as wire:
        for first in range(0, KEYS, 20):
            numbers = range(first, first + 20)
            assert set(wire.pipeline([("SET", f"k{n}", value(n)) for n in numbers])) == {b"OK"}
            wire.call("SLUICE", "ONCE", f"t{first}", "INCR", "counter")

    first_segment = server.data / "log" / f"{1:016}.seg"

    def quiet():
        """A run is stored and what it made needless of the log is gone, and the last group has its
        witness: now nothing may be cut."""
        page = server.http("/metrics")[1]
        seen = {
            name: float(number)
            for name, number in re.findall(r"^(sluice_\w+(?:{[^}]*})?) (\S+)$", page, re.M)
        }
        return seen["sluice_store_run_bytes_total"] > 0 and any(
            "witness" in name and number > 0 for name, number in seen.items()
        ) and seen["sluice_log_pending_bytes"] == 0 and not first_segment.exists()

    wait_for(quiet, 20, "a stored run, and a witness behind the last group")


@pytest.fixture(scope="module")
def nodes(sluice_bin, tmp_path_factory):
    """Data directories as a kill and as a clean stop leave them."""
    directory = tmp_path_factory.mktemp("nodes")
    with Sluice(sluice_bin, directory / "s", CONFIG).start() as server:
        write_all(server)
        server.kill()
        shutil.copytree(server.data, directory / "killed")
        server.start().stop()
        shutil.copytree(server.data, directory / "stopped")
    return directory


def files_of(node):
    return sorted(
        str(path.relative_to(node)) for path in node.rglob("*")
        if path.is_file() and path.stat().st_size > 0 and path.name not in ("LOCK", "lock")
    )


def flipped(offset):
    def damage(data, name):
        path = data / name
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ (1 << offset % 8)]))

    return damage


class Trial:
    """Starts a server on damaged copies, one after the other."""

    def __init__(self, sluice_bin, directory, node):
        self.node = node
        self.server = Sluice(sluice_bin, directory / "trial", CONFIG)

    def outcome(self, damage, name, statuses=(DAMAGED,)):
        """LIVED, REFUSED or DENIED; AssertionError when it was none of these."""
        server = self.server
        shutil.rmtree(server.data, ignore_errors=True)
        shutil.copytree(self.node, server.data)
        damage(server.data, name)
        server.stderr_file.write_text("")
        server.start(wait=False)
        try:
            wait_for(lambda: not server.running() or server.ready(), 30, f"{name}: a decision")
            if server.running():
                return self.read_all(name)
            status = server.wait()
            words = server.stderr
            assert status in statuses, f"{name}: status {status}\n{words}"
            assert "cannot start" in words, words
            assert str(server.data) in words or "missing" in words, words
            return REFUSED
        finally:
            server.kill()

    def read_all(self, name):
        denied = 0
        with Wire(self.server.port) as wire:
            for first in range(0, KEYS, 100):
                numbers = range(first, first + 100)
                for n, reply in zip(numbers, wire.pipeline([("GET", f"k{n}") for n in numbers])):
                    if isinstance(reply, Error):
                        assert reply.startswith(b"DAMAGED"), f"{name}: k{n} answered {reply}"
                        assert b".sst" in reply or b"store" in reply, reply
                        denied += 1
                    else:
                        assert reply == value(n), f"{name}: k{n} is wrong: {str(reply)[:50]}"
            reply = wire.call("GET", "counter")
            assert reply == b"%d" % (KEYS // 20) or reply.startswith(b"DAMAGED"), reply
        return DENIED if denied else LIVED


def flip_bits(sluice_bin, tmp_path, nodes, how, each, seed):
    node = nodes / how
    trial = Trial(sluice_bin, tmp_path, node)
    chance = random.Random(seed)
    outcomes = {LIVED: 0, REFUSED: 0, DENIED: 0}
    for name in files_of(node):
        content = (node / name).read_bytes()
        used = max(1, len(content.rstrip(b"\0")))
        for _ in range(each):
            # Most files are small; of segments, what is used counts.
            offset = chance.randrange(min(used, 4096) if chance.random() < 0.3 else used)
            outcomes[trial.outcome(flipped(offset), name)] += 1
    assert outcomes[REFUSED] > 0 and outcomes[LIVED] > 0, outcomes
    assert trial.outcome(lambda data, name: None, "nothing") == LIVED
    return outcomes


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_flipped_bit_is_harmless_or_named(sluice_bin, tmp_path, nodes, how):
    flip_bits(sluice_bin, tmp_path, nodes, how, each=1, seed=3)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_many_flipped_bits_are_harmless_or_named(sluice_bin, tmp_path, nodes, how):
    outcomes = flip_bits(sluice_bin, tmp_path, nodes, how, each=40, seed=4)
    assert outcomes[DENIED] > 0, outcomes


def without(data, name):
    path = data / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def cut(data, name):
    path = data / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def test_missing_and_shortened_files_are_named(sluice_bin, tmp_path, nodes):
    node = nodes / "killed"
    trial = Trial(sluice_bin, tmp_path, node)
    names = files_of(node)
    segments = [name for name in names if name.endswith(".seg")]
    tables = [name for name in names if name.endswith(".sst")]
    manifests = [name for name in names if "MANIFEST" in name]
    assert len(segments) > 2 and tables and len(manifests) == 1, names
    must_refuse = segments[:-1] + tables + manifests + ["topology", "log", "store/db/CURRENT"]
    for name in must_refuse:
        assert trial.outcome(without, name) == REFUSED, f"without {name}"
    for name in segments + manifests + ["topology", "store/db/CURRENT"]:
        assert trial.outcome(cut, name) == REFUSED, f"{name} cut short"
    for name in tables:
        assert trial.outcome(cut, name) in (REFUSED, DENIED), f"{name} cut short"
    # The log begins behind what was trimmed: without the store it is not whole.
    assert trial.outcome(without, "store") == REFUSED


def test_segments_in_each_others_place_are_refused(sluice_bin, tmp_path, nodes):
    node = nodes / "killed"
    trial = Trial(sluice_bin, tmp_path, node)
    segments = [name for name in files_of(node) if name.endswith(".seg")]

    def swap(data, name):
        one, other = data / segments[0], data / segments[1]
        one.rename(data / "aside")
        other.rename(one)
        (data / "aside").rename(other)

    def double(data, name):
        number = int(segments[-1][4:20], 16) + 1
        shutil.copyfile(data / segments[-1], data / f"log/{number:016x}.seg")

    def another_log(data, name):
        shutil.rmtree(data / "log")
        shutil.copytree(other.data / "log", data / "log")

    with Sluice(sluice_bin, tmp_path / "other", CONFIG).start() as other:
        write_all(other)
    for damage in (swap, double):
        assert trial.outcome(damage, damage.__name__) == REFUSED
    assert trial.outcome(another_log, "another log", statuses=(WRONG,)) == REFUSED
