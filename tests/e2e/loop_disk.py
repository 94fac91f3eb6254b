"""A file system of a test's own on a loop device, whose power can be cut.

    with LoopDisk(directory, mebibytes=256) as disk:
        Sluice(…, data inside disk.path, wrapper=disk.inside)
        disk.cut_power()     # what was not synced is gone; every further write fails
        …the server's end…
        disk.remount()       # as after a reboot: the journal is replayed

It is mounted in a mount namespace that a child process holds, so that nothing of it is left behind
however the test ends. LoopDisk.refused() says why a machine does not allow it, or None.
"""

import fcntl
import os
import struct
import subprocess
import tempfile
from pathlib import Path

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # the journal's unwritten part is lost too, as in a power cut


class LoopDisk:
    def __init__(self, directory, mebibytes=256):
        self.image = Path(directory) / "disk.img"
        self.path = Path(directory) / "disk"
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(mebibytes << 20)
        _run("mkfs.ext4", "-q", "-F", self.image)
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", "echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        assert self.holder.stdout.readline() == b"ready\n"
        # Before a command, it runs where the disk is mounted; it stays one process.
        self.inside = ["nsenter", "-t", str(self.holder.pid), "-m"]
        try:
            self._mount()
        except RuntimeError:
            self.close()
            raise

    @staticmethod
    def refused():
        if os.geteuid() != 0:
            return "only root may mount"
        with tempfile.TemporaryDirectory() as directory:
            try:
                LoopDisk(directory, mebibytes=16).close()
            except (RuntimeError, OSError) as error:
                return f"a loop mount is not allowed here: {error}"
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the namespace, and with it the mount."""
        self.holder.stdin.close()
        self.holder.wait()

    def cut_power(self):
        seen_from_here = f"/proc/{self.holder.pid}/root{self.path}"
        directory = os.open(seen_from_here, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(directory)

    def remount(self):
        """Nothing may have a file of it open any more."""
        _run(*self.inside, "umount", self.path)
        self._mount()

    def _mount(self):
        _run(*self.inside, "mount", "-o", "loop", self.image, self.path)


def _run(*words):
    ended = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if ended.returncode != 0:
        raise RuntimeError(f"{words[0]}: {ended.stderr.strip()}")
