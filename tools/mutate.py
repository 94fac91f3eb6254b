#!/usr/bin/env python3
"""Breaks the promises of tools/mutations.toml one at a time, and wants the tests to fail each time.

  tools/mutate.py              all of them; prints a table
  tools/mutate.py NAME…        these
  tools/mutate.py --check      does each still apply to the tree? nothing is built

A copy of the tree is kept in build/mutants; there each mutation is made, built, tested and taken
back. Where mounting is allowed the copy is mounted in the place of the tree meanwhile, for these
processes alone: with the same paths ccache has all that the mutation did not change.

First the tests named for the mutation run; if they all pass, everything else does. A mutation that
nothing notices is a survivor, and the exit status 1.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build/mutants/tree"
MARK = ".mutants"  # only a copy has it; only a copy may be broken
BUILD = "build/release"
PYTHON = "/usr/bin/python3"
TEST_SECONDS = 300  # a mutant that hangs has been noticed
REST_SECONDS = 900
REST_SEEDS = range(1, 11)
ABOUT_MUTATIONS = "tests/e2e/test_mutations.py"  # any change of the code fails it


@dataclass
class Mutation:
    name: str
    breaks: str
    file: str
    find: str
    replace: str
    tests: list

    def applied(self, root):
        """The file's text with the mutation in it; ValueError if it does not fit."""
        text = (root / self.file).read_text()
        count = text.count(self.find)
        if count != 1:
            raise ValueError(f"{self.name}: `find` occurs {count} times in {self.file}, not once")
        if self.find == self.replace:
            raise ValueError(f"{self.name}: changes nothing")
        for test in self.tests:
            word = test.split()[0]
            if word.endswith(".py") and not (root / "tests/e2e" / word).is_file():
                raise ValueError(f"{self.name}: there is no {word} in tests/e2e")
        return text.replace(self.find, self.replace)


def load(root=ROOT):
    with open(root / "tools/mutations.toml", "rb") as file:
        return [Mutation(name, **fields) for name, fields in tomllib.load(file).items()]


def copy_tree():
    """The tracked and new files of the tree; those that have not changed keep their times."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for path in [path for path in TREE.rglob("*") if path.is_file()]:
        name = str(path.relative_to(TREE))
        if name not in wanted and not name.startswith("build/"):
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, TREE / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or source.read_bytes() != copy.read_bytes():
            shutil.copyfile(source, copy)
        shutil.copymode(source, copy)
    (TREE / MARK).touch()


def run_in_copy(arguments):
    inside = ["tools/mutate.py", "--inside"] + arguments
    mount = 'mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"'
    probe = subprocess.run(["unshare", "-m", "sh", "-c", mount, TREE, ROOT, "true"],
                           capture_output=True, check=False)
    if probe.returncode == 0:
        return subprocess.run(["unshare", "-m", "sh", "-c", mount, TREE, ROOT, PYTHON] + inside,
                              check=False).returncode
    return subprocess.run([PYTHON] + inside, cwd=TREE, check=False).returncode


# Inside the copy.


def run(command, seconds):
    """(exit status or None after `seconds`, output)"""
    environment = dict(os.environ, SLUICE_BIN=str(ROOT / BUILD / "sluice"), SLUICE_PRESET="release")
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        out.seek(0)
        return status, out.read().decode(errors="replace")


def build(*targets):
    status, output = run(["ninja", "-C", BUILD, *targets], 3600)
    if status != 0:
        print(output[-4000:])
    return status == 0


def program_of(test):
    word = test.split()[0]
    return "sluice" if word.endswith(".py") else "sluice-sim" if word == "sim" else word


def noticed(name, status, output):
    """What the failed test says it is; None when it passed."""
    if status == 0:
        return None
    found = re.search(r"^\[  FAILED  \] (\w+\.\w+|\S+/\S+)", output, re.M) or re.search(
        r"^(?:FAILED|ERROR) (?:\S*/)?(test_\w+\.py::\w+)", output, re.M)
    if found:
        return found[1]
    started = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
    return f"{started[-1] if started else name} ({'hangs' if status is None else 'ends'})"


def run_test(test, seconds=TEST_SECONDS):
    word, *arguments = test.split()
    if word == "sim":
        for seed in arguments:
            said = noticed(f"sim {seed}", *run([f"{BUILD}/sluice-sim", seed], seconds))
            if said:
                return said
        return None
    if word.endswith(".py"):
        command = [PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not long",
                   f"tests/e2e/{word}"]
    else:
        command = [f"{BUILD}/{word}", "--gtest_fail_fast"]
        command += [f"--gtest_filter={arguments[0]}"] if arguments else []
    return noticed(word, *run(command, seconds))


def run_rest():
    if not build():
        return "does not build"
    for program in sorted((ROOT / BUILD).glob("*_test")):
        said = run_test(program.name)
        if said:
            return said
    return (run_test("sim " + " ".join(str(seed) for seed in REST_SEEDS)) or
            noticed("tests/e2e", *run([PYTHON, "-m", "pytest", "-q", "-x", "-m", "not long",
                                       "-p", "no:cacheprovider", "--ignore", ABOUT_MUTATIONS,
                                       "tests/e2e"], REST_SECONDS)))


def judge(mutation):
    """Who noticed the mutation; None: nobody."""
    path = ROOT / mutation.file
    before = path.read_text()
    path.write_text(mutation.applied(ROOT))
    try:
        if not build(*sorted({program_of(test) for test in mutation.tests})):
            return "does not build"
        for test in mutation.tests:
            said = run_test(test)
            if said:
                return said
        return run_rest()
    finally:
        path.write_text(before)


def judge_all(mutations):
    assert (ROOT / MARK).exists(), "only a copy may be broken"
    status, output = run(["cmake", "--preset", "release", "--log-level=WARNING"], 300)
    if status != 0:
        print(output)
        return 1
    print("| mutation | what it breaks | noticed by | s |\n|---|---|---|---|", flush=True)
    bad = []
    for mutation in mutations:
        began = time.monotonic()
        said = judge(mutation)
        if said in (None, "does not build"):
            bad.append(mutation.name)
        print(f"| `{mutation.name}` | {mutation.breaks} | {f'`{said}`' if said else '**nobody**'} "
              f"| {time.monotonic() - began:.0f} |", flush=True)
    print(f"{len(mutations) - len(bad)} noticed, {len(bad)} not: {' '.join(bad) or 'none'}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="store_true", help="only see that each applies")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    mutations = load()
    unknown = set(options.names) - {mutation.name for mutation in mutations}
    if unknown:
        parser.error(f"no such mutation: {' '.join(sorted(unknown))}")
    try:
        for mutation in mutations:
            mutation.applied(ROOT)
    except (ValueError, OSError) as error:
        print(error)
        return 1
    if options.check:
        print(f"{len(mutations)} mutations apply")
        return 0
    if options.inside:
        return judge_all([m for m in mutations if not options.names or m.name in options.names])
    copy_tree()
    return run_in_copy(options.names)


if __name__ == "__main__":
    sys.exit(main())
