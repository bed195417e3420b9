"""A small JSON client of the Kubernetes API: enough to set a scene, and sure of whom it talks to."""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
import yaml


class APIError(Exception):
    """The API server answered, and refused.

    Attributes:
        status: The HTTP status.
        reason: The Status object's reason, such as NotFound; empty where the answer was none.
        body: The answer: a Status object, or text.
    """

    def __init__(self, *, status: int, request: str, body: Any) -> None:
        self.status = status
        self.body = body
        self.reason = str(body.get("reason", "")) if isinstance(body, Mapping) else ""
        message = body.get("message", "") if isinstance(body, Mapping) else str(body)[:500]
        super().__init__(f"{request}: {status} {self.reason}: {message}")


class APIClient:
    """One user's view of an API server, whose certificate is verified against the cluster's own authority."""

    def __init__(self, server: str, *, context: ssl.SSLContext, token: str | None = None) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(30.0))

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Self:
        """Read a kubeconfig whose current context has its certificates inside."""
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        tls = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        if "client-certificate-data" in user:
            pair = path.with_name(f"{path.name}.client.pem")  # Python reads a client's key from files only
            pair.touch(mode=0o600)
            pair.write_bytes(
                base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
            )
            tls.load_cert_chain(pair)
            pair.unlink()
        return cls(cluster["server"], context=tls, token=user.get("token"))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request and return the answer: parsed where it is JSON, else text.

        Args:
            method: The HTTP method.
            path: From the root, such as `/api/v1/namespaces`.
            body: Sent as JSON.
            query: Parameters.
            content_type: Of the body; a patch needs its own, such as `application/merge-patch+json`.

        Raises:
            APIError: The status is 400 or above.
            urllib3.exceptions.HTTPError: There was no answer.
        """
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {**self._headers, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        answer = self._pool.request(
            method, url, body=None if body is None else json.dumps(body), headers=headers
        )
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        result = json.loads(answer.data) if is_json else answer.data.decode()
        if answer.status >= 400:
            raise APIError(status=answer.status, request=f"{method} {path}", body=result)
        return result

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    authority: str,
    certificate: str | None = None,
    key: str | None = None,
    token: str | None = None,
    namespace: str | None = None,
) -> Path:
    """Write a kubeconfig, for its owner's eyes only, with all certificates inside; return its path."""
    user: dict[str, str] = {}
    if certificate is not None and key is not None:
        user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    if token is not None:
        user["token"] = token
    context = {"cluster": "test", "user": "test", **({"namespace": namespace} if namespace else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}
        ],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
