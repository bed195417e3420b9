"""Running the hub: one process, one event loop, ended cleanly by a signal."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from reconciler.errors import UsageError
from reconciler.hub.app import create_app
from reconciler.hub.connections import ImpatientProtocol, most_connections
from reconciler.hub.core import Core, Limits
from reconciler.hub.tokens import mint
from reconciler.ports.hub_store import HubStore

__all__ = ["HubServer", "Serving", "serve"]


class HubServer(uvicorn.Server):
    """A server that ends its streams first: a page that listens would keep it from stopping.

    Args:
        config: Of the server.
        core: The hub.
    """

    def __init__(self, config: uvicorn.Config, core: Core) -> None:
        super().__init__(config)
        self._core = core

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after what is being answered."""
        self._core.stream.close()
        await super().shutdown(sockets)


@dataclass(frozen=True, slots=True)
class Serving:
    """How the hub is reached.

    Attributes:
        host: The address to listen at.
        port: The port; 0 for a free one.
        certificate: A file with the TLS certificate and its chain, or "" for plain HTTP.
        key: A file with its private key, or "".
    """

    host: str = "127.0.0.1"
    port: int = 8420
    certificate: str = ""
    key: str = ""


def serve(store: HubStore, serving: Serving, limits: Limits) -> None:
    """Serve until SIGTERM or SIGINT; what waits is stored before this returns.

    Raises:
        UsageError: It cannot listen there, or its certificate cannot be used.
        StateError: The database cannot be used.
    """
    if bool(serving.certificate) != bool(serving.key):
        raise UsageError("expected both --tls-certificate and --tls-key, found one", code="tls")
    if not serving.certificate and serving.host not in {"127.0.0.1", "::1", "localhost"}:
        sys.stderr.write(
            "warning: the hub speaks plain HTTP; put a TLS proxy before it, or give --tls-certificate\n"
        )
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, level=logging.WARNING
    )
    core = Core(store, limits=limits)
    if not store.tokens():
        token, row = mint(kind="operator", subject="admin", role="write", now=core.clock())
        store.save_token(row)
        core.guard.reload()
        sys.stderr.write(f"made the first operator's token (it is shown this once): {token}\n")
    config = uvicorn.Config(
        create_app(core),
        host=serving.host,
        port=serving.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
        http=ImpatientProtocol,
        limit_concurrency=most_connections(),
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    if serving.certificate:
        for file in (serving.certificate, serving.key):
            if not Path(file).is_file():
                raise UsageError(f"there is no file {file}", code="tls")
        config.ssl_certfile, config.ssl_keyfile = serving.certificate, serving.key
    try:
        config.load()
    except (OSError, ssl.SSLError) as err:
        raise UsageError(f"the certificate {serving.certificate} cannot be used: {err}", code="tls") from err
    try:
        listening = config.bind_socket()
    except SystemExit:
        raise UsageError(
            f"cannot listen at {serving.host}:{serving.port}",
            code="port-in-use",
            hint="choose another with --listen HOST:PORT",
        ) from None
    listening.listen(config.backlog)
    address = listening.getsockname()
    scheme = "https" if serving.certificate else "http"
    sys.stderr.write(f"the hub is at {scheme}://{serving.host}:{address[1]}\n")
    sys.stderr.flush()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server ends cleanly by itself and then raises the signal once more, which is of no use.
        signal.signal(number, lambda *_: None)
    HubServer(config, core).run(sockets=[listening])
