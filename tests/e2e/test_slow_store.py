"""Compaction that does not keep up.

Goal:   writes are slowed before the store is at its bound, and smoothly: the bound is not met, no
        second goes by without a write, and what was acknowledged is there.
Method: strace delays what RocksDB writes when it merges, so that it merges slower than clients
        write; the pressure and the answers of each second.
Tried:  writes that are held back at the bound and not before (mutation admit-cliff).
"""

import os
import re
import shutil
import threading
import time

import pytest

from servers import Sluice
from wire import Error, Wire

pytestmark = [pytest.mark.release_only, pytest.mark.long]  # traces the process

CONFIG = '[server]\nlanes = 1\nmemory = "64MiB"\n'
WRITERS, PIPELINE, VALUE_BYTES, SECONDS = 4, 20, 20_000, 20
FILES = 3_000
DELAY_MS = 150  # of each MiB, about


class Writer(threading.Thread):
    def __init__(self, server, number):
        super().__init__()
        self.wire, self.number = Wire(server.port, timeout=60), number
        self.stop, self.applied, self.refused = threading.Event(), 0, 0

    def run(self):
        while not self.stop.is_set():
            keys = [f"k{self.number}:{self.applied + n}" for n in range(PIPELINE)]
            for reply in self.wire.pipeline([("SET", key, os.urandom(VALUE_BYTES))
                                             for key in keys]):
                if reply == b"OK":
                    self.applied += 1
                else:
                    assert isinstance(reply, Error) and b"reason=store" in reply, reply
                    self.refused += 1


def meters(server):
    page = server.http("/metrics")[1]
    store = int(re.search(r'pressure_percent{cause="store"} (\d+)', page)[1])
    files = int(re.search(r"^sluice_store_runs (\d+)", page, re.M)[1])
    return store, files


@pytest.mark.timeout(150)
def test_writes_slow_down_before_the_store_stands_still(sluice_bin, tmp_path):
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev setup"
    tables = tmp_path / "s" / "data" / "store" / "db"
    watched = [word for n in range(FILES) for word in ("-P", tables / f"{n:06}.sst")]
    server = Sluice(sluice_bin, tmp_path / "s", CONFIG, wrapper=[
        strace, "-D", "-f", "-qq", "-o", "/dev/null", *watched, "-e", "trace=write",
        "-e", f"inject=write:delay_enter={DELAY_MS}ms"])
    seen = []
    with server.start():
        writers = [Writer(server, number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        before = 0
        for _ in range(SECONDS):
            time.sleep(1)
            applied = sum(writer.applied for writer in writers)
            seen.append((*meters(server), applied - before))
            before = applied
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
        with server.client() as client:
            for writer in writers:
                for n in range(0, writer.applied, 50):
                    assert client.strlen(f"k{writer.number}:{n}") == VALUE_BYTES
    print(f"pressure %, level 0 files, writes of each second: {seen}")
    pressures = [pressure for pressure, _, _ in seen]
    assert max(pressures) >= 50, "the store never fell behind"
    assert max(pressures) < 200
    assert all(writes > 0 for _, _, writes in seen)
