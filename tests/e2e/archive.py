"""Reads the archive that a projection with `to = "file:DIR"` writes."""

import json
from pathlib import Path


def _text(value):
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def changes(directory):
    """Every change in order. A line without a position behind it in its file does not count."""
    for path in sorted(Path(directory).glob("*.ndjson")):
        waiting = []
        for line in path.read_bytes().split(b"\n")[:-1]:
            said = json.loads(line)
            if "position" in said:
                yield from waiting
                waiting = []
            else:
                waiting.append(said)


def rows(directory):
    """What the keys are after all changes: bytes, or a dict of bytes for a hash."""
    state = {}
    for change in changes(directory):
        key = _text(change["key"])
        if change["kind"] in ("deleted", "expired"):
            state.pop(key, None)
        elif change["kind"] == "value":
            state[key] = _text(change["value"])
        else:
            before = state.get(key)
            fields = {} if change.get("whole") or not isinstance(before, dict) else before
            for name, value, *_ in change["fields"]:
                if value is None:
                    fields.pop(_text(name), None)
                else:
                    fields[_text(name)] = _text(value)
            state[key] = fields
    return state


def sums(directory):
    """Of each key, what its increments add up to."""
    total = {}
    for change in changes(directory):
        key = _text(change["key"])
        total[key] = total.get(key, 0) + change.get("delta", 0)
    return total
