"""A hub inside the test's process: the real app over a real file, with a clock that the test moves."""

from __future__ import annotations

import datetime
import email.utils
import threading
import time
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.adapters.hub_store import open_store
from reconciler.hub.app import create_app
from reconciler.hub.connections import ImpatientProtocol
from reconciler.hub.core import Core, Limits
from reconciler.hub.server import HubServer
from reconciler.hub.tokens import mint

__all__ = ["LocalHub", "Moment"]


class Moment:
    """A clock for hub and agents alike: the real one, moved by as many seconds as the test says.

    Args:
        offset: Seconds by which it is ahead.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def __call__(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self.offset

    def now(self) -> datetime.datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.datetime.fromtimestamp(self(), tz=datetime.UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


class LocalHub:
    """Serves at a free port until it is stopped.

    Args:
        folder: Where its database is.
        clock: What time it is.
        port: Where to listen, or 0.
        limits: How much it takes and keeps.
    """

    def __init__(self, folder: Path, clock: Moment, *, port: int = 0, limits: Limits | None = None) -> None:
        self.clock = clock
        self._folder = folder
        self._store = open_store(f"sqlite:{folder / 'hub.db'}")
        self.core = Core(self._store, clock=clock, limits=limits)
        self.admin = self._mint("operator", "admin", "write")
        self.reader = self._mint("operator", "ann", "read")
        config = uvicorn.Config(
            _Dated(create_app(self.core), clock),
            port=port,
            log_level="error",
            access_log=False,
            lifespan="on",
            http=ImpatientProtocol,
            timeout_graceful_shutdown=2,
        )
        config.load()
        listening = config.bind_socket()
        self.port: int = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = HubServer(config, self.core)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive() and time.monotonic() < deadline, "the hub did not start"
            time.sleep(0.01)

    def site_token(self, site: str) -> Path:
        """Return a file with a new token of a site."""
        file = self._folder / f"{site}.token"
        file.write_text(self._mint("site", site, "report"))
        return file

    def stop(self) -> None:
        """End it, with all who listen."""
        self._server.should_exit = True
        self._thread.join(20)
        self._store.close()

    def _mint(self, kind: str, subject: str, role: str) -> str:
        token, row = mint(kind=kind, subject=subject, role=role, now=time.time())
        self._store.save_token(row)
        return token


class _Dated:
    """Lets the header `Date` of requests follow the test's clock, as agents take it from the machine's."""

    def __init__(self, app: ASGIApp, clock: Moment) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = []
            for name, value in scope["headers"]:
                if name == b"date":
                    told = email.utils.parsedate_to_datetime(value.decode()).timestamp()
                    moved = told + self._clock.offset
                    headers.append((name, email.utils.formatdate(moved, usegmt=True).encode()))
                else:
                    headers.append((name, value))
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)
