"""Connections: how many there may be, and how long and large a request's head may be."""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_BYTES", "HEAD_SECONDS", "ImpatientProtocol", "most_connections"]

#: Seconds that a client has for the head of a request.
HEAD_SECONDS = 20.0
#: Bytes that the head of a request may have.
HEAD_BYTES = 32 * 1024
#: Files that the hub itself holds open: its database, its log, its pages' modules.
_OWN_FILES = 200
#: A fleet of 5,000 sites keeps as many connections; each costs about 20 KiB.
_MOST = 20_000


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP that ends a connection whose client does not come to the point.

    Uvicorn waits for ever for a head that comes in drops, and keeps all of it.
    """

    _patience: asyncio.TimerHandle | None = None
    _head: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it makes the head too large."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        # Where the head ended meanwhile, what came may have been of its body.
        if self._head is not None and self._head > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of the head."""
        super().on_message_begin()
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Have the request answered."""
        self._stop_waiting()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head = 0
        self._patience = self.loop.call_later(HEAD_SECONDS, self._refuse, b"408 Request Timeout")

    def _stop_waiting(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, status: bytes) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()


def most_connections() -> int:
    """Return how many connections there may be, after asking the system for as many files as it grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _OWN_FILES
    granted = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
        soft = granted
    found = _MOST if soft == resource.RLIM_INFINITY else soft - _OWN_FILES
    return max(100, min(_MOST, found))
