"""What a hub tells operators, over its API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from reconciler.errors import UsageError

__all__ = ["HubApi"]

_LARGEST_ANSWER = 64 * 1024 * 1024
_PAGE = 1000
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_HINTS = {
    401: "make one at the hub: wayside hub token create --operator NAME --role read",
    403: "it takes an operator's token, not that of a site",
}


class HubApi:
    """A hub, asked by an operator.

    Args:
        url: Its base URL; HTTPS, or HTTP to this machine only, as a token is sent.
        token: An operator's token; reading suffices.
        ca_file: Certificates that vouch for it; "" for the system's.
        timeout: Seconds for one exchange.

    Raises:
        UsageError: The URL is none of a hub.
    """

    def __init__(self, url: str, *, token: str, ca_file: str = "", timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise UsageError(
                "expected a hub's URL such as https://hub.example.com, found something else", code="bad-hub"
            )
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise UsageError(
                f"expected HTTPS for {parts.hostname}, found HTTP: anybody on the way could read the token",
                code="bad-hub",
            )
        if ca_file and not Path(ca_file).is_file():
            raise UsageError(f"expected certificates in {ca_file}, found no file", code="bad-ca-file")
        self._base = url.rstrip("/")
        self._host = parts.netloc
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._timeout = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        self._pool = urllib3.PoolManager(num_pools=1, ca_certs=ca_file or None, retries=False)

    def sites(self, *, selector: str = "") -> Iterator[Mapping[str, Any]]:
        """Yield sites by name, each as the list of the hub shows it.

        Raises:
            UsageError: The hub cannot be asked, or refuses.
        """
        cursor = ""
        while True:
            query = {"limit": _PAGE, "selector": selector, "cursor": cursor}
            page = self._get(f"/v1/sites?{urlencode({key: value for key, value in query.items() if value})}")
            yield from page["items"]
            cursor = page["next"] or ""
            if not cursor:
                return

    def site(self, name: str) -> Mapping[str, Any]:
        """Return everything that the hub knows of a site.

        Raises:
            UsageError: The hub cannot be asked, refuses, or knows no such site.
        """
        return self._get(f"/v1/sites/{quote(name, safe='')}")

    def _get(self, path: str) -> Mapping[str, Any]:
        try:
            answer = self._pool.request(
                "GET",
                self._base + path,
                headers=self._headers,
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(_LARGEST_ANSWER)
            finally:
                answer.release_conn()
        except (HTTPError, LocationParseError) as err:
            reason = getattr(err, "reason", None) or err
            raise UsageError(
                f"the hub {self._host} gave no answer: {type(reason).__name__}", code="hub-unreachable"
            ) from err
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if answer.status != 200 or not isinstance(document, dict):
            raise self._refusal(answer.status, document)
        return document

    def _refusal(self, status: int, document: object) -> UsageError:
        problem = document if isinstance(document, dict) else {}
        title = problem.get("title")
        if not isinstance(title, str):
            return UsageError(
                f"expected the answer of a hub from {self._host}, found something else (HTTP {status})",
                code="bad-hub",
                hint="is the URL that of `wayside hub`?",
            )
        return UsageError(
            f"the hub {self._host} refuses: {title}",
            code=str(problem.get("code") or "hub-refused"),
            hint=_HINTS.get(status, str(problem.get("detail") or "")),
        )
