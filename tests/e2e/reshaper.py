"""Somebody who splits, merges and moves shards all the time, while tests do something else."""

import random
import threading
import time

from wire import Closed, Error, Wire, mapped

SHARDS_MOST = 40


class Reshaper:
    """Starts with start(port), ends with join(): when the server dies, or after stop()."""

    def __init__(self, seed, lanes):
        self.random = random.Random(seed)
        self.lanes = lanes
        self.started = 0
        self.refused = []
        self.over = threading.Event()
        self.thread = None

    def start(self, port):
        self.over.clear()
        self.thread = threading.Thread(target=self.run, args=(port,))
        self.thread.start()

    def run(self, port):
        try:
            with Wire(port) as wire:
                while not self.over.is_set():
                    self.order(wire)
                    time.sleep(self.random.uniform(0, 0.01))
        except Closed:
            pass

    def order(self, wire):
        shards = [mapped(one) for one in wire.call("SLUICE", "SHARDS")]
        jobs = [mapped(one) for one in wire.call("SLUICE", "JOBS")]
        open_jobs = [job for job in jobs if job["phase"] != b"ended"]
        if open_jobs and self.random.random() < 0.5:
            verb = self.random.choice(("PAUSE", "RESUME", "RESUME", "ABORT"))
            wire.call("SLUICE", "JOB", verb, self.random.choice(open_jobs)["job"])
            return
        i = self.random.randrange(len(shards))
        shard = shards[i]
        kind = self.random.randrange(3)
        if kind == 0 and len(shards) < SHARDS_MOST:
            reply = wire.call("SLUICE", "SPLIT", shard["shard"], *self.cut(wire, shard))
        elif kind == 1 and i + 1 < len(shards) and shard["lane"] == shards[i + 1]["lane"]:
            reply = wire.call("SLUICE", "MERGE", shard["shard"], shards[i + 1]["shard"])
        else:
            reply = wire.call("SLUICE", "MOVE", shard["shard"], self.random.randrange(self.lanes))
        if isinstance(reply, Error):
            self.refused.append(str(reply))
        else:
            self.started += 1

    def cut(self, wire, shard):
        """At a key of the shard, or where the node thinks best."""
        for _ in range(20):
            key = wire.call("RANDOMKEY")
            if key is None or isinstance(key, Error):
                break
            if mapped(wire.call("SLUICE", "ROUTE", key))["shard"] == shard["shard"]:
                return ("AT", key)
        return ()

    def join(self):
        self.over.set()
        self.thread.join()
