"""Power cuts under load, on a real file system: ext4 on a loop device, shut down in mid-write.

Goal:   what was acknowledged is on the disk, not in the page cache: nothing is lost when all that
        was not synced is, and all else that crash_load.py counts.
Method: FS_IOC_SHUTDOWN while clients write: dirty pages and the journal's unwritten part are gone.
        The server ends by itself or is killed; the file system is mounted anew, its journal
        replayed, the server started, everything counted. In some rounds the power goes again while
        the server recovers.
"""

import random

import pytest

from crash_load import CONFIG, Load
from loop_disk import LoopDisk
from servers import Sluice, wait_for

pytestmark = pytest.mark.release_only  # sanitizers find nothing here that test_crash.py does not

ROUNDS = 3
ROUNDS_LONG = 30
RECOVERY_MS_MAX = 150
EVERYTHING_EVERY = 5  # rounds; in between only what is new is counted


@pytest.fixture(scope="module")
def loop_mounts():
    reason = LoopDisk.refused()
    if reason:
        pytest.skip(reason)


class Machine:
    """A server on a disk that loses its power, and the load on it."""

    def __init__(self, sluice_bin, directory, disk, seed):
        self.chance = random.Random(seed)
        self.disk = disk
        self.server = Sluice(sluice_bin, directory / "s", CONFIG, wrapper=disk.inside)
        self.server.data = disk.path / "data"
        self.load = Load(seed)

    def cut(self):
        self.disk.cut_power()
        if self.chance.random() < 0.5:
            # Left alone, it notices at its next sync: it says so, and ends.
            assert self.server.wait(30) == 1, self.server.stderr[-2000:]
        else:
            self.server.kill()
        self.disk.remount()

    def cut_while_it_starts(self):
        self.server.start(wait=False)
        moment = self.chance.randrange(RECOVERY_MS_MAX) / 1000
        try:
            wait_for(lambda: not self.server.running(), moment, "the end of the server")
        except TimeoutError:
            pass
        self.disk.cut_power()
        self.server.kill()
        self.disk.remount()

    def round(self, everything):
        self.load.start(self.server.port)
        self.load.await_writes()
        self.cut()
        self.load.join()
        while self.chance.random() < 0.4:
            self.cut_while_it_starts()
        self.server.start()
        self.load.check(self.server.client(), everything)


def power_cuts(sluice_bin, directory, rounds, seed):
    with LoopDisk(directory, mebibytes=512) as disk:
        machine = Machine(sluice_bin, directory, disk, seed)
        try:
            machine.server.start()
            for number in range(1, rounds + 1):
                machine.round(number == rounds or number % EVERYTHING_EVERY == 0)
            machine.server.stop()
        finally:
            machine.server.kill()


def test_nothing_acknowledged_is_lost_when_the_power_goes(loop_mounts, sluice_bin, tmp_path):
    power_cuts(sluice_bin, tmp_path, ROUNDS, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_by_thirty_power_cuts(loop_mounts, sluice_bin, tmp_path):
    power_cuts(sluice_bin, tmp_path, ROUNDS_LONG, seed=2)
