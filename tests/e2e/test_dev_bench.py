"""`./dev bench`: it runs from end to end, and calls nothing met that is not."""

import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "bench"))

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


@pytest.mark.long
@pytest.mark.release_only
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario, bar, command", [
    ("S6", "| S6 | empty start |", "redis-benchmark -p PORT -c 50 -n 600000"),
    ("S9", "| S9 | to PostgreSQL's own batches", "pgbench -n -M prepared -c 2"),
])
def test_a_scenario_runs(sluice_bin, tmp_path, scenario, bar, command):
    """Goal: the bench works on this machine. Method: scenarios that are short, quick."""
    report = tmp_path / "report.md"
    done = subprocess.run(
        [sys.executable, ROOT / "bench/run.py", "--quick", "--runs", "1", "--sluice", sluice_bin,
         "--out", report, scenario],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    assert bar in text
    assert command in text, "the exact commands"
