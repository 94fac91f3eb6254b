"""The servers that are measured: each is started on an empty directory and stopped by its id."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from postgres import BINARIES

START_SECONDS = 120.0
ASK_SECONDS = 120.0
QUIET_SECONDS = 0.5
QUIET_BYTES = 1 << 20
SETTLE_SECONDS = 120.0
POLL_SECONDS = 0.002
SECTOR_BYTES = 512


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(server, *words):
    """The first line of one command's reply, and the seconds until it came."""
    request = b"*%d\r\n" % len(words)
    request += b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)
    with socket.create_connection(("127.0.0.1", server.port), ASK_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        connection.sendall(request)
        with connection.makefile("rb") as replies:
            return replies.readline().rstrip(), time.perf_counter() - begin


class Server:
    """A process that speaks the Redis protocol; subclasses say how it is started."""

    name = "?"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.port = free_port()
        self.process = None
        self.start_seconds = 0.0
        self.written_before = 0

    def command(self):
        raise NotImplementedError

    def start(self, clean=True):
        if clean:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.written_before = self.sectors() * SECTOR_BYTES
        begin = time.monotonic()
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        while not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: see {self.directory / 'output'}")
            if time.monotonic() - begin > START_SECONDS:
                self.kill()
                raise RuntimeError(f"{self.name}: not ready within {START_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
        self.start_seconds = time.monotonic() - begin
        return self

    def settle(self):
        """Waits until it writes nothing of its own accord: files made ahead at a start, runs and
        compaction after a load."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before = self.written()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            now = self.written()
            if now - before < QUIET_BYTES:
                return
            before = now

    def ready(self):
        """Whether it answers PING with PONG."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def peak_resident(self):
        """Bytes, at the highest so far."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def written(self):
        """Bytes that went to the disk of its directory since it was started. The kernel's count for
        the process (write_bytes) would be several times that: it counts a large folio as a whole
        each time a part of it is written."""
        return self.sectors() * SECTOR_BYTES - self.written_before

    def sectors(self):
        device = os.stat(self.directory).st_dev
        path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
        return int(path.read_text().split()[6])


class Redis(Server):
    def __init__(self, directory, appendfsync):
        super().__init__(directory)
        self.appendfsync = appendfsync
        self.name = "Redis, AOF off" if appendfsync == "off" else f"Redis, {appendfsync}"

    def command(self):
        words = [
            "redis-server",
            "--port",
            self.port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            self.directory,
            "--daemonize",
            "no",
        ]
        if self.appendfsync == "off":
            words += ["--appendonly", "no"]
        else:
            words += ["--appendonly", "yes", "--appendfsync", self.appendfsync]
        return [str(word) for word in words]


class Sluice(Server):
    binary = "build/release/sluice"

    def __init__(self, directory, ack="durable", *, shards=8, lanes=0, memory="1GiB", lines=(),
                 cpu=None):
        super().__init__(directory)
        self.pinned = [] if cpu is None else ["taskset", "-c", str(cpu)]
        self.name = f"Sluice, {ack}"
        self.config = "\n".join([
            "[server]", f"lanes = {lanes}", f'memory = "{memory}"',
            "[keyspace.default]", f'ack = "{ack}"', f"shards = {shards}", *lines, "",
        ])
        self.http_port = free_port()

    def command(self):
        config = self.directory / "sluice.toml"
        config.write_text(self.config)
        return [
            *self.pinned,
            self.binary,
            "serve",
            "--config",
            str(config),
            "--data",
            str(self.directory / "data"),
            "--port",
            str(self.port),
            "--http-port",
            str(self.http_port),
        ]

    def ready(self):
        try:
            status, _ = self.http("/readyz")
            return status == 200 and super().ready()
        except OSError:
            return False

    def http(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def metric(self, name):
        """A metric's value, summed over its labels."""
        total, found = 0.0, False
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                total, found = total + float(line.rsplit(" ", 1)[1]), True
        if not found:
            raise RuntimeError(f"there is no metric {name}")
        return total


def peers_missing():
    found = [
        name
        for name in ("redis-server", "redis-benchmark", "db_bench", "postgres")
        if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin:{BINARIES}") is None
    ]
    return found
