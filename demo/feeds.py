"""The workload: rows for `sluice load`, made faster than a server can take them, and their truth.

A feed has a pool of chunks made beforehand; each chunk that is sent is one of the pool with its
number in place of a mark of the same length. So making rows costs next to nothing, every row is
different, and what must be in the server afterwards is known without keeping the rows.
"""

import random
import socket
import subprocess
import threading
from collections import Counter

MARK = b"@@@@@@"  # replaced by the chunk's number
CHUNK = 1000  # rows
POOL = 50  # chunks made beforehand
POSTS, CHANNELS, DEVICES = 20_000, 500, 1_000
WORDS = (
    "yes no maybe later never again really thanks great see you tomorrow tonight what happened "
    "with the order from yesterday"
).split()


def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def bulk(value):
    return b"$%d\r\n%s\r\n" % (len(value), value)


class Chunk:
    """Rows as CSV, and for the check the requests for what they wrote and the replies expected."""

    def __init__(self, rows, requests=b"", replies=b"", counts=None):
        self.rows, self.requests, self.replies = rows, requests, replies
        self.counts = counts or Counter()


def likes_pool(chance):
    """Zipf: the first post gets one like in ten, the hundredth one in a thousand."""
    weights = [1 / (rank + 1) for rank in range(POSTS)]
    for _ in range(POOL):
        posts = chance.choices(range(POSTS), weights, k=CHUNK)
        rows = b"".join(b"%d,%d\n" % (post, chance.randrange(10**6)) for post in posts)
        yield Chunk(rows, counts=Counter(posts))


def chat_pool(chance):
    for _ in range(POOL):
        rows, requests, replies = [], [], []
        for i in range(CHUNK):
            channel = min(int(chance.paretovariate(0.5)), CHANNELS)
            text = " ".join(chance.choices(WORDS, k=chance.randrange(3, 20))).encode()
            number = MARK + b"%03d" % i
            rows.append(b"%d,%s,%d,%s\n" % (channel, number, chance.randrange(10**5), text))
            requests.append(resp(b"HGET", b"chat:%d:%s" % (channel, number), b"text"))
            replies.append(bulk(text))
        yield Chunk(b"".join(rows), b"".join(requests), b"".join(replies))


def devices_pool(chance):
    for _ in range(POOL):
        rows, requests, replies = [], [], []
        for i in range(CHUNK):
            device, at = chance.randrange(DEVICES), MARK + b"%03d" % i
            reading = b"%.2f" % chance.gauss(21, 3)
            rows.append(b"%d,%s,%s\n" % (device, at, reading))
            requests.append(resp(b"GET", b"device:%d:%s" % (device, at)))
            replies.append(bulk(reading))
        yield Chunk(b"".join(rows), b"".join(requests), b"".join(replies))


class Feed:
    """One `sluice load -` that reads what a thread writes."""

    def __init__(self, name, header, pool, commands):
        self.name, self.header, self.commands = name, header, commands
        self.pool = list(pool)
        self.sent = []  # the pool index of each chunk sent, by its number
        self.loader = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self, binary, port, output):
        words = [binary, "load", "-", "--port", str(port)]
        for command in self.commands:
            words += ["--do", command]
        self.loader = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )
        self._thread.start()

    def _write(self):
        try:
            self.loader.stdin.write(self.header)
            while not self._stop.is_set():
                number = len(self.sent)
                index = number % len(self.pool)
                self.sent.append(index)
                self.loader.stdin.write(self.pool[index].rows.replace(MARK, b"%06d" % number))
            self.loader.stdin.close()
        except OSError:
            pass  # the loader ended: its exit status says why

    def finish(self, seconds):
        """Sends no more rows and waits for the loader; returns its summary."""
        self._stop.set()
        self._thread.join(seconds)
        out = self.loader.stdout.read().decode()
        if self.loader.wait(seconds) != 0:
            raise RuntimeError(f"sluice load of {self.name} failed: {out}")
        return out

    @property
    def rows(self):
        return len(self.sent) * CHUNK

    def counts(self):
        """What each key was counted up to."""
        total = Counter()
        for index, times in Counter(self.sent).items():
            for key, count in self.pool[index].counts.items():
                total[key] += count * times
        return total

    def check(self, port):
        """How many of the values that were written are not there as written."""
        wrong = 0
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            for number, index in enumerate(self.sent):
                chunk, digits = self.pool[index], b"%06d" % number
                connection.sendall(chunk.requests.replace(MARK, digits))
                wrong += receive(connection, len(chunk.replies)) != chunk.replies
        return wrong


def receive(connection, size):
    """That many bytes; fewer where the replies turn out shorter or the connection ends."""
    received = bytearray()
    connection.settimeout(5)
    while len(received) < size:
        try:
            data = connection.recv(size - len(received))
        except TimeoutError:
            break
        if not data:
            break
        received += data
    return bytes(received)


def all_feeds(seed):
    chance = random.Random(seed)
    return [
        Feed("likes", b"post_id,user_id\n", likes_pool(chance), ["INCR likes:{post_id}"]),
        Feed(
            "chat",
            b"channel,message,user,text\n",
            chat_pool(chance),
            ["HSET chat:{channel}:{message} user {user} text {text}"],
        ),
        Feed(
            "devices",
            b"device,at,celsius\n",
            devices_pool(chance),
            ["SET device:{device}:{at} {celsius}"],
        ),
    ]
