#!/usr/bin/env python3
"""Runs clang-tidy on what changed since the last commit but one, then on a sample of the rest.

  tools/clang_tidy.py [--all] [--build-dir DIR]

Analysing everything takes minutes, so a run stops starting files after a time, and says how many
it reached. The sample's order is drawn from the commit: each commit looks at others first.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60  # after which no further file is begun
FILE_SECONDS = 180
AT_ONCE = 2
CLANG_TIDY = "clang-tidy-16"
# Flags of GCC that clang does not know.
FOREIGN_FLAGS = re.compile(r"-fpch-preprocess|-Winvalid-pch|-Werror\b")
# GCC's precompiled headers; clang reads their text instead.
PRECOMPILED = re.compile(r"-include \S+cmake_pch\.hxx")


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.split()


def commands(build_dir):
    """{source: compile command that clang understands}, for our own .cc files."""
    configure = ["cmake", "--preset", "release", "-B", str(build_dir), "--log-level=WARNING"]
    subprocess.run(configure, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    found = {}
    for entry in json.loads((build_dir / "compile_commands.json").read_text()):
        source = Path(entry["file"])
        if source.is_relative_to(ROOT / "src") and source.suffix == ".cc":
            command = entry["command"]
            # The launcher's words (env, ccache) come before the compiler.
            command = re.sub(r"^.*?(?=\S*/(?:c\+\+|g\+\+)\s)", "", command)
            text = "pch_test.h" if source.name.endswith(("_test.cc", "_fuzz.cc")) else "pch.h"
            command = PRECOMPILED.sub(f"-include {ROOT}/src/base/{text}", command)
            found[source] = FOREIGN_FLAGS.sub("", command)
    return found


def order(sources):
    """Changed files first, the rest shuffled by the commit; and how many are changed."""
    names = git("diff", "--name-only", "HEAD~1") + git("ls-files", "-o", "--exclude-standard")
    changed = {ROOT / name for name in names}
    first = sorted(s for s in sources if s in changed)
    rest = sorted(set(sources) - set(first))
    random.Random("".join(git("rev-parse", "HEAD"))).shuffle(rest)
    return first + rest, len(first)


def analyse(source, database, deadline):
    """What clang-tidy says, "" if nothing; None if there was no time to ask."""
    if time.monotonic() > deadline:
        return None
    try:
        ended = subprocess.run(
            [CLANG_TIDY, "-p", database, "--quiet", str(source)],
            cwd=ROOT, capture_output=True, text=True, timeout=FILE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{source}: clang-tidy still ran after {FILE_SECONDS} s\n"
    if ended.returncode == 0:
        return ""
    return ended.stdout + "".join(
        line + "\n" for line in ended.stderr.splitlines() if "warnings generated" not in line)


def main():
    parser = argparse.ArgumentParser(description="clang-tidy on what changed and on a sample.")
    parser.add_argument("--all", action="store_true", help="every file, however long it takes")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build/release")
    options = parser.parse_args()
    os.chdir(ROOT)
    compile_commands = commands(options.build_dir.resolve())
    sources, changed = order(compile_commands)
    deadline = time.monotonic() + (86_400 if options.all else SECONDS)
    with tempfile.TemporaryDirectory(prefix="sluice-lint-") as database:
        entries = [{"directory": str(options.build_dir.resolve()), "file": str(source),
                    "command": command} for source, command in compile_commands.items()]
        (Path(database) / "compile_commands.json").write_text(json.dumps(entries))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(lambda s: analyse(s, database, deadline), sources))
    reached = [text for text in said if text is not None]
    complaints = sorted({text for text in reached if text})
    print("".join(complaints), end="")
    print(f"clang-tidy: {len(reached)} of {len(sources)} files, {changed} of them changed last")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
