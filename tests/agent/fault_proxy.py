"""A proxy in front of a real API server that does what networks, gateways and busy servers do."""

from __future__ import annotations

import base64
import http.server
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import urllib3
import yaml

__all__ = ["FaultProxy", "fault_proxy"]

_HOP = frozenset({"transfer-encoding", "connection", "content-length", "keep-alive"})


class FaultProxy:
    """What the proxy does now, and what it has seen.

    Attributes:
        fault: "" for none; `away`, `hang`, `slow`, `429`, `503`, `401`, `gone` (watches answer 410), `cut`
            (answers end in their middle), `conflict` (writes answer 409), `contest`
            (writes answer 409, their dry-runs do not), `garbage`.
        seen: Requests since the last reset, by method and whether they were watches.
        tls: What it shows to new connections, and asks of them; None for plain HTTP.
    """

    def __init__(self, upstream: urllib3.HTTPConnectionPool) -> None:
        self.upstream = upstream
        self.port = 0
        self.fault = ""
        self.seen: Counter[str] = Counter()
        self.tls: ssl.SSLContext | None = None
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def kubeconfig(
        self, path: Path, *, authority: str = "", user: Mapping[str, str] = MappingProxyType({})
    ) -> Path:
        """Write a kubeconfig that leads through the proxy; without TLS it needs no credentials.

        Args:
            path: Where.
            authority: Who signs what the proxy shows, in PEM.
            user: The user's entry.
        """
        cluster = {"server": self.url}
        if authority:
            cluster["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
        config = {
            "current-context": "p",
            "contexts": [{"name": "p", "context": {"cluster": "p", "user": "p"}}],
            "clusters": [{"name": "p", "cluster": cluster}],
            "users": [{"name": "p", "user": dict(user)}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def _handle(self) -> None:
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        watch = "watch=1" in self.path
        proxy.seen["WATCH" if watch else self.command] += 1
        match proxy.fault:
            case "away":
                self.close_connection = True
                self.connection.close()
            case "hang":
                proxy.closing.wait(60)
                self.close_connection = True
            case "429" | "503" | "401":
                self._say(int(proxy.fault), {"Retry-After": "1"} if proxy.fault == "429" else {})
            case "gone" if watch:
                self._say(410, {})
            case "conflict" if self.command in ("PATCH", "PUT"):
                self._say(409, {}, reason="AlreadyExists")
            case "contest" if self.command in ("PATCH", "PUT") and "dryRun" not in self.path:
                self._say(409, {}, reason="Conflict")
            case "garbage":
                self._answer(200, {"Content-Type": "application/json"}, b"<html>captive portal</html>")
            case _:
                if proxy.fault == "slow":
                    time.sleep(0.3)
                self._forward(body)

    def _forward(self, body: bytes) -> None:
        proxy = self.proxy
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", *_HOP)}
        try:
            answer = proxy.upstream.urlopen(
                self.command,
                self.path,
                body=body or None,
                headers=headers,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=5, read=30),
            )
        except urllib3.exceptions.HTTPError:
            self._say(502, {})
            return
        kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
        self.send_response(answer.status)
        for key, value in kept.items():
            self.send_header(key, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError, urllib3.exceptions.HTTPError):
            for chunk in answer.stream(4096):
                if proxy.closing.is_set():
                    break
                if proxy.fault in ("cut", "away", "hang"):
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk[: len(chunk) // 2])
                    self.connection.close()
                    self.close_connection = True
                    answer.close()
                    return
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        answer.release_conn()

    def _say(self, status: int, headers: dict[str, str], *, reason: str = "TooManyRequests") -> None:
        import json

        body: dict[str, Any] = {"kind": "Status", "status": "Failure", "reason": reason, "code": status}
        content = json.dumps({**body, "message": f"the proxy says {status}"}).encode()
        self._answer(status, {"Content-Type": "application/json", **headers}, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: FaultProxy

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a connection, which shakes hands in its own thread."""
        connection, address = super().get_request()
        if self.proxy.tls is not None:
            connection = self.proxy.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed and connections cut: that is the point."""


@contextmanager
def fault_proxy(kubeconfig: Path) -> Iterator[FaultProxy]:
    """Run a proxy to the cluster of a kubeconfig, with the rights of its user."""
    from reconciler.adapters.kube import kubeconfig as read
    from reconciler.adapters.kube.client import KubeClient

    upstream = KubeClient(read(kubeconfig))._connected()
    # Many watches, few kept connections.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    proxy = FaultProxy(upstream)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.proxy = proxy
    proxy.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        server.server_close()
        upstream.close()
