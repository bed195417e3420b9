"""News to other systems: each event as a signed POST, in order, tried again until it is taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import replace

import urllib3
from urllib3.exceptions import HTTPError

from reconciler.errors import StateError
from reconciler.hub.core import Core
from reconciler.ports.hub_store import WebhookRow

__all__ = ["deliver_news", "sign"]

_AT_ONCE = 50
_LONGEST_PAUSE = 600.0
_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)


def sign(secret: str, body: bytes) -> str:
    """Return the header `Wayside-Signature` of a body: HMAC-SHA-256, in hex."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def deliver_news(core: Core) -> None:
    """Send every event to every webhook that wants it, until the hub stops.

    What was sent is recorded after it was taken, so an event may come twice and is never left out.
    """
    pool = urllib3.PoolManager(num_pools=8, retries=False)
    pauses: dict[str, float] = {}
    due: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    while True:
        for row in await _known(core):
            if due.get(row.id, 0.0) > loop.time():
                continue
            if await _send_some(core, pool, row):
                pauses.pop(row.id, None)
            else:
                pauses[row.id] = min(pauses.get(row.id, 1.0) * 2, _LONGEST_PAUSE)
                due[row.id] = loop.time() + pauses[row.id]
        await asyncio.sleep(1.0)


async def _known(core: Core) -> list[WebhookRow]:
    try:
        return list(await asyncio.to_thread(core.store.webhooks))
    except StateError:
        return []


async def _send_some(core: Core, pool: urllib3.PoolManager, row: WebhookRow) -> bool:
    """Send the next events, and tell whether all went well."""
    newest = core.fleet.newest
    if row.sent >= newest:
        return True
    try:
        events = await asyncio.to_thread(
            core.store.events,
            after=row.sent,
            before=0,
            site="",
            types=row.types,
            limit=_AT_ONCE,
            newest_first=False,
        )
        sent, trouble = row.sent, ""
        for stored in events:
            body = json.dumps(stored.event.to_cloudevent(), separators=(",", ":")).encode()
            trouble = await asyncio.to_thread(_post, pool, row, body)
            result = "failed" if trouble else "taken"
            core.metrics.add("wayside_hub_webhooks_total", label=f'result="{result}"')
            if trouble:
                break
            sent = stored.number
        if not trouble and len(events) < _AT_ONCE:
            sent = max(sent, newest)
        if (sent, trouble) != (row.sent, row.trouble):
            await asyncio.to_thread(core.store.save_webhook, replace(row, sent=sent, trouble=trouble))
    except StateError:
        return False
    return not trouble


def _post(pool: urllib3.PoolManager, row: WebhookRow, body: bytes) -> str:
    """Send one message, and return what went wrong, or ""."""
    headers = {
        "Content-Type": "application/cloudevents+json; charset=UTF-8",
        "Wayside-Signature": sign(row.secret, body),
    }
    try:
        answer = pool.request(
            "POST",
            row.url,
            body=body,
            headers=headers,
            timeout=_TIMEOUT,
            redirect=False,
            preload_content=False,
        )
    except HTTPError as err:
        return f"no answer: {type(getattr(err, 'reason', None) or err).__name__}"
    answer.drain_conn() if int(answer.headers.get("Content-Length") or 0) < 65536 else answer.close()
    answer.release_conn()
    return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
