"""What operators and pages ask for: sites, revisions, events, tokens, webhooks."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from reconciler.errors import UsageError
from reconciler.hub import views
from reconciler.hub.core import Core
from reconciler.hub.http import (
    Problem,
    allow,
    cursor_of,
    json_response,
    limit_of,
    number_of,
    place_of,
    read_body,
    token_of,
)
from reconciler.hub.ingest_api import SITE_NAME
from reconciler.hub.selector import parse_selector
from reconciler.hub.tokens import mint
from reconciler.model.site_record import SiteRecord
from reconciler.model.site_state import SiteState
from reconciler.ports.hub_store import TokenRow, WebhookRow

__all__ = ["Api"]

_LARGEST_REQUEST = 64 * 1024
_LONGEST_KEY = 317
_TYPE = re.compile(r"[a-z][a-z0-9.]{0,99}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Api:
    """The handlers of all but the way in.

    Args:
        core: The hub.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def fleet(self, request: Request) -> Response:
        """`GET /v1/fleet`: the fleet in numbers; with `by=KEY`, also in groups by a label."""
        self._may(request, "read")
        now, by = self._core.clock(), request.query_params.get("by", "")
        found = views.fleet_view(self._core.fleet, now, matches=self._matches(request))
        if by:
            if len(by) > _LONGEST_KEY:
                raise Problem(400, "expected the key of a label to group by", code="bad-label")
            found["groups"] = views.group_views(self._core.fleet, now, by=by, matches=self._matches(request))
        return JSONResponse(found)

    async def overview(self, request: Request) -> Response:
        """`GET /v1/overview`: a row for every site, in one compact answer."""
        self._may(request, "read")
        return json_response(request, views.overview_view(self._core.fleet, self._core.clock()))

    async def sites(self, request: Request) -> Response:
        """`GET /v1/sites`: sites by name, filtered by labels, state and a part of the name."""
        self._may(request, "read")
        matches, limit = self._matches(request), limit_of(request, most=10_000)
        states = {name for name in request.query_params.get("state", "").split(",") if name}
        unknown = states - {state.value for state in SiteState}
        if unknown:
            raise Problem(
                400,
                "expected states of sites, found something else",
                code="bad-state",
                hint="they are " + ", ".join(state.value for state in SiteState),
            )
        search = request.query_params.get("search", "").lower()[:253]
        after, now = place_of(request), self._core.clock()
        places = views.places(views.ordered_commits(self._core.fleet))
        found: list[SiteRecord] = []
        for name in sorted(self._core.fleet.records):
            record = self._core.fleet.records[name]
            if (
                name > after
                and search in name
                and matches(record.labels)
                and (not states or record.shown_state(now).value in states)
            ):
                found.append(record)
                if len(found) > limit:
                    break
        following = cursor_of(found[limit - 1].name) if len(found) > limit else None
        items = [views.summary_view(record, now, places) for record in found[:limit]]
        return json_response(request, views.page(items, following, asOf=views.moment(now)))

    async def site(self, request: Request) -> Response:
        """`GET /v1/sites/{site}`: everything that is known of a site."""
        self._may(request, "read")
        record = self._record(request)
        places = views.places(views.ordered_commits(self._core.fleet))
        return JSONResponse(views.site_view(record, self._core.clock(), places))

    async def forget_site(self, request: Request) -> Response:
        """`DELETE /v1/sites/{site}`: forget a site, its events and its tokens."""
        self._may(request, "write")
        if not await self._core.forget(self._record(request).name):
            raise Problem(404, "there is no such site", code="unknown-site")
        return Response(status_code=204)

    async def settle(self, request: Request) -> Response:
        """`DELETE /v1/sites/{site}/conflict`: say that there is one agent again."""
        self._may(request, "write")
        if not await self._core.settle(self._record(request).name):
            raise Problem(404, "this site's reports do not contradict each other", code="no-conflict")
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """`GET /v1/events`, `/v1/sites/{site}/events`: events, newest first, or in order after a cursor."""
        self._may(request, "read")
        site = self._record(request).name if "site" in request.path_params else ""
        limit = limit_of(request)
        types = [name for name in request.query_params.get("type", "").split(",") if name]
        if len(types) > 50 or not all(_TYPE.fullmatch(name) for name in types):
            raise Problem(400, "expected types such as dev.wayside.sync.applied.v1", code="bad-type")
        order = request.query_params.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise Problem(400, "expected the order asc or desc", code="bad-order")
        place = number_of(place_of(request))
        newest_first = order == "desc"
        rows = await asyncio.to_thread(
            self._core.store.events,
            after=0 if newest_first else place,
            before=place if newest_first else 0,
            site=site,
            types=types,
            limit=limit + 1,
            newest_first=newest_first,
        )
        following = cursor_of(rows[limit - 1].number) if len(rows) > limit else None
        return JSONResponse(views.page([views.event_view(row) for row in rows[:limit]], following))

    async def revisions(self, request: Request) -> Response:
        """`GET /v1/revisions`: commits that sites have looked at, newest first."""
        self._may(request, "read")
        limit, start = limit_of(request), number_of(place_of(request))
        commits = views.ordered_commits(self._core.fleet)
        items = views.revision_summaries(self._core.fleet, commits[start : start + limit])
        following = cursor_of(start + limit) if len(commits) > start + limit else None
        return JSONResponse(views.page(items, following))

    async def revision(self, request: Request) -> Response:
        """`GET /v1/revisions/{commit}`: who has it, and who refused it and why."""
        self._may(request, "read")
        commit = request.path_params["commit"]
        if commit not in self._core.fleet.revisions:
            raise Problem(404, "no site has reported such a revision", code="unknown-revision")
        return json_response(request, views.revision_view(self._core.fleet, commit, self._core.clock()))

    async def stream(self, request: Request) -> Response:
        """`GET /v1/stream`: server-sent events with the sites that changed, at most once a second."""
        self._may(request, "read")
        if self._core.stream.full:
            raise Problem(503, "too many are listening", code="busy", retry_after=30)
        return StreamingResponse(
            self._changes(token_of(request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _changes(self, token: str) -> AsyncIterator[bytes]:
        yield b"retry: 3000\n\n"
        async for names in self._core.stream.listen():
            if self._core.guard.recognise(token) is None:
                return  # taken back, or expired, meanwhile
            if not names:
                yield b": still here\n\n"
                continue
            now = self._core.clock()
            commits = views.ordered_commits(self._core.fleet)
            places = views.places(commits)
            records = self._core.fleet.records
            gone = [name for name in sorted(names) if name not in records]
            items = [views.summary_view(records[name], now, places) for name in sorted(names - set(gone))]
            text = json.dumps(
                {
                    "sites": items,
                    "gone": gone,
                    "newest": commits[0] if commits else None,
                    "asOf": views.moment(now),
                },
                separators=(",", ":"),
            )
            yield f"event: sites\nid: {self._core.fleet.newest}\ndata: {text}\n\n".encode()

    async def tokens(self, request: Request) -> Response:
        """`GET /v1/tokens`: whose tokens there are; their secrets are not known here."""
        self._may(request, "write")
        rows = await asyncio.to_thread(self._core.store.tokens)
        return JSONResponse(views.page([_token_view(row) for row in rows], None))

    async def make_token(self, request: Request) -> Response:
        """`POST /v1/tokens`: make a token; it is shown this once."""
        self._may(request, "write")
        document = await self._document(request)
        kind, subject, role = (document.get(name) for name in ("kind", "subject", "role"))
        days = document.get("days", 0)
        if kind == "site" and isinstance(subject, str) and SITE_NAME.fullmatch(subject):
            role = "report"
        elif kind != "operator" or role not in {"read", "write"} or not _is_name(subject):
            raise Problem(
                400,
                "expected the kind site, or the kind operator with the role read or write, and a name",
                code="bad-token",
            )
        if not isinstance(days, int | float) or not 0 <= days <= 36500:
            raise Problem(400, "expected days from 0 (never expires) to 36500", code="bad-token")
        text, row = mint(
            kind=str(kind), subject=str(subject), role=str(role), now=self._core.clock(), days=days
        )
        await asyncio.to_thread(self._core.store.save_token, row)
        await asyncio.to_thread(self._core.guard.reload)
        await self._core.writer_is_through()  # its site is shown from now on
        return JSONResponse({**_token_view(row), "token": text}, 201, {"Cache-Control": "no-store"})

    async def drop_token(self, request: Request) -> Response:
        """`DELETE /v1/tokens/{id}`: a token counts no longer."""
        self._may(request, "write")
        if not await asyncio.to_thread(self._core.store.delete_token, request.path_params["id"]):
            raise Problem(404, "there is no such token", code="unknown-token")
        await asyncio.to_thread(self._core.guard.reload)
        return Response(status_code=204)

    async def webhooks(self, request: Request) -> Response:
        """`GET /v1/webhooks`: where news is sent; secrets are not shown."""
        self._may(request, "write")
        rows = await asyncio.to_thread(self._core.store.webhooks)
        return JSONResponse(views.page([_webhook_view(row) for row in rows], None))

    async def save_webhook(self, request: Request) -> Response:
        """`PUT /v1/webhooks/{id}`: send news somewhere from now on."""
        self._may(request, "write")
        name = request.path_params["id"]
        document = await self._document(request)
        url, types = document.get("url"), document.get("types", [])
        if not _is_name(name) or not isinstance(url, str) or not re.match(r"https?://[^\s@]+$", url):
            raise Problem(400, "expected a name and a URL without credentials", code="bad-webhook")
        if not isinstance(types, list) or not all(
            isinstance(item, str) and _TYPE.fullmatch(item) for item in types
        ):
            raise Problem(400, "expected a list of types of events", code="bad-webhook")
        secret = secrets.token_urlsafe(32)
        row = WebhookRow(name, url[:2000], secret, tuple(types[:50]), self._core.fleet.newest)
        await asyncio.to_thread(self._core.store.save_webhook, row)
        return JSONResponse({**_webhook_view(row), "secret": secret}, 201, {"Cache-Control": "no-store"})

    async def drop_webhook(self, request: Request) -> Response:
        """`DELETE /v1/webhooks/{id}`: send nothing there any more."""
        self._may(request, "write")
        if not await asyncio.to_thread(self._core.store.delete_webhook, request.path_params["id"]):
            raise Problem(404, "there is no such webhook", code="unknown-webhook")
        return Response(status_code=204)

    async def metrics(self, request: Request) -> Response:
        """`GET /metrics`: figures for Prometheus."""
        self._may(request, "read")
        fleet = views.fleet_view(self._core.fleet, self._core.clock())
        gauges = [
            ("wayside_hub_sites", f'state="{state}"', float(count))
            for state, count in fleet["states"].items()
        ]
        gauges.append(("wayside_hub_waiting_bytes", "", float(self._core.writer.waiting)))
        gauges.append(("wayside_hub_listeners", "", float(self._core.stream.count)))
        return PlainTextResponse(
            self._core.metrics.text(gauges), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def healthz(self, _: Request) -> Response:
        """`GET /healthz`: the process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """`GET /readyz`: the database answers."""
        begin = time.monotonic()
        details = await asyncio.to_thread(self._core.store.describe)
        return JSONResponse({"database": details["kind"], "seconds": round(time.monotonic() - begin, 3)})

    def _may(self, request: Request, role: str) -> TokenRow:
        row = self._core.guard.recognise(token_of(request))
        allow(row, role=role)
        assert row is not None  # noqa: S101 - allow() refuses nobody's token
        return row

    def _record(self, request: Request) -> SiteRecord:
        record = self._core.fleet.records.get(request.path_params["site"])
        if record is None:
            raise Problem(404, "no site of this name has reported", code="unknown-site")
        return record

    def _matches(self, request: Request) -> Callable[[Mapping[str, str]], bool]:
        try:
            return parse_selector(request.query_params.get("selector", ""))
        except UsageError as err:
            raise Problem(400, err.message, code=err.code) from err

    async def _document(self, request: Request) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Problem(415, "expected the Content-Type application/json", code="bad-content-type")
        try:
            document = json.loads(await read_body(request, _LARGEST_REQUEST))
        except (ValueError, RecursionError):
            raise Problem(400, "expected JSON, found something else", code="bad-json") from None
        if not isinstance(document, dict):
            raise Problem(400, "expected a JSON object", code="bad-json")
        return document


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _token_view(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "subject": row.subject,
        "role": row.role,
        "created": views.moment(row.created),
        "expires": views.moment(row.expires),
    }


def _webhook_view(row: WebhookRow) -> dict[str, Any]:
    return {"id": row.id, "url": row.url, "types": list(row.types), "sent": row.sent, "trouble": row.trouble}
