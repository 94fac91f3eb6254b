"""`./dev bench`: it runs from end to end, and calls nothing met that is not."""

import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "bench"))

import arithmetic  # noqa: E402
from report import Section, summary  # noqa: E402


def test_bars_are_met_or_not():
    """Goal: a bar is met exactly when its figure reaches it. Method: at, above and below each."""
    section = Section("S0", "a test")
    for ours, word in ((129, "not met"), (130, "met"), (131, "met")):
        section.ratio("ratio", [ours], [100], 1.3)
        assert section.bars[-1][-1] == word
    for value, word in ((9.9, "met"), (10, "met"), (10.1, "not met")):
        section.at_most("stall", value, 10, " ms")
        assert section.bars[-1][-1] == word
        section.at_least("rate", value, 10, " /s")
        assert section.bars[-1][-1] == ("not met" if value < 10 else "met")
    section.ratio("the median counts", [1, 200, 130], [100, 100, 5], 1.3)
    assert section.bars[-1][-1] == "met"
    section.figure("a figure", "7/s")
    assert "- a figure: 7/s\n" in section.text()
    assert len(summary([section]).splitlines()) == 2 + len(section.bars)


def test_the_worked_examples_are_worked_out():
    """Goal: the arithmetic of batching gives the figures of its worked examples, and follows what
    is given. Method: the examples, and each with something changed."""
    found = arithmetic.log_batches(32_000, 5_000, 40_000, 200, 4)
    assert (found["direct"], found["log"]) == (False, True)
    assert (found["flushes"], found["work_ms"]) == (160, 640)
    assert arithmetic.log_batches(32_000, 5_000, 30_000, 100, 4) == {
        "direct": False, "log": False, "flushes": 320, "work_ms": 1280}
    assert arithmetic.log_batches(4_000, 5_000, 40_000, 200, 4)["direct"]
    rows = arithmetic.row_batches(9_000, 1.2, 300, 18)
    assert (round(rows["single_ms"]), round(rows["batches_ms"])) == (10_800, 540)
    assert round(rows["less_percent"]) == 95
    assert arithmetic.row_batches(9_000, 1, 1, 1)["less_percent"] == 0
    assert arithmetic.hot_key(30_000, 12_000) == {
        "fits": False, "sub_keys": 3, "fold_at_least": 2.5}
    assert arithmetic.hot_key(12_000, 12_000)["fits"]
    cells = [(4_999, 1), (5_000, 2), (49_999, 5), (50_000, 1), (80_000, 1)]
    assert arithmetic.shares_of_window(cells, 50_000, 10) == [
        0.1, 0.2, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.2]


def bench(sluice_bin, tmp_path, scenario):
    """The report of one scenario, quick."""
    report = tmp_path / "report.md"
    done = subprocess.run(
        [sys.executable, ROOT / "bench/run.py", "--quick", "--runs", "1", "--sluice", sluice_bin,
         "--out", report, scenario],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return report.read_text()


def test_the_worked_examples_about_shards_run(sluice_bin, tmp_path):
    """Goal: they print their numbers, and a node puts each id where it must be. Method: their
    scenario, on a node of its own."""
    text = bench(sluice_bin, tmp_path, "SHARDS")
    for figure in (
            "160,000 / 15,000 = 10.67", "10,909/s", "4,091/s", "120,000 / 12,000 = 10",
            "24,000 / 2", "median of its load", "24,000 / 4", "shard 1: 167 %", "looks safe",
            "splitting the shard cannot help: 2 sub-keys", "30,000 / 12,000 = 2.50, rounded up",
            "for 101, 102, 103, 104.** Shards 1, 2, 3, 0; here 1, 2, 3, 0",
            "1-1,000,000 and 1,000,001-2,000,000"):
        assert figure in text, text
    assert "not met" not in text


@pytest.mark.long
@pytest.mark.release_only
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario, bar, command", [
    ("S6", "| S6 | empty start |", "redis-benchmark -p PORT -c 50 -n 600000"),
    ("S9", "| S9 | to PostgreSQL's own batches", "pgbench -n -M prepared -c 2"),
    ("S12", "| S12 | increments applied and acknowledged", "sluice bench mixed --port PORT"),
    ("EXAMPLES", "640 ms of work per second", "sluice bench incr --port PORT"),
])
def test_a_scenario_runs(sluice_bin, tmp_path, scenario, bar, command):
    """Goal: the bench works on this machine. Method: scenarios that are short, quick."""
    text = bench(sluice_bin, tmp_path, scenario)
    assert bar in text
    assert command in text, "the exact commands"
