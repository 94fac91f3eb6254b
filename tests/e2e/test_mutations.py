"""The mutations that `./dev test --long` tries still fit the code, and the documents name them all.

Goal:   code that moved takes its mutation along, at once and not at the next long run.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from mutate import Mutation, load  # noqa: E402

pytestmark = pytest.mark.release_only  # the sources are the same under every preset


def test_every_mutation_applies_to_the_tree():
    done = subprocess.run([ROOT / "tools/mutate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mutation_that_fits_nowhere_or_twice_is_refused(tmp_path):
    (tmp_path / "a.cc").write_text("one();\ntwo();\ntwo();\n")
    for find, replace in (("three();", ""), ("two();", ""), ("one();", "one();")):
        with pytest.raises(ValueError):
            Mutation("m", "", "a.cc", find, replace, []).applied(tmp_path)
    assert Mutation("m", "", "a.cc", "one();", "", []).applied(tmp_path) == "\ntwo();\ntwo();\n"


def test_the_documents_name_every_mutation():
    page = (ROOT / "docs/testing.md").read_text()
    assert [m.name for m in load() if f"`{m.name}`" not in page] == []
