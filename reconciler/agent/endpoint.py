"""The agent's small HTTP server: `/healthz`, `/readyz`, `/metrics`, and `/hook` for a push to the repository.

One request at a time, each with a short patience: probes are the only visitors.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.server
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from reconciler.agent.status import SiteStatus, read_status
from reconciler.agent.vitals import Vitals
from reconciler.errors import StateError, UsageError

__all__ = ["Endpoint"]

_PATIENCE = 5.0
_LARGEST_BODY = 4 << 20


class Endpoint:
    """Serves one agent.

    Args:
        listen: `HOST:PORT`, `:PORT`, or `[V6]:PORT`; port 0 takes a free one.
        vitals: What is told.
        state: The state folder.
        hook: Is called for a push.
        secret_file: A file with the secret that pushes are signed with, read anew each time; "" refuses all.

    Raises:
        UsageError: The address cannot be listened on.
    """

    def __init__(
        self, listen: str, *, vitals: Vitals, state: Path, hook: Callable[[], None], secret_file: str = ""
    ) -> None:
        host, colon, port = listen.rpartition(":")
        host = host.strip("[]")
        if not colon or not port.isdigit() or int(port) > 65535:
            raise UsageError(f"expected HOST:PORT or :PORT for --listen, found {listen!r}", code="bad-listen")
        self.vitals = vitals
        self.state = state
        self.hook = hook
        self.secret_file = secret_file
        try:
            self._server = _Server((host or "::", int(port)), self)
        except OSError as err:
            raise UsageError(f"cannot listen on {listen}: {err.strerror}", code="bad-listen") from err

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer, in a thread."""
        threading.Thread(target=self._server.serve_forever, args=(0.5,), name="http", daemon=True).start()

    def stop(self) -> None:
        """End; what is being answered is cut off with the process."""
        self._server.server_close()

    def status(self) -> SiteStatus | None:
        """Return how the site is, or None where that cannot be read."""
        try:
            return read_status(self.state)
        except StateError:
            return None

    def is_signed(self, body: bytes, headers: dict[str, str]) -> bool:
        """Tell whether a push carries our secret: as GitHub, Gitea, Forgejo or GitLab send it."""
        try:
            secret = Path(self.secret_file).read_bytes().strip() if self.secret_file else b""
        except OSError:
            return False
        if not secret:
            return False
        digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
        told = headers.get("x-hub-signature-256", "").removeprefix("sha256=")
        told = told or headers.get("x-gitea-signature", "") or headers.get("x-forgejo-signature", "")
        if told:
            return hmac.compare_digest(told.encode(), digest.encode())
        token = headers.get("x-gitlab-token", "") or headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(token.encode(), secret)


class _Server(http.server.HTTPServer):
    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a visitor that goes away is no fault."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a probe or a scrape."""
        endpoint = self.server.endpoint
        match self.path.partition("?")[0]:
            case "/healthz":
                self._probe(endpoint.vitals.alive, "the agent's loop hangs")
            case "/readyz":
                self._probe(endpoint.vitals.ready, "no look at the repository has ended yet")
            case "/metrics":
                status = endpoint.status()
                applied = _unix(status.applied_at) if status is not None and status.applied_at else None
                text = endpoint.vitals.exposition(status, applied)
                self._answer(HTTPStatus.OK, text, "text/plain; version=0.0.4; charset=utf-8")
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "expected /healthz, /readyz, /metrics or /hook\n")

    def do_POST(self) -> None:
        """Take a push."""
        endpoint = self.server.endpoint
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if self.path.partition("?")[0] != "/hook" or not endpoint.secret_file:
            self._answer(HTTPStatus.NOT_FOUND, "there is no hook here\n")
        elif not length.isdigit() or int(length) > _LARGEST_BODY:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {_LARGEST_BODY} bytes\n")
        else:
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if endpoint.is_signed(body, headers):
                endpoint.hook()
                self._answer(HTTPStatus.ACCEPTED, "the repository is looked at now\n")
            else:
                self._answer(HTTPStatus.FORBIDDEN, "expected a signature by the agent's webhook secret\n")

    def _probe(self, fine: bool, otherwise: str) -> None:
        status = HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "ok\n" if fine else f"{otherwise}\n")

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        # One visitor is answered at a time, so nobody keeps a connection.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep probes out of the log."""

    def version_string(self) -> str:
        """Tell nobody which Python this is."""
        return "wayside"


def _unix(moment: str) -> float | None:
    try:
        return datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
