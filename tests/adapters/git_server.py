"""A real git server over HTTP on loopback: `git http-backend` behind Python's HTTP server."""

from __future__ import annotations

import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitHandler(BaseHTTPRequestHandler):
    """Hands requests on to git, where the password is right."""

    root: Path
    password: str
    sent: list[int]
    trouble: list[str]

    def _handle(self) -> None:
        wanted = "Basic " + b64encode(f"agent:{self.password}".encode()).decode()
        if self.password and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            env={
                "PATH": "/usr/bin:/bin",
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.trouble and b"PACK" in content:
            self.wfile.write(content[: content.index(b"PACK") + 20])
            self.wfile.flush()
            if self.trouble[0] == "hang":
                self.rfile.read(1)  # until the client has had enough
            self.close_connection = True
            return
        self.wfile.write(content)
        self.sent.append(len(content))

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that do not trust the certificate, or that are killed, go away: that is the point."""


@contextmanager
def git_server(
    root: Path,
    *,
    password: str = "",
    trouble: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[int, list[int]]]:
    """Serve the repositories in a folder; gives the port, and how many bytes each answer had.

    Args:
        root: The folder.
        password: The password of the user `agent`; "" for none.
        trouble: While it holds `cut` or `hang`, packs end, or stop, in their middle.
        tls: With which certificate; None for plain HTTP.
    """
    sent: list[int] = []
    values = {
        "root": root,
        "password": password,
        "sent": sent,
        "trouble": [] if trouble is None else trouble,
    }
    server = _Server(("127.0.0.1", 0), type("Handler", (GitHandler,), values))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
