"""Server-sent events: what changed, to everybody who looks, at most once a second each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

__all__ = ["Stream"]

_PAUSE = 1.0
_SILENCE = 15.0


class Stream:
    """Tells listeners which sites changed. A listener that is slow gets the union of what it missed.

    So memory is bounded by the number of sites, however slow anybody is.
    """

    def __init__(self, *, most: int = 200) -> None:
        self._listeners: set[_Listener] = set()
        self._most = most
        self._closed = False

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def full(self) -> bool:
        """Whether nobody else may listen."""
        return len(self._listeners) >= self._most

    def publish(self, sites: Iterable[str]) -> None:
        """Say that sites changed. Call it in the event loop."""
        names = list(sites)
        for listener in self._listeners:
            listener.sites.update(names)
            listener.news.set()

    def close(self) -> None:
        """End all listening."""
        self._closed = True
        for listener in self._listeners:
            listener.news.set()

    async def listen(self) -> AsyncIterator[frozenset[str]]:
        """Yield the sites that changed since the last time; an empty set now and then, as a sign of life."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(listener.news.wait(), _SILENCE)
                except TimeoutError:
                    yield frozenset()
                    continue
                listener.news.clear()
                changed, listener.sites = frozenset(listener.sites), set()
                if changed:
                    yield changed
                    await asyncio.sleep(_PAUSE)
        finally:
            self._listeners.discard(listener)


class _Listener:
    def __init__(self) -> None:
        self.sites: set[str] = set()
        self.news = asyncio.Event()
