"""Single exchanges with registries: verified TLS, bounded bodies, timeouts, retries, guarded redirects."""

from __future__ import annotations

import email.utils
import http.client
import random
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as SilenceError

from reconciler import __version__
from reconciler.errors import RegistryError, UsageError

__all__ = ["Answer", "Exchange", "Limits", "is_loopback"]

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, and how often.

    Attributes:
        connect: Seconds to connect.
        read: Seconds of silence while an answer is waited for.
        whole: Seconds for one answer with its body.
        tries: How often one request is made at most.
        backoff: Seconds before the second try; doubled each time, with a random part.
        longest_pause: The most seconds that a `Retry-After` is followed; a longer one is a failure.
    """

    connect: float = 10.0
    read: float = 20.0
    whole: float = 120.0
    tries: int = 5
    backoff: float = 0.5
    longest_pause: float = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came whole.

    Attributes:
        status: HTTP status.
        headers: By name, in any letters.
        body: At most as many bytes as were allowed.
        url: The address that answered, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str


class Exchange:
    """Makes HTTP requests; threads may share it.

    A host that gives no answer is not asked again: what waits for it fails at once with the same words.

    Args:
        authorities: Host (with its port) to PEM certificates that vouch for it, in place of the system's.
        plain: Hosts that may be spoken to without TLS; loopback addresses always may.
        limits: How long, and how often.
        connections: How many connections to one host are kept.
        environ: Where proxies are named.
        sleep: Waits some seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        authorities: Mapping[str, str] | None = None,
        plain: frozenset[str] = frozenset(),
        limits: Limits | None = None,
        connections: int = 16,
        environ: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authorities = dict(authorities or {})
        self._plain = plain
        self._limits = limits or Limits()
        self._connections = connections
        self._environ = environ
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._by_origin: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._not_before: dict[str, float] = {}
        self._dead: dict[str, RegistryError] = {}

    def scheme(self, host: str) -> str:
        """Return how a host is spoken to: `http` on loopback and where it was named, `https` elsewhere."""
        return "http" if host in self._plain or is_loopback(host) else "https"

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        most: int,
        authorization: str = "",
    ) -> Answer:
        """Make a request, again where that may help, and return the answer, whatever its status.

        Args:
            method: GET, HEAD or POST.
            url: The address.
            headers: What goes with every request of a chain of redirects.
            body: What is sent, of a POST.
            most: The most bytes of the answer's body.
            authorization: A header for this host alone; another host that it redirects to never sees it.

        Raises:
            RegistryError: No answer (`registry-unreachable`), "later" for too long (`registry-limited`), or
                an answer that is too large, cut off, or leads somewhere it must not (`registry-answer`).
        """
        first = url
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._persist(
                method, url, headers=headers or {}, body=body, most=most, authorization=authorization
            )
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            target = urljoin(url, location)
            if _origin(target) != _origin(url):
                authorization = ""
            self._check_redirect(url, target, with_body=body is not None)
            url = target
        raise RegistryError(
            f"expected an answer from {_host(first)}, found more than {_MOST_REDIRECTS} redirects",
            code="registry-answer",
        )

    def _check_redirect(self, url: str, target: str, *, with_body: bool) -> None:
        if with_body:  # it holds what the token service is shown
            raise RegistryError(
                f"{_host(url)} redirects a request that carries credentials to {_host(target)}",
                code="registry-answer",
            )
        scheme = urlsplit(target).scheme
        plain = urlsplit(url).scheme == "http" and self.scheme(_host(target)) == "http"
        if scheme == "https" or (scheme == "http" and plain):
            return
        raise RegistryError(
            f"{_host(url)} redirects to an address without TLS: {scheme}://{_host(target)}",
            code="registry-answer",
            hint="name the host in spec.images.registries with plainHTTP: true, if it is meant",
        )

    def _persist(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        most: int,
        authorization: str,
    ) -> Answer:
        host = _host(url)
        sent = {"User-Agent": f"wayside/{__version__}", **headers}
        if authorization:
            sent["Authorization"] = authorization
        for attempt in range(1, self._limits.tries + 1):
            dead = self._dead.get(host)
            if dead is not None:
                raise RegistryError(dead.message, code=dead.code, status=dead.status, hint=dead.hint)
            self._await_turn(host)
            pause = self._limits.backoff * 2 ** (attempt - 1) * (1 + random.random())  # noqa: S311 - jitter
            last = attempt == self._limits.tries
            try:
                answer = self._once(method, url, sent, body, most)
            except _NoAnswer as err:
                if last or err.final:
                    failure = RegistryError(
                        f"{host} gave no answer: {err}", code="registry-unreachable", hint=err.hint
                    )
                    if err.dead:
                        self._dead[host] = failure
                    raise failure from err.__cause__
                self._sleep(pause)
                continue
            if answer.status not in _AGAIN:
                return answer
            asked = _retry_after(answer.headers.get("retry-after", ""))
            limited = answer.status == 429
            if last or (asked is not None and asked > self._limits.longest_pause):
                when = f", and asks to wait {asked:.0f} s" if asked is not None else ""
                raise RegistryError(
                    f"{host} answered {answer.status} {http.client.responses.get(answer.status, '')}{when}",
                    code="registry-limited" if limited else "registry-unreachable",
                    status=answer.status,
                    hint="log in with credentials that have a higher limit, use a mirror, or wait"
                    if limited
                    else "",
                )
            pause = asked if asked is not None else pause
            if limited:
                with self._lock:
                    turn = self._clock() + pause
                    self._not_before[host] = max(self._not_before.get(host, turn), turn)
            else:
                self._sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _await_turn(self, host: str) -> None:
        """Wait until a host that limits its callers may be asked again, by any thread."""
        turn = self._not_before.get(host)
        if turn is not None:
            left = turn - self._clock()
            if left > 0:
                self._sleep(left)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int
    ) -> Answer:
        host = _host(url)
        started = self._clock()
        try:
            response = self._manager(url).request(
                method,
                url,
                headers=headers,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self._limits.connect, read=self._limits.read),
            )
        except (HTTPError, OSError, ValueError) as err:
            raise _no_answer(err) from err
        content = b""
        try:
            if method != "HEAD":
                content = self._read(response, host, most, started)
        except (HTTPError, OSError, http.client.HTTPException) as err:
            response.close()
            raise _NoAnswer("the answer was cut off", dead=False) from err
        except RegistryError:
            response.close()
            raise
        response.release_conn()
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, lowered, content, url)

    def _read(self, response: urllib3.BaseHTTPResponse, host: str, most: int, started: float) -> bytes:
        if response.status >= 300:
            most = 64 * 1024  # nobody reads more of an error
        length = response.headers.get("Content-Length", "")
        if response.status < 300 and length.isdigit() and int(length) > most:
            raise _too_large(host, most, length)
        parts: list[bytes] = []
        size = 0
        while True:
            part = response.read1(_CHUNK) if hasattr(response, "read1") else response.read(_CHUNK)
            if not part:
                return b"".join(parts)
            size += len(part)
            if size > most:
                if response.status >= 300:
                    response.close()
                    return b""
                raise _too_large(host, most, "more")
            if self._clock() - started > self._limits.whole:
                raise RegistryError(
                    f"{host} took more than {self._limits.whole:.0f} s for one answer",
                    code="registry-unreachable",
                )
            parts.append(part)

    def _manager(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        origin = parts.scheme, parts.netloc
        known = self._by_origin.get(origin)
        if known is not None:
            return known
        host = _host(url)
        key = (self._authorities.get(host, ""), _proxy(parts.scheme, parts.hostname or "", self._environ))
        with self._lock:
            found = self._managers.get(key)
            if found is None:
                found = self._managers[key] = self._make(*key)
            self._by_origin[origin] = found
        return found

    def _make(self, authority: str, proxy: str) -> urllib3.PoolManager:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.load_verify_locations(cadata=authority)
            except ssl.SSLError as err:
                raise UsageError(
                    "expected PEM certificates in the caFile of a registry, found something else",
                    code="registry-ca",
                ) from err
        settings = {"num_pools": 64, "maxsize": self._connections, "ssl_context": context}
        if proxy:
            return urllib3.ProxyManager(proxy, **settings)  # type: ignore[arg-type] # one dict, several types
        return urllib3.PoolManager(**settings)  # type: ignore[arg-type] # one dict, several types


class _NoAnswer(Exception):
    """Nothing came back. `final`: asking again does not help; `dead`: nor does asking the host for more."""

    def __init__(self, message: str, *, final: bool = False, dead: bool = True, hint: str = "") -> None:
        super().__init__(message)
        self.final = final
        self.dead = dead
        self.hint = hint


def _no_answer(err: Exception) -> _NoAnswer:
    """Say why there was no answer, without addresses: those of proxies and blobs may hold credentials."""
    reason = getattr(err, "reason", None)
    cause = reason if isinstance(reason, Exception) else err
    if isinstance(err, SSLError) or isinstance(cause, SSLError | ssl.SSLError):
        text = re.sub(r"\s*\(_ssl\.c:\d+\)", "", str(cause.args[-1] if cause.args else cause))[:200]
        hint = "name its certificate authority in spec.images.registries (caFile)"
        if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
            hint = "it may speak plain HTTP; spec.images.registries allows that by plainHTTP: true"
        return _NoAnswer(f"TLS: {text}", final=True, hint=hint)
    if isinstance(err, ProxyError):
        return _NoAnswer("the proxy does not work")
    if isinstance(cause, NameResolutionError):
        return _NoAnswer("there is no such host")
    if isinstance(cause, SilenceError) and not isinstance(cause, NewConnectionError):
        return _NoAnswer("it was silent for too long")
    return _NoAnswer("the connection failed")


def _too_large(host: str, most: int, length: str) -> RegistryError:
    return RegistryError(f"expected at most {most} bytes from {host}, found {length}", code="registry-answer")


def _retry_after(text: str) -> float | None:
    """Return the seconds of a `Retry-After`, which is a number or a date, or None."""
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0.0, when.timestamp() - time.time())


def _host(url: str) -> str:
    """Return host and port as references write them, without what may stand before an `@`."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def is_loopback(host: str) -> bool:
    """Tell whether a host, with its port, names this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    return name in {"localhost", "::1"} or bool(re.fullmatch(r"127(\.\d{1,3}){3}", name))


def _proxy(scheme: str, hostname: str, environ: Mapping[str, str] | None) -> str:
    """Return the proxy for a host by the usual variables, or ""."""
    if environ is None:
        proxies = urllib.request.getproxies_environment()
    else:
        proxies = {
            name.lower().removesuffix("_proxy"): value
            for name, value in environ.items()
            if name.lower().endswith("_proxy") and value
        }
    if is_loopback(hostname) or urllib.request.proxy_bypass_environment(hostname, proxies):  # type: ignore[attr-defined] # not in the stubs
        return ""
    return proxies.get(scheme, "")
