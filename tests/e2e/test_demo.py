"""`./dev demo --postgres`: it runs from end to end, and leaves nothing behind."""

import os
import signal
import subprocess
import sys

import pytest

from conftest import ROOT

# Prints of itself where PostgreSQL is, and a line a second.
SHORT = ["--seconds", "1", "--outage", "1", "--seed", "3"]


@pytest.fixture
def demo(sluice_bin, tmp_path_factory):
    """Starts the demo with its files in a directory of the test's own, which must end up empty."""
    directory = tmp_path_factory.mktemp("demo")
    for each in (directory, *directory.parents[:2]):
        each.chmod(0o711)  # PostgreSQL may run as another user

    def start(*words):
        return subprocess.Popen(
            [sys.executable, ROOT / "demo/run.py", "--sluice", sluice_bin, "--postgres", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            # What runs in the background inherits that SIGINT is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"})

    yield start
    assert list(directory.iterdir()) == []
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(directory) not in listed.stdout


@pytest.mark.release_only
def test_an_outage_is_drained(demo):
    """Goal: the tables equal what was acknowledged, after an outage too. Method: its short form."""
    running = demo(*SHORT)
    output, _ = running.communicate(timeout=50)
    assert running.returncode == 0, output
    assert "kill -9 of PostgreSQL" in output
    assert "the tables equal the state" in output
    assert output.count("differing 0") == 2


def test_it_ends_at_once_when_told_to(demo):
    """Goal: Ctrl-C stops both servers and removes their files. Method: SIGINT to all of them, as a
    terminal sends it, while PostgreSQL is there.
    """
    running = demo("--seconds", "60")
    for line in running.stdout:
        if line.lstrip().startswith("1s"):
            break
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=50)
    assert running.returncode == 130, output
    assert "Traceback" not in output
