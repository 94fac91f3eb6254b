"""The servers that tests talk to: Sluice itself, and Debian's redis-server as its peer.

Both listen on loopback and free ports, keep everything in a directory of their own, and are stopped
by process id.  Starting polls the server until it answers; nothing sleeps for a fixed time.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

START_SECONDS = 60.0  # a start with a long recovery under a sanitizer still fits
STOP_SECONDS = 60.0
POLL_SECONDS = 0.01
STDERR_TAIL_BYTES = 4096

# A sanitizer's words on stderr mean that the server is broken, whatever it answered.
SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |SUMMARY: \w+Sanitizer"
)


class ServerDied(Exception):
    """The process ended while it was expected to run; the message ends with its stderr."""


def free_ports(count):
    """Ports that nothing listens on, below the range from which outgoing connections draw."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10_000, 30_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def wait_for(condition, seconds, what):
    """Polls until condition() is true, returns what it returned; TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


class Process:
    """A child process with its output in files, stopped by its own id."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stdout_file = self.directory / f"{name}.stdout"
        self.stderr_file = self.directory / f"{name}.stderr"
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        """All that it wrote to stderr so far, earlier starts included."""
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    @property
    def stdout(self):
        return self.stdout_file.read_text(errors="replace") if self.stdout_file.exists() else ""

    def spawn(self, command, env=None):
        assert self.process is None, f"{self.name} runs already"
        with open(self.stdout_file, "ab") as out, open(self.stderr_file, "ab") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **(env or {})},
            )

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """Waits for the process to end by itself; returns its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} still ran after {seconds:g} s; killed") from None
        self.process = None
        return status

    def kill(self):
        """kill -9, and nothing more: what a crash leaves behind stays as it is."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def died(self, status):
        tail = (self.stderr or self.stdout)[-STDERR_TAIL_BYTES:]
        return ServerDied(f"{self.name} ended with status {status}; its last words:\n{tail}")


class Sluice(Process):
    """`sluice serve` on a directory of its own.

    .port, .http_port, .data, .config_file, .stderr   as started; they stay through restarts
    .client(**kw)   a redis.Redis        .http(path)   (status, body) of a GET
    .stop()         SIGTERM, expects a clean exit (status 0)
    .kill()         kill -9              .restart()    on the same data directory and ports

    `with Sluice(…).start() as server:` stops it at the end. A `wrapper` such as strace must leave
    the server as the child itself (`strace -D`), so that signals reach it.
    """

    def __init__(self, binary, directory, config="", *, args=(), wrapper=(), env=None,
                 username=None, password=None):
        super().__init__("sluice", directory)
        self.binary = str(binary)
        self.args = [str(arg) for arg in args]
        self.wrapper = [str(word) for word in wrapper]  # for example strace and its options
        self.env = env
        self.username, self.password = username, password
        self.data = self.directory / "data"
        self.config_file = self.directory / "sluice.toml"
        self.config_file.write_text(config)
        self.config = config
        self.port, self.http_port = free_ports(2)

    def command(self):
        return self.wrapper + [
            self.binary, "serve", "--config", str(self.config_file), "--data", str(self.data),
            "--port", str(self.port), "--http-port", str(self.http_port),
            # The usual 128 MiB are written with zeroes in advance, which only costs tests time.
            *([] if "segment" in self.config else ["--set", "log.segment=8MiB"]),
            # Most machines that test have few cores, and one lane passes nothing to another.
            *([] if "lanes" in self.config else ["--set", "server.lanes=3"]),
        ] + self.args

    def start(self, *, wait=True, seconds=START_SECONDS):
        """Starts it and waits until it takes writes. ServerDied if it ends before that."""
        self.spawn(self.command(), self.env)
        if wait:
            self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=START_SECONDS):
        def ready():
            if not self.running():
                status = self.process.returncode
                self.process = None
                raise self.died(status)
            return self.ready()

        try:
            wait_for(ready, seconds, f"{self.name} ready on port {self.port}")
        except TimeoutError as error:
            self.kill()
            raise TimeoutError(f"{error}\n{self.stderr[-STDERR_TAIL_BYTES:]}") from None

    def ready(self):
        """/readyz answers 200; where HTTP is closed or asks for a user, PING decides."""
        try:
            status, _ = self.http("/readyz", timeout=2)
        except OSError:
            status = None
        if status == 200:
            return True
        if status not in (None, 401, 403, 404):
            return False
        try:
            with self.client(socket_timeout=2) as client:
                return client.ping()
        except (redis.RedisError, OSError):
            return False

    def client(self, **options):
        options.setdefault("socket_timeout", 30)
        options.setdefault("username", self.username)
        options.setdefault("password", self.password)
        return redis.Redis("127.0.0.1", self.port, **options)

    def socket(self, timeout=30):
        """A bare TCP connection to the RESP port, for what no client would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def http(self, path, method="GET", body=None, headers=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"not HTTP: {error!r}") from error
        finally:
            connection.close()

    def api(self, name):
        """The parsed JSON of /api/v1/NAME."""
        status, body = self.http(f"/api/v1/{name}")
        assert status == 200, f"/api/v1/{name} answered {status}: {body}"
        return json.loads(body)

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM; the server drains and must exit with 0. ServerDied if it does not."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        status = self.wait(seconds)
        if status != 0:
            raise self.died(status)

    def restart(self, *, kill=False, wait=True, seconds=START_SECONDS):
        """Ends it (SIGTERM, or kill -9) if it runs, and starts it again."""
        if kill:
            self.kill()
        else:
            self.stop()
        return self.start(wait=wait, seconds=seconds)

    def check_stderr(self):
        """AssertionError if a sanitizer has spoken."""
        report = SANITIZER_REPORT.search(self.stderr)
        if report:
            text = self.stderr[report.start():][:STDERR_TAIL_BYTES]
            raise AssertionError(f"the server's sanitizer reports:\n{text}")


class RedisServer(Process):
    """Debian's redis-server without persistence; `args` are added to its command line."""

    def __init__(self, directory, *, args=(), password=None):
        super().__init__("redis", directory)
        self.password = password
        self.args = [str(arg) for arg in args] + (["--requirepass", password] if password else [])
        (self.port,) = free_ports(1)

    def start(self):
        binary = shutil.which("redis-server", path=os.environ.get("PATH", "") + ":/usr/bin")
        assert binary, "redis-server is missing: ./dev setup"
        self.spawn([
            binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory),
            "--save", "", "--appendonly", "no", "--daemonize", "no",
        ] + self.args)

        def ready():
            if not self.running():
                raise self.died(self.process.returncode)
            try:
                with self.client(socket_timeout=2) as client:
                    return client.ping()
            except (redis.RedisError, OSError):
                return False

        wait_for(ready, START_SECONDS, f"redis-server on port {self.port}")
        return self

    def client(self, **options):
        options.setdefault("socket_timeout", 30)
        options.setdefault("password", self.password)
        return redis.Redis("127.0.0.1", self.port, **options)

    def stop(self):
        self.kill()
