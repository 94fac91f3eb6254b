"""Is a history of one key linearizable: could its operations have happened one after another?

An operation is known by when it was sent and when its answer came (`end`; infinity: never, so it
may have happened at any time since, or not at all).  Two kinds of keys are judged, exactly and in
n log n, because in both what was read says which write it came after:

    register_complaint(operations)   ("set", value) of values that are written once; ("get", value)
    counter_complaint(operations)    ("incr", answer), answer None when unknown; ("get", value)

Both answer None, or a sentence about operations that no order explains.  `value` None is the state
before the first write, a counter's is 0.

A register: all operations about one value form a cluster, the write and its reads. If the earliest
end lies before the latest start, the value certainly was the register's between the two. Two such
stretches must not overlap, and a cluster whose operations all overlap one another must find a
moment outside the stretches of others. (Gibbons and Korach, Testing Shared Memories, 1997.)

A counter: the answers are the order. The operations sorted by value must not go back in time; an
increment that no answer tells of, but that later ones count, must be one of those that were never
answered.
"""

import bisect
import math
from dataclasses import dataclass

NEVER = math.inf


@dataclass(frozen=True)
class Operation:
    kind: str  # set, get, incr
    value: object
    begin: float
    end: float = NEVER


def register_complaint(operations):
    clusters = {None: [Operation("set", None, -NEVER, -NEVER)]}
    for operation in operations:
        if operation.kind == "set":
            assert operation.value not in clusters, "values must be written once"
            clusters[operation.value] = [operation]
    for operation in operations:
        if operation.kind == "get" and operation.end is not NEVER:
            if operation.value not in clusters:
                return f"{operation} read what nobody wrote"
            clusters[operation.value].append(operation)
    held, passing = [], []  # stretches in which a value certainly was there; the other clusters
    for value, cluster in clusters.items():
        write = cluster[0]
        if len(cluster) == 1 and write.end is NEVER:
            continue  # it may never have happened
        if any(read.end < write.begin for read in cluster[1:]):
            return f"{value!r} was read before it was written"
        first_end = min(operation.end for operation in cluster)
        last_begin = max(operation.begin for operation in cluster)
        if first_end < last_begin:
            held.append((first_end, last_begin, value))
        else:
            passing.append((last_begin, first_end, value))
    held.sort(key=lambda stretch: stretch[:2])
    for one, other in zip(held, held[1:]):
        if other[0] < one[1]:
            return f"{one[2]!r} and {other[2]!r} were both there between {other[0]} and {one[1]}"
    begins = [begin for begin, _, _ in held]
    for begin, end, value in passing:
        at = bisect.bisect_left(begins, begin) - 1
        if at >= 0 and begin > held[at][0] and end < held[at][1]:
            return f"{value!r} has no moment: {held[at][2]!r} was there from {begin} to {end}"
    return None


def counter_complaint(operations):
    steps = {}  # value -> its increment
    reads = {}  # value -> reads of it
    pending = []  # begins of increments without an answer
    for operation in operations:
        if operation.kind == "incr" and operation.value is None:
            pending.append(operation.begin)
        elif operation.kind == "incr":
            if operation.value in steps:
                return f"{operation.value} was answered twice"
            steps[operation.value] = operation
        elif operation.end is not NEVER:
            reads.setdefault(operation.value or 0, []).append(operation)
    greatest = max([0, *steps, *reads])
    if min([0, *steps, *reads]) < 0 or 0 in steps:
        return "a value that no increment makes"
    # Backwards: by when must each step have happened, at the latest?
    deadline = [NEVER] * (greatest + 2)
    for value in range(greatest, -1, -1):
        known = list(reads.get(value, ()))
        if value in steps:
            known.append(steps[value])
        deadline[value] = min([deadline[value + 1], *(operation.end for operation in known)])
    # Forwards: no operation may have ended before one that comes earlier in the order began.
    pending.sort(reverse=True)
    latest_begin = -NEVER
    for value in range(0, greatest + 1):
        if value in steps:
            latest_begin = max(latest_begin, steps[value].begin)
        elif value > 0:
            if not pending or pending[-1] > deadline[value]:
                return f"nobody can have made {value}, which was there by {deadline[value]}"
            latest_begin = max(latest_begin, pending.pop())
        known = reads.get(value, [])
        if value in steps and steps[value].end < latest_begin:
            return f"{steps[value]} ended before what it counts began"
        late = [read for read in known if read.end < latest_begin]
        if late:
            return f"{late[0]} ended before what it shows began"
        latest_begin = max([latest_begin, *(read.begin for read in known)])
    return None
