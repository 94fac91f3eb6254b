"""Fixtures and markers of every end-to-end test; the servers themselves are in servers.py."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from servers import RedisServer, ServerDied, Sluice

__all__ = ["RedisServer", "ServerDied", "Sluice"]

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))  # postgres.py
import postgres  # noqa: E402  (found by the line before)

TEST_SECONDS = 60  # for one test; @pytest.mark.timeout(seconds) gives another
SANITIZER_SLOWDOWN = 5


MARKERS = (
    "long: runs only with ./dev test --long",
    "release_only: measures time or traces the process, so not under a sanitizer",
    f"timeout(seconds): time for this test instead of {TEST_SECONDS} s",
)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Fails a test that takes too long, instead of hanging the run; fixtures are included."""
    mark = item.get_closest_marker("timeout")
    seconds = mark.args[0] if mark else TEST_SECONDS
    if os.environ.get("SLUICE_PRESET") in ("asan", "tsan"):
        seconds *= SANITIZER_SLOWDOWN

    def expire(number, frame):
        # pytest.fail, not an Exception: a test's own `except Exception` must not swallow it.
        pytest.fail(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    # Repeated, in case the first one lands where it is swallowed all the same (a __del__, say).
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def sluice_bin():
    """The program under test: $SLUICE_BIN, else the release build."""
    path = Path(os.environ.get("SLUICE_BIN") or ROOT / "build/release/sluice").resolve()
    assert path.is_file(), f"{path} does not exist: ./dev build"
    return path


@pytest.fixture(scope="session", autouse=True)
def postgres_template():
    """A new database is made once, by the first test that needs one, and copied from then on."""
    directory = postgres.new_directory()
    postgres.Postgres.template = directory / "template"
    yield
    shutil.rmtree(directory)


@pytest.fixture
def start_sluice(sluice_bin, tmp_path):
    """start_sluice(config="", **options) starts a server of this test's own; see servers.Sluice.

    All are stopped afterwards; the test fails if one then does not exit cleanly or if its
    sanitizer has reported anything. `wait=False` returns at once, before it is ready.
    """
    servers = []

    def start(config="", *, wait=True, **options):
        directory = tmp_path / f"sluice-{len(servers)}"
        server = Sluice(sluice_bin, directory, config, **options)
        servers.append(server)
        return server.start(wait=wait)

    yield start
    complaints = []
    for server in servers:
        try:
            server.stop()
        except (ServerDied, TimeoutError) as error:
            complaints.append(str(error))
        try:
            server.check_stderr()
        except AssertionError as error:
            complaints.append(str(error))
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def sluice(start_sluice):
    """A server with the default configuration."""
    return start_sluice()


@pytest.fixture
def redis_server(tmp_path):
    """Debian's redis-server, empty and without persistence."""
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.stop()
