"""`url`: absolute URLs and absolute paths, read as Go's `net/url` reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from reconciler.rules.cel.errors import CelEvaluationError

__all__ = ["Url", "is_request_uri", "is_url", "parse", "request_uri_problem"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PORT = re.compile(r":[0-9]*\Z")
_HOST_BAD = re.compile(r"[\x00-\x20\"<>\\^`{|}\x7f]")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*\Z")
_PATH_SAFE = "$&+,/:;=@-_.~!'()*[]"


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL, as written."""

    scheme: str
    opaque: str
    user: str
    host: str
    path: str
    query: str
    fragment: str

    def __str__(self) -> str:
        authority = f"//{self.user}@{self.host}" if self.user else f"//{self.host}" if self.host else ""
        scheme = f"{self.scheme}:" if self.scheme else ""
        query = f"?{self.query}" if self.query else ""
        fragment = f"#{self.fragment}" if self.fragment else ""
        if self.scheme and not authority and self.path.startswith("/"):
            authority = "//"
        return f"{scheme}{self.opaque}{authority}{self.path}{query}{fragment}"

    def hostname(self) -> str:
        """Return the host without its port and without brackets."""
        host = _PORT.sub("", self.host) if not self.host.endswith("]") else self.host
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    def port(self) -> str:
        """Return the port's digits, or ""."""
        match = _PORT.search(self.host)
        return match[0][1:] if match else ""

    def escaped_path(self) -> str:
        """Return the path with what a path may not contain percent-encoded."""
        return quote(self.path, safe=_PATH_SAFE + "%")

    def parameters(self) -> dict[str, list[str]]:
        """Return the query's parameters, each with all its values; parts that are not valid are left out."""
        found: dict[str, list[str]] = {}
        for part in self.query.split("&"):
            if not part or ";" in part or _PERCENT.search(part):
                continue
            key, _, value = part.partition("=")
            found.setdefault(_decode(key), []).append(_decode(value))
        return found


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _split(text: str, *, request: bool) -> Url | str:
    """Return the URL, or why it is none. `request` wants an absolute URL or path, and knows no fragment."""
    fragment = ""
    rest = text
    if not request:
        rest, _, fragment = text.partition("#")
    if _CONTROL.search(rest):
        return "net/url: invalid control character in URL"
    if not rest and request:
        return "empty url"
    if rest == "*":
        return Url("", "", "", "", "*", "", fragment)
    scheme = ""
    if rest.startswith(":"):
        return "missing protocol scheme"
    if match := _SCHEME.match(rest):
        scheme, rest = match[0][:-1].lower(), rest[match.end() :]
    rest, _, query = rest.partition("?")
    user = host = ""
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, rest, "", "", "", query, fragment)
        if request:
            return "invalid URI for request"
        if ":" in rest.partition("/")[0]:
            return "first path segment in URL cannot contain colon"
    if rest.startswith("//") and (scheme or (not request and not rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        user, at, host = authority.rpartition("@")
        if at and not _USER.match(user):
            return "net/url: invalid userinfo"
        if why := _host_problem(host):
            return why
    if bad := _PERCENT.search(rest):
        return f'invalid URL escape "{rest[bad.start() : bad.start() + 3]}"'
    return Url(scheme, "", user, host, rest, query, fragment)


def _host_problem(host: str) -> str:
    port = ""
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            return "missing ']' in host"
        port = host[end + 1 :]
    elif ":" in host:
        port = host[host.rindex(":") :]
    if port and not _PORT.match(port):
        return f'invalid port "{port}" after host'
    if bad := _PERCENT.search(host):
        return f'invalid URL escape "{host[bad.start() : bad.start() + 3]}"'
    if bad := _HOST_BAD.search(host):
        return f'invalid character "{bad[0]}" in host name'
    return ""


def request_uri_problem(text: str) -> str:
    """Return why the text is no absolute URL or path, in Go's words, or ""."""
    found = _split(text, request=True)
    return "" if isinstance(found, Url) else f'parse "{text}": {found}'


@lru_cache(maxsize=1024)
def parse(text: str) -> Url:
    """Read an absolute URL or an absolute path.

    Raises:
        CelEvaluationError: The text is neither.
    """
    problem = request_uri_problem(text)
    found = _split(text, request=False)
    if problem or isinstance(found, str):
        why = problem or f'parse "{text}": {found}'
        raise CelEvaluationError(f"URL parse error during conversion from string: {why}")
    return found


def is_request_uri(text: str) -> bool:
    """Tell whether the text is an absolute URL or path."""
    return not request_uri_problem(text)


is_url = is_request_uri
