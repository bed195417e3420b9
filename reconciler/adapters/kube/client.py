"""Single requests to the Kubernetes API: verified TLS, timeouts, bounded retries, errors in our words."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from reconciler import __version__
from reconciler.adapters.kube import exec_plugin
from reconciler.adapters.kube.connection import Connection, kubeconfig
from reconciler.adapters.kube.freshness import Freshness
from reconciler.adapters.kube.redact import redact
from reconciler.errors import TargetRefused, TargetUnreachable, UsageError

__all__ = ["KubeClient", "KubeStream"]

#: Seconds to connect, and to wait for a part of the answer.
_CONNECT, _READ = 5.0, 35.0
#: How often a request is made at most, and the longest pause that a server's Retry-After may ask for.
_TRIES, _LONGEST_PAUSE = 5, 10.0
#: What a 500 says that comes from the server's storage.
_STORAGE = re.compile(r"etcdserver|rpc error|context deadline|connection (refused|reset)|database is locked")
#: What it says of an admission webhook that gives no answer; one that denies is said otherwise.
_WEBHOOK = "failed calling webhook"

#: A link that is dead without a word is noticed within a minute, also where nothing is asked.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)

#: Failures that asking again does not mend.
_FINAL = (urllib3.exceptions.TimeoutError, urllib3.exceptions.SSLError)


class KubeStream:
    """An answer that goes on: one line after the other, for as long as the server sends any."""

    def __init__(self, response: urllib3.BaseHTTPResponse, translate: Any) -> None:
        self._response = response
        self._translate = translate

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines as they arrive.

        Raises:
            TargetUnreachable: The connection broke.
        """
        rest = b""
        try:
            for chunk in self._response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
        except urllib3.exceptions.HTTPError as err:
            raise self._translate(err) from err

    def close(self) -> None:
        """End it; another thread that waits for a line stops waiting."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError):
            return  # it has ended already


class KubeClient:
    """Speaks HTTP with one API server. Opens connections when they are needed and keeps them.

    Several threads may use it.

    Args:
        connection: Where the server is and who we are.
        timeout: Seconds to wait for an answer.

    Attributes:
        answers: How many answers there were, by method and HTTP status; status 0 counts those without one.
        freshness: How new lists must be.
    """

    def __init__(self, connection: Connection, *, timeout: float = _READ) -> None:
        self.connection = connection
        self._timeout = urllib3.Timeout(connect=min(_CONNECT, timeout), read=timeout)
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._lock = threading.RLock()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.freshness = Freshness()
        self._stamp: tuple[int, ...] = ()
        self._credentials: exec_plugin.Credentials | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        kind: str = "",
    ) -> Any:
        """Make one request and return the JSON value of its answer, or None where it is empty.

        Args:
            method: GET, PATCH, POST or DELETE.
            path: The path on the server, from `/api` or `/apis`.
            query: Parameters.
            body: A JSON value to send.
            content_type: What the body is.
            accept: What the answer should be.
            kind: The kind that it is about, so that no value of a Secret is shown.

        Raises:
            TargetUnreachable: No answer, or one that says "not now" for too long.
            TargetRefused: The server's "no"; `status` and `reason` are its own.
        """
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {"Accept": accept, "User-Agent": f"wayside/{__version__}"}
        if data is not None:
            headers["Content-Type"] = content_type
        target = self._base + path
        if query:
            target += "?" + urlencode(query)
        return self._answer(method, target, data, headers, kind)

    def remove(self, path: str, *, kind: str = "") -> None:
        """Delete one object; one that is not there is no error.

        Args:
            path: The object's path.
            kind: Its kind, so that no value of a Secret is shown.

        Raises:
            TargetUnreachable: No answer.
            TargetRefused: The server's "no".
        """
        try:
            self.request("DELETE", path, kind=kind)
        except TargetRefused as err:
            if err.status != 404:
                raise

    def stream(
        self, path: str, *, query: Mapping[str, str], accept: str = "application/json", silence: float = 330.0
    ) -> KubeStream:
        """Begin a watch and return what it says, line by line.

        Args:
            path: The path of the collection.
            query: Parameters, `watch` among them.
            accept: What the lines should be.
            silence: Seconds after which a stream that says nothing is taken for dead.

        Raises:
            TargetUnreachable: No answer, or one that says "not now".
            TargetRefused: The server's "no".
        """
        target = self._base + path + "?" + urlencode(query)
        headers = {"Accept": accept, "User-Agent": f"wayside/{__version__}"}
        try:
            response = self._connected().request(
                "GET",
                target,
                headers={**headers, **self._authorization()},
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT, read=silence),
            )
        except urllib3.exceptions.HTTPError as err:
            self.answers["WATCH", 0] += 1
            raise self._unreachable(err) from err
        self.answers["WATCH", response.status] += 1
        if response.status != 200:
            if response.status == 401:
                self._forget_credentials()
            data = response.read(1 << 20)
            response.release_conn()
            self._value(response.status, data, "", read=True)
        return KubeStream(response, self._unreachable)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _forget_credentials(self) -> None:
        with self._lock:
            self._credentials = None
            self._stamp = ()

    def _answer(
        self, method: str, target: str, data: bytes | None, headers: Mapping[str, str], kind: str
    ) -> Any:
        renewed = False
        pause = 0.2
        for left in range(_TRIES - 1, -1, -1):
            try:
                response = self._connected().request(
                    method,
                    target,
                    body=data,
                    headers={**headers, **self._authorization()},
                    retries=False,
                    redirect=False,
                    timeout=self._timeout,
                )
            except urllib3.exceptions.HTTPError as err:
                self.answers[method, 0] += 1
                # Every request that is made here may be made twice, so a connection that the server
                # closed in the meantime is no failure. What cannot be reached is asked only once more.
                if left < _TRIES - 2 or isinstance(err, _FINAL):
                    raise self._unreachable(err) from err
                time.sleep(pause)
                continue
            self.answers[method, response.status] += 1
            if response.status == 401 and not renewed:
                renewed = True
                self._forget_credentials()
                continue
            if response.status in (429, 503) and left:
                time.sleep(min(_seconds(response.headers.get("Retry-After"), pause), _LONGEST_PAUSE))
                pause *= 2
                continue
            return self._value(response.status, response.data, kind, read=method == "GET")
        raise TargetUnreachable(f"{self._place} does not accept requests", code="target-busy")

    def _value(self, status: int, data: bytes, kind: str, *, read: bool) -> Any:
        """Return the value of an answer, or raise what it says.

        A write that is answered with 500 was refused: so the server says of a value that has the wrong type.
        Only where its storage or an admission webhook fails is nothing known.
        """
        try:
            value = json.loads(data) if data else None
        except ValueError:
            value = None
        if 200 <= status < 300 and (value is not None or not data):
            return value
        told = value if isinstance(value, dict) else {}
        message = redact(str(told.get("message") or f"it answered with HTTP {status}"), kind=kind)
        reason = str(told.get("reason") or "")
        if status == 401:
            raise TargetUnreachable(
                f"{self._place} does not accept our credentials: {message}",
                code="unauthorized",
                hint="renew the token or certificate; it may have expired",
            )
        if status == 500 and _WEBHOOK in message:
            raise TargetUnreachable(
                f"an admission webhook of {self._place} does not answer: {message}",
                code="webhook-away",
                hint="repair or remove the webhook; until then, what it must see cannot be applied",
            )
        if status in (429, 502, 503, 504) or (status == 500 and (read or _STORAGE.search(message))):
            raise TargetUnreachable(f"{self._place} cannot answer: {message}", code="target-busy")
        if status == 409 and _is_owned(told):
            raise TargetRefused(
                message,
                reason="FieldManagerConflict",
                status=status,
                hint="remove the fields from the overlay, or annotate the object with"
                " wayside.dev/conflicts: force",
            )
        if status >= 300:
            raise TargetRefused(message, reason=reason, status=status, hint=_hint(status))
        raise TargetUnreachable(f"{self._place} answered with something that is not JSON", code="not-json")

    def _unreachable(self, err: Exception) -> TargetUnreachable:
        cause = err.__cause__ or err.__context__ or err
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TargetUnreachable(
                f"{self._place} shows a certificate that is not trusted: {cause.verify_message}",
                code="certificate",
                hint="the cluster's certificate authority must be the one that is configured",
            )
        if isinstance(err, urllib3.exceptions.SSLError):
            return TargetUnreachable(
                f"{self._place} shows a certificate that is not its own: {redact(str(err))}",
                code="certificate",
                hint="set tls-server-name in the kubeconfig, or the server's right name",
            )
        text = redact(str(err).rpartition(": ")[2] or type(err).__name__)
        return TargetUnreachable(f"{self._place} does not answer: {text}", code="target-unreachable")

    @property
    def _place(self) -> str:
        return f"the API server {self.connection.server}"

    @property
    def _base(self) -> str:
        return (urllib3.util.parse_url(self.connection.server).path or "").rstrip("/")

    def _authorization(self) -> dict[str, str]:
        """Return the headers that say who we are. A token file is read anew: it is rotated."""
        connection = self.connection
        if connection.plugin is not None:
            found = self._given().authorization
            return {"Authorization": found} if found else {}
        token = connection.token
        if connection.token_file:
            try:
                token = Path(connection.token_file).read_text(encoding="utf-8").strip()
            except OSError as err:
                message = (
                    f"expected a token in {connection.token_file}, but it cannot be read: {err.strerror}"
                )
                raise TargetUnreachable(message, code="credentials") from err
        if token:
            return {"Authorization": f"Bearer {token}"}
        if connection.basic:
            return {"Authorization": "Basic " + base64.b64encode(connection.basic.encode()).decode()}
        return {}

    def _given(self) -> exec_plugin.Credentials:
        if self._credentials is None:
            if self.connection.plugin is None:
                return exec_plugin.Credentials()
            self._credentials = exec_plugin.fetch(self.connection.plugin)
        return self._credentials

    def _connected(self) -> urllib3.HTTPConnectionPool:
        """Return the pool of connections; a new one where kubeconfig or certificates have changed."""
        with self._lock:
            if self._stamp != self._stamped():
                if self._pool is not None:
                    self._read_again()
                self.close()
            if self._pool is None:
                self._stamp = self._stamped()
                self._pool = self._open()
            return self._pool

    def _stamped(self) -> tuple[int, ...]:
        connection = self.connection
        files = (connection.origin[0], connection.ca_file, connection.cert_file, connection.key_file)
        return (1, *(_changed(name) for name in files if name))

    def _read_again(self) -> None:
        """Take up a kubeconfig that was written anew, as k3s does when it rotates its certificates."""
        path, context = self.connection.origin
        if not path:
            return
        try:
            self.connection = kubeconfig(path, context)
        except UsageError:
            return  # half written; what was read before goes on until it is whole

    def _open(self) -> urllib3.HTTPConnectionPool:
        url = urllib3.util.parse_url(self.connection.server)
        default = list(urllib3.connection.HTTPConnection.default_socket_options)
        options: dict[str, Any] = {
            "maxsize": 4,
            "block": False,
            "socket_options": [*default, *_KEEP_ALIVE],
        }
        if url.scheme == "https":
            options |= {"ssl_context": self._context()}
            if self.connection.server_name:
                options |= {
                    "server_hostname": self.connection.server_name,
                    "assert_hostname": self.connection.server_name,
                }
            if not self.connection.verify:
                options |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        if self.connection.proxy:
            manager: urllib3.PoolManager = urllib3.ProxyManager(self.connection.proxy, **options)
        else:
            manager = urllib3.PoolManager(**options)
        return manager.connection_from_url(self.connection.server)

    def _context(self) -> ssl.SSLContext:
        connection = self.connection
        try:
            context = ssl.create_default_context(
                cafile=connection.ca_file or None, cadata=connection.ca_data or None
            )
            if not connection.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if connection.cert_file:
                context.load_cert_chain(connection.cert_file, connection.key_file or None)
            given = self._given()
            cert, key = connection.cert_data or given.cert, connection.key_data or given.key
            if cert:
                _load(context, cert, key)
        except (OSError, ValueError) as err:
            message = f"expected certificates for {self._place}, but they cannot be loaded: {err}"
            raise UsageError(message, code="certificate") from err
        return context


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Load a client certificate. OpenSSL takes files only, so one lives for that moment, for us alone."""
    descriptor, name = tempfile.mkstemp(prefix="wayside-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{cert.strip()}\n{key.strip()}\n")
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _changed(name: str) -> int:
    """Return when a file was last changed, 0 where it cannot be seen at the moment."""
    try:
        return Path(name).stat().st_mtime_ns
    except OSError:
        return 0


def _seconds(header: str | None, default: float) -> float:
    """Return the seconds of a Retry-After header."""
    try:
        return max(0.0, float(header or default))
    except ValueError:
        return default


def _hint(status: int) -> str:
    if status == 403:
        return "give the agent's service account the right, or leave the object out"
    return ""


def _is_owned(status: Mapping[str, Any]) -> bool:
    """Tell whether an apply was refused because other managers own some of its fields."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "FieldManagerConflict" for cause in causes
    )
