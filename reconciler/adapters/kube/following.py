"""Following a collection of the API: list it once, watch it, go on where a watch ended (no list, no gap).

A thread of its own for each collection. A server that ends every watch at once, answers 410, or is away, is
asked again after pauses that grow to two minutes, so that no fault makes a hot loop.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.adapters.kube.client import KubeClient, KubeStream
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.resource import Manifest

__all__ = ["METADATA_ONLY", "Collection", "Follower"]

#: Asks for metadata alone: whose fields are whose, without what they hold.
METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
#: Seconds between two requests at least and at most, and the life of a watch that counts as a good one.
_FIRST_PAUSE, _LONGEST_PAUSE, _GOOD_LIFE = 1.0, 120.0, 20.0
#: Seconds for which the server is asked to keep a watch open.
_LIFE = (300, 600)


@dataclass(frozen=True, slots=True)
class Collection:
    """What is followed.

    Attributes:
        path: The path of the collection.
        query: Selectors.
        metadata_only: Whether objects come without content.
    """

    path: str
    query: Mapping[str, str]
    metadata_only: bool = False


class Follower:
    """Follows one collection until it is stopped.

    Args:
        client: How to ask.
        collection: What to follow.
        on_list: Gets all objects whenever the collection was listed, first of all.
        on_change: Gets `ADDED`, `MODIFIED` or `DELETED` and the object.
        on_refusal: Is told that the server refuses to let us follow; it is asked again, seldom.
        rng: For the spread of pauses.
    """

    def __init__(
        self,
        client: KubeClient,
        collection: Collection,
        *,
        on_list: Callable[[Sequence[Manifest]], None],
        on_change: Callable[[str, Manifest], None],
        on_refusal: Callable[[TargetRefused], None] = lambda _: None,
        rng: random.Random | None = None,
    ) -> None:
        self._client = client
        self._collection = collection
        self._on_list = on_list
        self._on_change = on_change
        self._on_refusal = on_refusal
        self._rng = rng or random.Random()  # noqa: S311 - spread only
        self._stopped = threading.Event()
        self._stream: KubeStream | None = None
        self._version = ""
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; nobody needs to wait for it."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._watch()
            except TargetRefused as err:
                if err.status == 410:
                    self._version = ""
                else:
                    self._on_refusal(err)
                    pause = _LONGEST_PAUSE
            except TargetUnreachable:
                pass  # the pause grows; what reads or writes meanwhile says that the server is away
            if time.monotonic() - began >= _GOOD_LIFE:
                pause = _FIRST_PAUSE
            self._stopped.wait(pause * self._rng.uniform(0.75, 1.25))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _list(self) -> None:
        query = {**self._collection.query, "resourceVersion": "0"}
        accept = METADATA_ONLY.format("List") if self._collection.metadata_only else "application/json"
        page = self._client.request("GET", self._collection.path, query=query, accept=accept)
        self._on_list(page.get("items") or ())
        self._version = str((page.get("metadata") or {}).get("resourceVersion") or "")

    def _watch(self) -> None:
        life = self._rng.randint(*_LIFE)
        query = {
            **self._collection.query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(life),
        }
        accept = METADATA_ONLY.format("") if self._collection.metadata_only else "application/json"
        self._stream = self._client.stream(
            self._collection.path, query=query, accept=accept, silence=life + 30.0
        )
        try:
            for line in self._stream:
                if self._stopped.is_set():
                    return
                self._take(line)
        finally:
            self._stream.close()

    def _take(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            kind, content = str(event["type"]), event["object"]
        except (ValueError, KeyError, TypeError) as err:
            raise TargetUnreachable(
                "expected an event of a watch, found something else", code="not-json"
            ) from err
        if kind == "ERROR":
            code = int(content.get("code") or 500)
            message = str(content.get("message") or "the watch failed")
            if code == 410:
                raise TargetRefused(message, reason="Expired", status=410)
            raise TargetUnreachable(message, code="target-busy")
        self._version = str((content.get("metadata") or {}).get("resourceVersion") or self._version)
        if kind != "BOOKMARK":
            self._on_change(kind, content)
