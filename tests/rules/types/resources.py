"""Custom kinds and resources of the tests, and the API server's word on objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.documents import yaml
from tests.cluster.api import APIError
from tests.cluster.cluster import Cluster

_HERE = Path(__file__).parent


class Server:
    """Asks the API server for its verdict on objects."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}
        roots = ["/api/v1"]
        for group in cluster.request("GET", "/apis")["groups"]:
            roots += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
        for root in roots:
            listed = cluster.request("GET", root)
            for each in listed["resources"]:
                if "/" not in each["name"]:
                    key = (listed["groupVersion"], each["kind"])
                    self._paths[key] = (f"{root}/{{}}{each['name']}", each["namespaced"])

    def refusal(self, manifest: dict[str, Any]) -> str | None:
        """Return the server's words against a new object, or None where it takes it.

        Refused for the state of the cluster (a priority class that is not there) counts as taken.
        """
        return self._say("POST", self._url(manifest), manifest, dry=True)

    def answer(self, manifest: dict[str, Any]) -> dict[str, Any] | None:
        """Return a new object as the server would store it, or None where it refuses it."""
        query = {"fieldValidation": "Strict", "dryRun": "All"}
        try:
            made: dict[str, Any] = self._cluster.request("POST", self._url(manifest), manifest, query=query)
        except APIError:
            return None
        return made

    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object for good."""
        made: dict[str, Any] = self._cluster.request("POST", self._url(manifest), manifest)
        return made

    def update_refusal(self, manifest: dict[str, Any]) -> str | None:
        """Return the server's words against replacing an object, or None where it takes it."""
        return self._say("PUT", f"{self._url(manifest)}/{manifest['metadata']['name']}", manifest, dry=True)

    def _url(self, manifest: dict[str, Any]) -> str:
        path, namespaced = self._paths[manifest["apiVersion"], manifest["kind"]]
        return path.format(f"namespaces/{self._namespace}/" if namespaced else "")

    def _say(self, method: str, url: str, manifest: dict[str, Any], *, dry: bool) -> str | None:
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        try:
            self._cluster.request(method, url, manifest, query=query)
        except APIError as err:
            return str(err) if err.status in {400, 422} else None
        return None


def plain(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the corpus without the mark of what is not namespaced."""
    if manifest["metadata"].get("namespace") == "":
        del manifest["metadata"]["namespace"]
    return manifest


def definitions() -> list[dict[str, Any]]:
    """Return the CRDs of the tests."""
    return [document.value for document in yaml.load((_HERE / "crds.yaml").read_bytes(), "crds.yaml")]


def custom_resources() -> list[dict[str, Any]]:
    """Return valid objects of those kinds."""
    documents = yaml.load((_HERE / "custom.yaml").read_bytes(), "custom.yaml")
    return [plain(document.value) for document in documents]
