"""A connection for tests that must know exactly which of their commands were answered."""

from resp import Connection, Error, encode

__all__ = ["Closed", "Error", "Wire", "encode", "mapped"]


def mapped(reply):
    """A map, which is a flat array in RESP2, as a dict."""
    return {key.decode(): value for key, value in zip(reply[::2], reply[1::2])}


class Closed(Exception):
    """The connection ended, or never began, before a whole reply had arrived."""


class Wire(Connection):
    """Closed is raised by whatever meets the end of the connection; error replies are returned."""

    def __init__(self, port, timeout=30):
        try:
            super().__init__(port, timeout)
        except OSError as error:
            raise Closed(str(error)) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        try:
            super().send(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def reply(self):
        try:
            return super().reply()[0]
        except (OSError, EOFError) as error:
            raise Closed(str(error)) from error

    def pipeline(self, commands):
        """Sends all of them; yields their replies as they arrive."""
        self.send(b"".join(encode(words) for words in commands))
        for _ in commands:
            yield self.reply()
