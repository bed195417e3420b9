"""A registry on loopback that answers whatever a test wants, also what no registry should."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reconciler.images.evidence import digest_of
from tests.images import documents as made


@dataclass
class Reply:
    """One answer. `length` is what Content-Length says where that is not so; `pause` seconds go before it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    hang: threading.Event | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Server:
    """Answers by path; what no rule is for is 404. `requests` is what was asked, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._rules: dict[str, Callable[[Request], Reply]] = {}
        self.host = ""

    def on(self, path: str, reply: Reply | Callable[[Request], Reply]) -> None:
        self._rules[path] = reply if callable(reply) else lambda _: reply

    def serve(self, repository: str, tag: str, documents: list[bytes]) -> None:
        """Serve an image: an index (or a manifest) first, and what it leads to."""
        for content in documents:
            kind = made.OCI_INDEX if b'"manifests"' in content else made.OCI_MANIFEST
            reply = Reply(body=content, headers={"Content-Type": kind})
            self.on(f"/v2/{repository}/manifests/{digest_of(content)}", reply)
            self.on(f"/v2/{repository}/blobs/{digest_of(content)}", Reply(body=content))
            if content is documents[0]:
                self.on(f"/v2/{repository}/manifests/{tag}", reply)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        rule = self._rules.get(request.path.partition("?")[0])
        return rule(request) if rule is not None else Reply(404, b"{}")

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.partition("?")[0] == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Server

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        reply = self.script.answer(request)
        if reply.hang is not None:
            reply.hang.wait(20)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        if reply.length is not None:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = _do  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        del format, args


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where a client has hung up."""
        del request, client_address


@contextmanager
def running() -> Iterator[Server]:
    """Run a server for one test."""
    script = Server()
    handler = type("Handler", (_Handler,), {"script": script})
    with _Quiet(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        script.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
