"""The last good revision in a Secret: a site whose agent lost its disk still knows what it should be."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import ApiKind
from reconciler.errors import TargetRefused
from reconciler.planning.applyset import FIELD_MANAGER

__all__ = ["GoodSecret"]

_SECRETS = ApiKind("v1", "secrets", namespaced=True)
#: The API server takes 1 MiB of data; what is larger lives in the state file alone.
_LARGEST = 1_000_000


class GoodSecret:
    """One site's Secret.

    Args:
        client: How to ask.
        name: The Secret's name.
        namespace: Where it is.
    """

    def __init__(self, client: KubeClient, name: str, namespace: str) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._kept = ""

    def keep(self, content: bytes) -> bool:
        """Store a revision, and tell whether it fits; no request where it is stored already.

        Raises:
            TargetError: It cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        if digest == self._kept:
            return True
        packed = zlib.compress(content, 9)
        if len(packed) > _LARGEST:
            return False
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "wayside.dev/last-good",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "data": {
                "revision": base64.b64encode(packed).decode(),
                "digest": base64.b64encode(digest.encode()).decode(),
            },
        }
        self._client.request(
            "PATCH",
            _SECRETS.path(self._namespace, self._name),
            query={"fieldManager": f"{FIELD_MANAGER}-state", "force": "true"},
            body=body,
            content_type="application/apply-patch+yaml",
            kind="Secret",
        )
        self._kept = digest
        return True

    def recall(self) -> bytes | None:
        """Return the stored revision, or None where there is none that is whole.

        Raises:
            TargetError: It cannot be read.
        """
        try:
            live: Mapping[str, Any] = self._client.request(
                "GET", _SECRETS.path(self._namespace, self._name), kind="Secret"
            )
        except TargetRefused as err:
            if err.status == 404:
                return None
            raise
        data = live.get("data") or {}
        try:
            content = zlib.decompress(base64.b64decode(str(data["revision"])))
            digest = base64.b64decode(str(data["digest"])).decode()
        except (KeyError, ValueError, zlib.error):
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def remove(self) -> None:
        """Delete the stored revision; one that is not there is no error.

        Raises:
            TargetError: It cannot be deleted.
        """
        self._client.remove(_SECRETS.path(self._namespace, self._name), kind="Secret")
