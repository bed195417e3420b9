"""How new a list must be at least: so new that it has what this client has written and seen."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["Freshness"]


class Freshness:
    """The newest resource version that was seen of each kind.

    A list that must be the newest of all waits until the server knows that nothing newer was written to its
    storage, which takes up to a tenth of a second after every write to any kind. One that must have what is
    known already is answered at once. Several threads may use it.
    """

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()

    def note(self, collection: str, answer: Mapping[str, Any]) -> None:
        """Note the version of an object, or of a list.

        Args:
            collection: The path of all objects of the kind.
            answer: The object or the list, as the server gave it.
        """
        version = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        # By KEP-5504 these are numbers that grow; of a server that has others nothing is known.
        if version.isascii() and version.isdigit():
            with self._lock:
                self._versions[collection] = max(int(version), self._versions.get(collection, 0))

    def of(self, collection: str) -> str:
        """Return the version that a list must have at least, or "" where nothing is known."""
        version = self._versions.get(collection)
        return "" if version is None else str(version)

    def forget(self, collection: str) -> None:
        """Forget a version, which the server may never have had: it may have been restored from a backup."""
        with self._lock:
            self._versions.pop(collection, None)
