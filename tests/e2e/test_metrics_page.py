"""docs/operating/metrics.md is what a running server says of its meters."""

import os
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operating" / "metrics.md"

HEAD = """# Metrics

`GET /metrics` on the port of `server.http` answers in the text format of Prometheus. Names are
`sluice_<room>_<noun>_<unit>`; those of counters end in `_total`, times are in seconds. A
histogram's buckets end at powers of two (of microseconds, of bytes, of whatever it counts), and are
exact.

This page is printed from what a running server says of itself.
"""

# Their values are the machine's and the users'.
OPEN_LABELS = ("lane", "keyspace", "shard", "projection")

TABLE = """
## {room}

| name | kind | labels | what it says |
|---|---|---|---|
"""


def families(text):
    """{name: (kind, help, labels)} of the meters that are Sluice's own."""
    helps, kinds, labels = {}, {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            helps[name] = words
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            kinds[name] = kind
        elif line:
            name = re.match(r"[a-z0-9_]+", line)[0]
            name = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
            for label, value in re.findall(r'([a-z_]+)="([^"]*)"', line):
                if label != "le":
                    labels.setdefault(name, {}).setdefault(label, set()).add(value)
    return {
        name: (kinds[name], words, labels.get(name, {}))
        for name, words in helps.items()
        if name.startswith("sluice_")
    }


def page(meters):
    text, room = HEAD, None
    for name, (kind, words, labels) in sorted(meters.items()):
        if name.split("_")[1] != room:
            room = name.split("_")[1]
            text += TABLE.format(room=room)
        shown = "; ".join(
            label if label in OPEN_LABELS else f"{label}: {', '.join(sorted(values))}"
            for label, values in sorted(labels.items())
        )
        text += f"| `{name}` | {kind} | {shown} | {words} |\n"
    return text


def test_the_page_names_every_meter(start_sluice, tmp_path):
    """Compares; with SLUICE_WRITE_DOCS set, writes the page instead."""
    config = f'[projection.archive]\nfrom = "default"\nto = "file:{tmp_path}/archive"\n'
    status, body = start_sluice(config).http("/metrics")
    assert status == 200
    text = page(families(body))
    if os.environ.get("SLUICE_WRITE_DOCS"):
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "run this test with SLUICE_WRITE_DOCS=1"
