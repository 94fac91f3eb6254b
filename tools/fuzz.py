#!/usr/bin/env python3
"""Fuzzes decoders: each src/ROOM/NAME_fuzz.cc is the target ROOM_NAME.

  tools/fuzz.py [TARGET] [SECONDS]     each target (or that one) for SECONDS (10)
  tools/fuzz.py --merge [TARGET]       keep the least that reaches all code in tests/fuzz/corpus

Builds build/fuzz. What a run learns stays in build/fuzz/corpus and serves the next; inputs that
broke something lie in build/fuzz/found, and `build/fuzz/TARGET FILE` repeats one. The last line is
`N passed, M failed, K skipped`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/fuzz"
CORPUS = ROOT / "tests/fuzz/corpus"
SECONDS = 10
AT_ONCE = 2
INPUT_BYTES = 4096
INPUT_SECONDS = 20  # for one input; a slower one is a finding
MEMORY_MB = 4096
OUTPUT_LINES_SHOWN = 60
SYMBOLIZER = "/usr/bin/llvm-symbolizer-16"


def targets():
    return sorted(f"{path.parent.name}_{path.name.removesuffix('_fuzz.cc')}"
                  for path in (ROOT / "src").glob("*/*_fuzz.cc"))


def build(names):
    subprocess.run(["cmake", "--preset", "fuzz", "--log-level=WARNING"], cwd=ROOT,
                   stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "-C", str(BUILD), *names], check=True)


def folders(name):
    """Where a target's inputs lie: those it learns, those of the tree, and findings."""
    learnt, kept, found = BUILD / "corpus" / name, CORPUS / name, BUILD / "found"
    for folder in (learnt, kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    return learnt, kept, found


def run(name, *options):
    words = [BUILD / name, f"-max_len={INPUT_BYTES}", f"-timeout={INPUT_SECONDS}",
             f"-rss_limit_mb={MEMORY_MB}", *options]
    ended = subprocess.run(
        [str(word) for word in words], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(os.environ, ASAN_SYMBOLIZER_PATH=SYMBOLIZER))
    return ended.returncode, ended.stdout.decode(errors="replace")


def fuzz(name, seconds):
    """One target's run; False when it found something."""
    learnt, kept, found = folders(name)
    words = ROOT / "tests/fuzz" / f"{name}.dict"
    dictionary = [f"-dict={words}"] if words.exists() else []
    before = len(list(learnt.iterdir()))
    started = time.monotonic()
    status, output = run(name, f"-max_total_time={seconds}", "-print_final_stats=1",
                         f"-artifact_prefix={found}/{name}-", *dictionary, learnt, kept)
    took = time.monotonic() - started
    executed = re.search(r"number_of_executed_units: (\d+)", output)
    covered = re.findall(r"cov: (\d+)", output)
    line = (f"{'ok  ' if status == 0 else 'FAIL'}  {name:<20} "
            f"{executed.group(1) if executed else '?':>9} runs, "
            f"{covered[-1] if covered else '?':>6} edges, "
            f"{len(list(learnt.iterdir())) - before:>4} inputs learnt  ({took:.0f} s)")
    print("\n".join([line] + (output.splitlines()[-OUTPUT_LINES_SHOWN:] if status else [])),
          flush=True)
    return status == 0


def merge(name):
    """Replaces a target's corpus by the fewest inputs that reach all that any of them reaches."""
    learnt, kept, _ = folders(name)
    with tempfile.TemporaryDirectory() as scratch:
        # Whether code was reached, not how often: that keeps the corpus to some dozen files.
        status, output = run(name, "-set_cover_merge=1", "-use_counters=0", scratch, kept, learnt)
        if status != 0:
            print(output)
            return False
        for old in kept.iterdir():
            old.unlink()
        for new in Path(scratch).iterdir():
            (kept / new.name).write_bytes(new.read_bytes())
    print(f"ok    {name:<20} {len(list(kept.iterdir()))} inputs kept", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description="Fuzz decoders.")
    parser.add_argument("words", nargs="*", metavar="TARGET|SECONDS")
    parser.add_argument("--merge", action="store_true", help="minimise and keep the corpora")
    options = parser.parse_args()
    known, seconds, names = targets(), SECONDS, []
    for word in options.words:
        if word.isdigit():
            seconds = int(word)
        elif word in known:
            names.append(word)
        else:
            parser.error(f"'{word}' is no target; there are: {' '.join(known)}")
    names = names or known
    build(names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        passed = sum(pool.map(lambda n: merge(n) if options.merge else fuzz(n, seconds), names))
    print(f"{passed} passed, {len(names) - passed} failed, 0 skipped")
    return 0 if passed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
