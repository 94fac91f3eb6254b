"""What batching and folding are worth, worked out: each figure from the given ones alone."""

import math


def log_batches(writes, page_writes, appends, batch, flush_ms):
    """`writes` a second on a disk that carries so many random page writes, or appends, a second;
    the log takes `batch` of them with each flush."""
    flushes = writes / batch
    return {
        "direct": writes <= page_writes,
        "log": writes <= appends,
        "flushes": flushes,
        "work_ms": flushes * flush_ms,  # of each second
    }


def row_batches(writes, each_ms, batch, batch_ms):
    """`writes` a second into a database, one by one or in batches."""
    single, batched = writes * each_ms, writes / batch * batch_ms
    less = 100 * (1 - batched / single)
    return {"single_ms": single, "batches_ms": batched, "less_percent": less}


def hot_key(writes, per_shard):
    """`writes` a second on one key. It lies in one shard, whatever their number."""
    return {"fits": writes <= per_shard, "sub_keys": math.ceil(writes / per_shard),
            "fold_at_least": writes / per_shard}


def shares_of_window(cells, window_us, parts):
    """`cells`: (microseconds, count) of a latency histogram. The share of all writes in each of
    `parts` equal parts of the window, and of those beyond it, last."""
    shares = [0.0] * (parts + 1)
    for us, count in cells:
        shares[min(parts, us * parts // window_us)] += count
    total = sum(shares)
    return [share / total for share in shares]
