"""Debian's PostgreSQL in a temporary directory of its own: for tests, the bench and the demo.

Started as root it runs as the user postgres, which PostgreSQL insists on.
"""

import csv
import io
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = "/usr/lib/postgresql/15/bin"
START_SECONDS = 60
STOP_SECONDS = 10
RUN_SECONDS = 300
RETRY_SECONDS = 0.05
ANY_USER = 0o711  # may pass through to the data, which stays the server's own


def free_port():
    """Below the range of outgoing connections: it stays free while a server is down."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def new_directory():
    """Temporary, and the server's user's."""
    directory = Path(tempfile.mkdtemp(prefix="sluice_pg_"))
    directory.chmod(ANY_USER)
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    return directory


class Postgres:
    """.url .port .data   .start() .stop() .kill()   .run(sql) -> rows of text, NULL as None

    `settings` are added to the server's own: ["deadlock_timeout=200ms"].
    """

    # The path of new files: made by the first that needs them, and copied from then on.
    template = None

    def __init__(self, settings=()):
        self.settings = list(settings)
        self.directory = new_directory()
        self.data = self.directory / "data"
        self.port = free_port()
        self.url = f"postgresql://sluice@127.0.0.1:{self.port}/postgres"
        try:
            self.make(self.template or self.data)
            if self.template:
                subprocess.run(["cp", "-a", self.template, self.data], check=True)
        except BaseException:
            self.remove()
            raise

    def make(self, data):
        if not data.exists():
            self.as_owner("initdb", "-D", data, "-U", "sluice", "-A", "trust", "-E", "UTF8",
                          "--locale=C.UTF-8", "--no-instructions",
                          *(["--no-sync"] if self.template else []))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()

    def as_owner(self, program, *args, check=True):
        """Runs one of PostgreSQL's programs as the user that owns the directory."""
        words = [f"{BINARIES}/{program}", *map(str, args)]
        if os.geteuid() == 0:
            words = ["runuser", "-u", "postgres", "--", *words]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False,
                              start_new_session=True)  # Ctrl-C is for its caller only
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.returncode

    def start(self):
        options = [f"-p {self.port}", "-c listen_addresses=127.0.0.1",
                   f"-c unix_socket_directories={self.directory}"]
        options += [f"-c {setting}" for setting in self.settings]
        deadline = time.monotonic() + START_SECONDS
        while self.as_owner("pg_ctl", "-w", "-D", self.data, "-o", " ".join(options), "-l",
                            self.directory / "log", "start", check=False) != 0:
            # The children of a server that was killed end first.
            if time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text()[-2000:])
            time.sleep(RETRY_SECONDS)
        return self

    def stop(self):
        self.as_owner("pg_ctl", "-w", "-D", self.data, "-m", "fast", "stop")

    def kill(self):
        """kill -9 of the server; its sessions see that and end."""
        os.kill(self.pid(), signal.SIGKILL)

    def pid(self):
        """Of the server; None when it does not run."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError):
            return None

    def remove(self):
        pid = self.pid()
        self.as_owner("pg_ctl", "-w", "-D", self.data, "-m", "immediate", "stop", check=False)
        # pg_ctl waits for its file to go, which is a moment before the process does.
        deadline = time.monotonic() + STOP_SECONDS
        while pid and Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(RETRY_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, sql):
        done = subprocess.run(
            [f"{BINARIES}/psql", "-X", "-q", "--csv", "-t", "-P", "null=\\N", "-v",
             "ON_ERROR_STOP=1", self.url, "-c", sql],
            capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        rows = csv.reader(io.StringIO(done.stdout))
        return [[None if cell == "\\N" else cell for cell in row] for row in rows]
