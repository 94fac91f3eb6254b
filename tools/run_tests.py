#!/usr/bin/env python3
"""Builds a preset, runs every test there is, and counts them.

  tools/run_tests.py PRESET [--long] [--build-dir DIR]

In this order: the unit-test programs that CMake knows and the simulator (two at a time), tools/tidy
and its self-test, pytest on tests/e2e, and with --long tools/mutate.py; under asan some of
tests/e2e, and with --long all of it; under tsan only unit tests that start threads, and with --long
tests/e2e. Each failure is printed with what it said, each skip with its reason. The last line is
exactly `N passed, M failed, K skipped`; the exit status is 1 if anything failed or if nothing ran.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"

PROGRAMS_AT_ONCE = 2
PROGRAM_SECONDS = 120  # for one unit-test program, everyday; with --long:
PROGRAM_SECONDS_LONG = 1800
E2E_SECONDS = 900  # for all of pytest; its tests have limits of their own
E2E_SECONDS_LONG = 7200
SANITIZER_SLOWDOWN = 5
MUTATION_SECONDS = 7200  # for all of tools/mutate.py, its builds included
OUTPUT_LINES_SHOWN = 60  # of a program that crashed or hung
SIM_SEEDS = 20  # 1, 2, …, and one made of the commit
SIM_SEEDS_SANITIZED = 5
SIM_SEEDS_LONG = 1000
# What ThreadSanitizer runs: the tests that start threads, as filters of GoogleTest. What runs in
# one thread tells it nothing, and takes it ten times as long.
THREADED = {
    "admit_test": "*",
    "app_test": "*",
    "base_test": "*",
    "console_test": "*",
    "env_test": "*",
    "log_test": "Committer.*:FileLogReader.*",
    "meter_test": "*",
    "project_test": "PgFaults.CancelEndsACallThatWaits",
    "server_test": "LaneServer.*",
    "store_test": "KeyOrder.*",
}
# What AddressSanitizer runs everyday of tests/e2e: whatever makes a process walk over code that no
# unit test reaches, each once. With --long it runs them all.
SANITIZED_E2E = (
    "bad_input", "compat", "crash", "once", "postgres", "reshape", "routing",
)


@dataclass
class Suite:
    """What one program's tests came to."""

    name: str
    passed: int = 0
    failures: list = field(default_factory=list)  # (test, what it said)
    skips: list = field(default_factory=list)  # (test, reason)
    seconds: float = 0.0

    def fail(self, test, text):
        self.failures.append((test, text.strip()))

    def line(self):
        word = "FAIL" if self.failures else "ok  "
        parts = [f"{self.passed} passed"]
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        parts += [f"{len(self.skips)} skipped"] if self.skips else []
        return f"{word}  {self.name:<24} {', '.join(parts)}  ({self.seconds:.1f} s)"


@dataclass
class Outcome:
    """How a process ended. `status` is None when it had to be killed for taking too long."""

    status: int | None
    output: str
    seconds: float

    def in_words(self, limit):
        if self.status is None:
            return f"killed: still running after {limit} s"
        if self.status < 0:
            return f"killed by {signal.Signals(-self.status).name}"
        return f"exit status {self.status}"

    def tail(self):
        return "\n".join(self.output.splitlines()[-OUTPUT_LINES_SHOWN:])


def run(command, limit, env):
    """Runs `command` from the root in a process group of its own, so that no child outlives it."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill_group(process)
        out.seek(0)
        output = out.read().decode(errors="replace")
    return Outcome(status, output, time.monotonic() - started)


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def read_junit(path, suite):
    """Adds what a JUnit file says to `suite`; False when the file is missing or cut short."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return False
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        problems = case.findall("failure") + case.findall("error")
        skipped = case.find("skipped")
        if problems:
            suite.fail(name, "\n".join(p.text or p.get("message") or "" for p in problems))
        elif skipped is not None:
            suite.skips.append((name, " ".join((skipped.get("message") or "").split())))
        elif case.get("status") == "notrun":
            suite.skips.append((name, "disabled in the source"))
        else:
            suite.passed += 1
    return True


class Runner:
    def __init__(self, preset, build_dir, long):
        self.preset = preset
        self.build_dir = build_dir
        self.long = long
        self.slowdown = 1 if preset == "release" else SANITIZER_SLOWDOWN
        self.env = dict(
            os.environ, SLUICE_BIN=str(build_dir / "sluice"), SLUICE_PRESET=preset,
            ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1",
            UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1",
            TSAN_OPTIONS=f"halt_on_error=1:second_deadlock_stack=1:{self.suppressions('tsan')}",
            LSAN_OPTIONS=self.suppressions("lsan"),
        )
        if long:
            self.env["SLUICE_LONG"] = "1"

    def suppressions(self, sanitizer):
        path = ROOT / "tools" / f"{sanitizer}.supp"
        return f"suppressions={path}:print_suppressions=0" if path.exists() else ""

    def seconds(self, everyday, long):
        return (long if self.long else everyday) * self.slowdown

    def build(self):
        """A failed build is one failed test; cmake and ninja print what they have to say."""
        suite = Suite("build")
        started = time.monotonic()
        wanted = ()
        if self.preset == "tsan":
            wanted = (*THREADED, "sluice") if self.long else THREADED
        commands = [["cmake", "--preset", self.preset, "-B", self.build_dir, "--log-level=WARNING"],
                    ["ninja", "-C", self.build_dir, *wanted]]
        for command in commands:
            out = subprocess.DEVNULL if command[0] == "cmake" else None
            if subprocess.run([str(w) for w in command], cwd=ROOT, stdout=out).returncode != 0:
                suite.fail(" ".join(str(w) for w in command), "see above")
                break
        suite.seconds = time.monotonic() - started
        return suite

    def unit_programs(self):
        """The largest first: they run longest, and none of them is to run alone at the end."""
        programs = self.unit_programs_there_are()
        return sorted(programs, key=lambda one: -one.stat().st_size if one.is_file() else 0)

    def unit_programs_there_are(self):
        if self.preset == "tsan":
            return [self.build_dir / name for name in THREADED]
        listing = subprocess.run(
            ["ctest", "--test-dir", str(self.build_dir), "--show-only=json-v1"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        return [self.build_dir / f"{test['name']}_test" for test in json.loads(listing)["tests"]]

    def unit(self, program):
        suite = Suite(program.name)
        limit = self.seconds(PROGRAM_SECONDS, PROGRAM_SECONDS_LONG)
        with tempfile.TemporaryDirectory(prefix="sluice-test-") as scratch:
            os.chmod(scratch, 0o711)  # PostgreSQL, which is not run as root, has its files in there
            report = Path(scratch) / "report.xml"
            if not program.is_file():
                suite.fail(program.name, "not built")
                return suite
            only = THREADED.get(program.name, "*") if self.preset == "tsan" else "*"
            ended = run([program, f"--gtest_output=xml:{report}", f"--gtest_filter={only}"], limit,
                        dict(self.env, TMPDIR=scratch, TEST_TMPDIR=scratch))
            suite.seconds = ended.seconds
            complete = read_junit(report, suite)
        if ended.status != 0 and not suite.failures:
            started = re.findall(r"^\[ RUN      \] (\S+)", ended.output, re.M)
            finished = re.findall(r"^\[ +(?:OK|FAILED|SKIPPED) +\] (\S+)", ended.output, re.M)
            last = started[-1] if len(started) > len(finished) else "after its last test"
            suite.fail(f"{program.name}: {last}", f"{ended.in_words(limit)}\n{ended.tail()}")
        elif not complete or not (suite.passed or suite.failures or suite.skips):
            suite.fail(program.name, "ran no test")
        return suite

    def tidy(self):
        suite = Suite("tidy")
        for command in (["tools/tidy"], ["tools/tidy", "--self-test"]):
            ended = run([PYTHON] + command, 120, self.env)
            suite.seconds += ended.seconds
            if ended.status == 0:
                suite.passed += 1
            else:
                suite.fail(" ".join(command), ended.tail())
        return suite

    def sim(self):
        """Whole nodes in simulation, one test per seed; the commit is a seed too."""
        suite = Suite("sluice-sim")
        program = self.build_dir / "sluice-sim"
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True,
                                text=True).stdout[:12]
        everyday = SIM_SEEDS if self.preset == "release" else SIM_SEEDS_SANITIZED
        seeds = tuple(range(1, (SIM_SEEDS_LONG if self.long else everyday) + 1))
        limit = PROGRAM_SECONDS * self.slowdown
        for seed in seeds + ((int(commit, 16),) if commit else ()):
            if not program.is_file():
                suite.fail("sluice-sim", "not built")
                break
            ended = run([program, seed], limit, self.env)
            suite.seconds += ended.seconds
            if ended.status == 0:
                suite.passed += 1
            else:
                suite.fail(f"./dev sim {seed}", f"{ended.in_words(limit)}\n{ended.tail()}")
        return suite

    def e2e(self):
        suite = Suite("e2e")
        if not (ROOT / "tests/e2e").is_dir():
            suite.fail("tests/e2e", "does not exist")
            return suite
        if not (self.build_dir / "sluice").is_file():
            suite.fail("tests/e2e", f"there is no program {self.build_dir / 'sluice'} to test")
            return suite
        marks = [] if self.long else ["not long"]
        marks += [] if self.preset == "release" else ["not release_only"]
        limit = self.seconds(E2E_SECONDS, E2E_SECONDS_LONG)
        with tempfile.TemporaryDirectory(prefix="sluice-e2e-") as scratch:
            report = Path(scratch) / "report.xml"
            ended = run(
                [PYTHON, "-m", "pytest", *self.e2e_files(), "-q", "-p", "no:cacheprovider",
                 "--tb=short", f"--junitxml={report}", "-m", " and ".join(marks), "--durations=5",
                 f"--basetemp={scratch}/tmp"], limit, self.env)
            suite.seconds = ended.seconds
            complete = read_junit(report, suite)
        if not complete or (ended.status != 0 and not suite.failures):
            suite.fail("tests/e2e", f"{ended.in_words(limit)}\n{ended.tail()}")
        slowest = re.findall(r"^\d+\.\d+s (?:call|setup|teardown).*$", ended.output, re.M)
        if slowest:
            print("      slowest: " + "; ".join(slowest), flush=True)
        return suite

    def e2e_files(self):
        if self.preset == "release" or self.long:
            return ["tests/e2e"]
        return [f"tests/e2e/test_{name}.py" for name in SANITIZED_E2E]

    def mutations(self):
        """The promises broken on purpose, one test each: it passes when the tests notice."""
        suite = Suite("mutations")
        ended = run([PYTHON, "tools/mutate.py"], MUTATION_SECONDS, self.env)
        suite.seconds = ended.seconds
        table = re.findall(r"^\| `(\S+)` \| .*", ended.output, re.M)
        lost = re.findall(r"^\| `(\S+)` \| .*(?:\*\*nobody|does not build).*", ended.output, re.M)
        suite.passed = len(table) - len(lost)
        for name in lost:
            suite.fail(f"tools/mutate.py {name}", "no test notices, or it does not build")
        if ended.status != 0 and not lost or not table:
            suite.fail("tools/mutate.py", f"{ended.in_words(MUTATION_SECONDS)}\n{ended.tail()}")
        print("\n".join(line for line in ended.output.splitlines() if line.startswith("|")))
        return suite

    def all(self):
        """Every suite, as each ends."""
        built = self.build()
        yield built
        if built.failures:
            return
        with ThreadPoolExecutor(PROGRAMS_AT_ONCE) as pool:
            # It has one thread: nothing for ThreadSanitizer, and no core left over beside it.
            sim = None if self.preset == "tsan" else pool.submit(self.sim)
            yield from pool.map(self.unit, self.unit_programs())
            if sim is not None:
                yield sim.result()
        if self.preset == "release":  # the sources are the same under every preset
            yield self.tidy()
        if self.preset != "tsan" or self.long:
            yield self.e2e()
        if self.long and self.preset == "release":
            yield self.mutations()


def report(suites, started):
    """Prints failures and skips, then the counts; returns the exit status."""
    for suite in suites:
        for test, reason in suite.skips:
            print(f"SKIPPED  {suite.name}: {test}: {reason}")
    for suite in suites:
        for test, text in suite.failures:
            print(f"\nFAILED  {suite.name}: {test}\n{text}")
    passed = sum(suite.passed for suite in suites)
    failed = sum(len(suite.failures) for suite in suites)
    skipped = sum(len(suite.skips) for suite in suites)
    print(f"({time.monotonic() - started:.0f} s in all)")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description="Build and run the tests.")
    parser.add_argument("preset", choices=["release", "debug", "asan", "tsan"])
    parser.add_argument("--long", action="store_true", help="the slow tests too")
    parser.add_argument("--build-dir", type=Path, help="instead of build/PRESET")
    options = parser.parse_args()
    build_dir = (options.build_dir or ROOT / "build" / options.preset).resolve()
    started = time.monotonic()
    suites = []
    for suite in Runner(options.preset, build_dir, options.long).all():
        print(suite.line(), flush=True)
        suites.append(suite)
    return report(suites, started)


if __name__ == "__main__":
    sys.exit(main())
