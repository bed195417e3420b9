"""A client of registries: manifests, blobs and referrers of repositories, each checked by its digest.

OCI distribution specification 1.1; tokens as in the distribution project's "token authentication".
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from reconciler.adapters.registry.challenge import Challenge, parse_challenges
from reconciler.adapters.registry.credentials import Credentials, CredentialStore
from reconciler.adapters.registry.http import Answer, Exchange
from reconciler.errors import RegistryError
from reconciler.images.evidence import digest_of
from reconciler.images.manifest import INDEX_TYPES, MANIFEST_TYPES, MAX_MANIFEST_BYTES
from reconciler.model.registry import RegistrySettings

__all__ = ["RegistryClient", "make_client"]

_HUB: Final = "docker.io"
_HUB_HOST: Final = "registry-1.docker.io"
_ACCEPT: Final = ", ".join(sorted((*INDEX_TYPES, *MANIFEST_TYPES)))
_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_LARGEST_TOKEN: Final = 256 * 1024
_MOST_PAGES: Final = 10
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One address of a repository: a registry's own, or a mirror's."""

    host: str
    repository: str
    base: str


class RegistryClient:
    """Reads from registries; threads may share it.

    Args:
        exchange: Makes the requests.
        registries: How registries are reached, where it is not the usual way.
        credentials: Knows what to show to whom.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        registries: Sequence[RegistrySettings] = (),
        credentials: CredentialStore | None = None,
    ) -> None:
        self._exchange = exchange
        self._registries = {each.host: each for each in registries}
        self._credentials = credentials or CredentialStore()
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._shown: dict[tuple[str, str], str] = {}
        self._without_referrers: set[tuple[str, str]] = set()

    def tag_digest(self, name: str, tag: str) -> str:
        """Return the digest that a tag names now.

        Args:
            name: The whole repository: `docker.io/library/nginx`.
            tag: The tag.

        Raises:
            RegistryError: There is no such tag (`image-missing`), or no answer that can be used.
        """
        answer = self._get("HEAD", name, f"manifests/{tag}", accept=_ACCEPT, most=0, what=f"{name}:{tag}")
        digest = str(answer.headers.get("docker-content-digest", ""))
        return digest if _DIGEST.match(digest) else digest_of(self.manifest(name, tag))

    def manifest(self, name: str, reference: str) -> bytes:
        """Return an index or manifest, byte for byte.

        Args:
            name: The whole repository.
            reference: A tag, or a digest; then the bytes have it.

        Raises:
            RegistryError: There is none (`image-missing`), or no answer that can be used.
        """
        separator = "@" if ":" in reference else ":"
        what = f"{name}{separator}{reference}"
        answer = self._get(
            "GET", name, f"manifests/{reference}", accept=_ACCEPT, most=MAX_MANIFEST_BYTES, what=what
        )
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/html":
            raise RegistryError(
                f"expected a manifest of {what} from {_host(answer)}, found HTML",
                code="registry-answer",
                hint="is this the address of a registry, or of a login page before it?",
            )
        said = answer.headers.get("docker-content-digest", "")
        wanted = reference if ":" in reference else said if said.startswith("sha256:") else ""
        self._check(answer, wanted, what)
        return answer.body

    def blob(self, name: str, digest: str, size: int, *, most: int) -> bytes:
        """Return a blob that has a digest and a size.

        Raises:
            RegistryError: It is larger than `most`, there is none (`image-missing`), or the answer is not it.
        """
        what = f"{name}@{digest}"
        if size > most:
            raise RegistryError(
                f"expected at most {most} bytes of {what}, found {size}", code="registry-answer"
            )
        answer = self._get("GET", name, f"blobs/{digest}", accept="*/*", most=size, what=what)
        self._check(answer, digest, what)
        return answer.body

    def referrers(self, name: str, digest: str) -> tuple[bytes, ...] | None:
        """Return the pages of the referrers API for a digest, or None where the registry has no such API."""
        endpoint = self._own(name)
        key = (endpoint.host, endpoint.repository)
        if key in self._without_referrers:
            return None
        pages: list[bytes] = []
        url = f"{endpoint.base}/referrers/{digest}"
        while url:
            if len(pages) == _MOST_PAGES:
                raise RegistryError(
                    f"expected at most {_MOST_PAGES} pages of referrers of {name}@{digest}, found more",
                    code="registry-answer",
                )
            answer = self._send("GET", endpoint, url, headers={"Accept": _OCI_INDEX}, most=MAX_MANIFEST_BYTES)
            kind = answer.headers.get("content-type", "").partition(";")[0].strip()
            if answer.status in {400, 404, 405, 406, 501} or (answer.status == 200 and kind != _OCI_INDEX):
                self._without_referrers.add(key)
                return None
            self._check_status(answer, f"the referrers of {name}@{digest}")
            pages.append(answer.body)
            url = self._next(answer, endpoint)
        return tuple(pages)

    def _next(self, answer: Answer, endpoint: _Endpoint) -> str:
        found = _NEXT.search(answer.headers.get("link", ""))
        if found is None:
            return ""
        url: str = urljoin(answer.url, found[1])
        if urlsplit(url)[:2] != urlsplit(endpoint.base)[:2]:
            raise RegistryError(
                f"{endpoint.host} continues its list of referrers at another host", code="registry-answer"
            )
        return url

    def _get(self, method: str, name: str, path: str, *, accept: str, most: int, what: str) -> Answer:
        """Ask the mirrors of a repository, and then its registry; the first good answer counts."""
        *mirrors, own = self._endpoints(name)
        for endpoint in mirrors:
            try:
                answer = self._send(
                    method, endpoint, f"{endpoint.base}/{path}", headers={"Accept": accept}, most=most
                )
            except RegistryError as err:
                if err.code == "registry-answer":
                    raise
                continue
            if answer.status == 200:
                return answer
        answer = self._send(method, own, f"{own.base}/{path}", headers={"Accept": accept}, most=most)
        self._check_status(answer, what)
        return answer

    def _check_status(self, answer: Answer, what: str) -> None:
        if answer.status == 200:
            return
        host = _host(answer)
        if answer.status == 404:
            raise RegistryError(f"{host} has no {what}", code="image-missing", status=404)
        if answer.status in {401, 403}:
            raise RegistryError(
                f"{host} does not let us read {what} ({answer.status})",
                code="registry-denied",
                status=answer.status,
                hint=f"log in with `docker login {host}` or `podman login {host}`; or there is no such image",
            )
        raise RegistryError(
            f"{host} answered {answer.status} for {what}", code="registry-answer", status=answer.status
        )

    def _check(self, answer: Answer, digest: str, what: str) -> None:
        found = digest_of(answer.body)
        if digest and found != digest:
            raise RegistryError(
                f"expected content with the digest {digest} from {_host(answer)} for {what}, found {found}",
                code="registry-answer",
            )

    def _send(
        self, method: str, endpoint: _Endpoint, url: str, *, headers: Mapping[str, str], most: int
    ) -> Answer:
        """Send a request with what the registry was last shown; where it wants something else, once more."""
        key = (endpoint.host, endpoint.repository)
        for _ in range(2):
            shown = self._shown.get(key, "")
            answer = self._exchange.request(method, url, headers=headers, most=most, authorization=shown)
            if answer.status != 401:
                return answer
            with self._turn(key):  # one thread asks for a token, the others of this repository wait for it
                if self._shown.get(key, "") == shown:
                    authorization = self._authorize(answer, endpoint)
                    if not authorization or authorization == shown:
                        return answer
                    self._shown[key] = authorization
        return self._exchange.request(
            method, url, headers=headers, most=most, authorization=self._shown.get(key, "")
        )

    def _turn(self, key: tuple[str, str]) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())

    def _authorize(self, answer: Answer, endpoint: _Endpoint) -> str:
        """Return what a registry wants to see, or "" where it wants what nobody has."""
        if urlsplit(answer.url).netloc.lower() != urlsplit(endpoint.base).netloc.lower():
            return ""  # a redirect led to who says "401"; nothing is shown to that host
        host = _HUB if endpoint.host == _HUB_HOST else endpoint.host
        challenges = parse_challenges(answer.headers.get("www-authenticate", ""))
        found = self._credentials.find(host, endpoint.repository)
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.realm:
                return f"Bearer {self._token(challenge, endpoint, found)}"
        if found is not None and found.username and any(each.scheme == "basic" for each in challenges):
            return found.basic
        return ""

    def _token(self, challenge: Challenge, endpoint: _Endpoint, credentials: Credentials | None) -> str:
        realm = urlsplit(challenge.realm)
        plain_registry = endpoint.base.startswith("http://")
        if realm.scheme != "https" and not (
            realm.scheme == "http" and plain_registry and self._exchange.scheme(realm.netloc) == "http"
        ):
            raise RegistryError(
                f"{endpoint.host} wants credentials shown at {realm.scheme or 'no'}://{realm.netloc}, "
                "which is not protected by TLS",
                code="registry-answer",
            )
        scope = challenge.scope or f"repository:{endpoint.repository}:pull"
        query = {"service": challenge.service} if challenge.service else {}
        if credentials is not None and credentials.identity_token:
            form = {
                **query,
                "scope": scope,
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "client_id": "wayside",
            }
            answer = self._exchange.request(
                "POST",
                challenge.realm,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
                most=_LARGEST_TOKEN,
            )
        else:
            joint = "&" if realm.query else "?"
            answer = self._exchange.request(
                "GET",
                f"{challenge.realm}{joint}{urlencode({**query, 'scope': scope})}",
                most=_LARGEST_TOKEN,
                authorization=credentials.basic if credentials is not None else "",
            )
        if answer.status in {401, 403}:
            raise RegistryError(
                f"{realm.netloc} does not accept the credentials for {endpoint.host}"
                if credentials is not None
                else f"{realm.netloc} gives no token for {endpoint.host}/{endpoint.repository} to anybody",
                code="registry-denied",
                status=answer.status,
                hint=f"log in with `docker login {endpoint.host}` or `podman login {endpoint.host}`",
            )
        try:
            document = json.loads(answer.body)
            token = document.get("token") or document["access_token"]
        except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
            token = None
        if answer.status != 200 or not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise RegistryError(
                f"expected a token from {realm.netloc}, found something else (status {answer.status})",
                code="registry-answer",
                status=answer.status,
            )
        return token

    def _endpoints(self, name: str) -> Iterator[_Endpoint]:
        host, _, repository = name.partition("/")
        settings = self._registries.get(host)
        for mirror in settings.mirrors if settings is not None else ():
            mirror_host, _, prefix = mirror.partition("/")
            yield self._endpoint(mirror_host, f"{prefix}/{repository}" if prefix else repository)
        yield self._own(name)

    def _own(self, name: str) -> _Endpoint:
        host, _, repository = name.partition("/")
        return self._endpoint(_HUB_HOST if host == _HUB else host.lower(), repository)

    def _endpoint(self, host: str, repository: str) -> _Endpoint:
        return _Endpoint(
            host, repository, f"{self._exchange.scheme(host)}://{host}/v2/{quote(repository, safe='/')}"
        )


def make_client(
    registries: Sequence[RegistrySettings],
    *,
    credentials: CredentialStore,
    exchange: Exchange | None = None,
    connections: int = 16,
) -> RegistryClient:
    """Return a client that reaches registries as a fleet says.

    Args:
        registries: `spec.images.registries`.
        credentials: Knows what to show to whom.
        exchange: Makes the requests, in place of one made for these registries.
        connections: How many connections to one host are kept.
    """
    authorities: dict[str, str] = {}
    plain: set[str] = set()
    for each in registries:
        hosts = [_HUB_HOST if each.host == _HUB else each.host]
        hosts += [mirror.partition("/")[0] for mirror in each.mirrors]
        if each.ca:
            authorities |= dict.fromkeys(hosts, each.ca)
        if each.plain_http:
            plain.update(hosts)
    made = exchange or Exchange(authorities=authorities, plain=frozenset(plain), connections=connections)
    return RegistryClient(made, registries=registries, credentials=credentials)


def _host(answer: Answer) -> str:
    return urlsplit(answer.url).netloc.rpartition("@")[2]
