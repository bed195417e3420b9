"""The hub as an ASGI app: routes, who may use them, and what every answer says about itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.errors import StateError
from reconciler.hub.api import Api
from reconciler.hub.core import Core
from reconciler.hub.dashboard import Dashboard
from reconciler.hub.http import Problem, problem_response
from reconciler.hub.ingest_api import take_batch
from reconciler.hub.openapi import Operation, describe
from reconciler.hub.refusals import Refusals
from reconciler.hub.webhooks import deliver_news

__all__ = ["TABLE", "create_app"]

_SITE = "/v1/sites/{site}"
_PAGING = ("limit", "cursor")


#: Everything that can be asked for, and the name of who answers.
_HANDLERS: tuple[tuple[Operation, str], ...] = (
    (Operation("POST", f"{_SITE}/events", "Report as a site.", "report", "Receipt", takes="batch"), "ingest"),
    (
        Operation("GET", "/v1/fleet", "The fleet in numbers.", answer="Fleet", query=("selector", "by")),
        "fleet",
    ),
    (Operation("GET", "/v1/overview", "A row for every site.", answer="Overview"), "overview"),
    (
        Operation(
            "GET",
            "/v1/sites",
            "Sites by name.",
            answer="SiteSummaryPage",
            query=("selector", "state", "search", *_PAGING),
        ),
        "sites",
    ),
    (Operation("GET", _SITE, "Everything that is known of a site.", answer="Site"), "site"),
    (
        Operation("DELETE", _SITE, "Forget a site, its events and its tokens.", "write", status=204),
        "forget_site",
    ),
    (Operation("DELETE", f"{_SITE}/conflict", "There is one agent again.", "write", status=204), "settle"),
    (
        Operation(
            "GET",
            f"{_SITE}/events",
            "Events of a site.",
            answer="StoredEventPage",
            query=("type", "order", *_PAGING),
        ),
        "events",
    ),
    (
        Operation(
            "GET",
            "/v1/events",
            "Events of all sites.",
            answer="StoredEventPage",
            query=("type", "order", *_PAGING),
        ),
        "events",
    ),
    (
        Operation("GET", "/v1/revisions", "Revisions.", answer="RevisionSummaryPage", query=_PAGING),
        "revisions",
    ),
    (
        Operation("GET", "/v1/revisions/{commit}", "Who has it, who refused it.", answer="Revision"),
        "revision",
    ),
    (Operation("GET", "/v1/stream", "Sites that changed.", answer="text/event-stream"), "stream"),
    (Operation("GET", "/v1/tokens", "Whose tokens there are.", "write", "TokenPage"), "tokens"),
    (
        Operation("POST", "/v1/tokens", "Make a token.", "write", "NewToken", 201, "TokenRequest"),
        "make_token",
    ),
    (Operation("DELETE", "/v1/tokens/{id}", "Take a token back.", "write", status=204), "drop_token"),
    (Operation("GET", "/v1/webhooks", "Where news is sent.", "write", "WebhookPage"), "webhooks"),
    (
        Operation(
            "PUT", "/v1/webhooks/{id}", "Send news there.", "write", "NewWebhook", 201, "WebhookRequest"
        ),
        "save_webhook",
    ),
    (Operation("DELETE", "/v1/webhooks/{id}", "Send no news there.", "write", status=204), "drop_webhook"),
    (Operation("GET", "/metrics", "Figures for Prometheus.", answer="text/plain"), "metrics"),
    (Operation("GET", "/healthz", "The process answers.", "", "text/plain"), "healthz"),
    (Operation("GET", "/readyz", "The database answers.", ""), "readyz"),
)
TABLE = tuple(operation for operation, _ in _HANDLERS)


def _routes(core: Core) -> list[Route]:
    api = Api(core)

    async def ingest(request: Request) -> Response:
        return await take_batch(request, core)

    return [
        Route(
            operation.path,
            ingest if name == "ingest" else getattr(api, name),
            methods=[operation.method],
        )
        for operation, name in _HANDLERS
    ]


def create_app(core: Core) -> ASGIApp:
    """Return the hub.

    Args:
        core: What it is made of; started and stopped with the app.
    """
    document = describe(TABLE)
    refusals = Refusals()

    async def problem(request: Request, err: Exception) -> Response:
        assert isinstance(err, Problem)  # noqa: S101 - registered for it
        # Who merely looks is told on the page; a 503 is no fault of theirs, and is counted.
        if request.method not in {"GET", "HEAD"} and err.status < 500:
            peer = request.client.host if request.client else "nowhere"
            refusals.note(err, method=request.method, path=request.scope["path"], peer=peer)
        return problem_response(err)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await core.start()
        tasks = [asyncio.create_task(core.prune()), asyncio.create_task(deliver_news(core))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await core.stop()

    routes = [*_routes(core), Route("/v1/openapi.json", openapi), *Dashboard(core).routes()]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            Problem: problem,
            StateError: _always(503, "the database cannot be used now", code="database", retry_after=10),
            ClientDisconnect: _always(400, "the body ended early", code="cut-off"),
            404: _always(404, "there is nothing here", code="not-found", hint="see /v1/openapi.json"),
            405: _always(405, "this cannot be done here", code="bad-method", hint="see /v1/openapi.json"),
            500: _always(500, "the hub failed; its log says where", code="internal"),
        },
    )
    return _Careful(app)


class _Careful:
    """Adds what every answer says: what a page may load, and that nobody may frame or guess it."""

    _HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
            b" connect-src 'self';"
            b" form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (b"x-content-type-options", b"nosniff"),
        # Not "no-referrer": browsers then call the origin of the hub's own forms "null".
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._HEADERS]
            await send(message)

        await self._app(scope, receive, careful if scope["type"] == "http" else send)


def _always(status: int, message: str, **more: Any) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return a handler that gives the same answer to everybody."""

    async def answer(_: Request, __: Exception) -> Response:
        return problem_response(Problem(status, message, **more))

    return answer
