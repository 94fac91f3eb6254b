"""Debian's PostgreSQL in a directory of a test's own, as a database that projections write to.

Started as root it runs as the user postgres, which PostgreSQL insists on.
"""

import csv
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from servers import free_ports, wait_for

BINARIES = "/usr/lib/postgresql/15/bin"
START_SECONDS = 60


class Postgres:
    """.url   .start() .stop() .kill()   .run(sql) -> rows of text, NULL as None"""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="sluice_pg_"))
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres")
        self.data = self.directory / "data"
        (self.port,) = free_ports(1)
        self.url = f"postgresql://sluice@127.0.0.1:{self.port}/postgres"
        self._as_owner("initdb", "-D", self.data, "-U", "sluice", "-A", "trust", "-E", "UTF8",
                       "--locale=C.UTF-8", "--no-instructions")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._as_owner("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _as_owner(self, program, *args, check=True):
        words = [f"{BINARIES}/{program}", *map(str, args)]
        if os.geteuid() == 0:
            words = ["runuser", "-u", "postgres", "--", *words]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.returncode

    def start(self):
        options = (f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=on "
                   f"-c unix_socket_directories={self.directory} -c deadlock_timeout=200ms")

        def up():
            return self._as_owner("pg_ctl", "-w", "-t", START_SECONDS, "-D", self.data, "-o",
                                  options, "-l", self.directory / "log", "start", check=False) == 0

        wait_for(up, START_SECONDS, "PostgreSQL up")  # children of a killed one end first
        return self

    def stop(self):
        self._as_owner("pg_ctl", "-w", "-D", self.data, "-m", "fast", "stop")

    def kill(self):
        """kill -9 of the server; its sessions see that and end."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), 9)

    def run(self, sql):
        done = subprocess.run(
            [f"{BINARIES}/psql", "-X", "-q", "--csv", "-t", "-P", "null=\\N", "-v",
             "ON_ERROR_STOP=1", self.url, "-c", sql],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        rows = csv.reader(io.StringIO(done.stdout))
        return [[None if cell == "\\N" else cell for cell in row] for row in rows]
