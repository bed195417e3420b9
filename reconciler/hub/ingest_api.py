"""The way in: batches from sites."""

from __future__ import annotations

import asyncio
import email.utils
import re
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.errors import StateError
from reconciler.hub.batch import BatchError, decompress, parse_batch
from reconciler.hub.core import Core
from reconciler.hub.http import Problem, allow, read_body, token_of
from reconciler.hub.ingest import Trouble
from reconciler.hub.writer import Busy
from reconciler.model.event import Event

__all__ = ["SITE_NAME", "take_batch"]

SITE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_SMALL = 16 * 1024


async def take_batch(request: Request, core: Core) -> Response:
    """Take one batch: `POST /v1/sites/{site}/events`.

    The answer is the receipt: `{"epoch": ..., "acknowledged": N}`. An N below the batch means that events
    before it are missing here, and asks for them. An empty batch is a sign of life; its receipt says what the
    hub has of the site.

    Raises:
        Problem: It is not taken.
    """
    begin = time.monotonic()
    site = request.path_params["site"]
    if not SITE_NAME.fullmatch(site):
        raise Problem(404, "there is no such site", code="unknown-site")
    allow(core.guard.recognise(token_of(request)), role="report", site=site)
    if core.busy >= core.limits.requests:
        core.metrics.add("wayside_hub_batches_total", label='result="busy"')
        raise Problem(503, "the hub takes as much as it can", code="busy", retry_after=5)
    core.busy += 1
    try:
        body = await asyncio.wait_for(read_body(request, core.limits.body), core.limits.patience)
        core.metrics.add("wayside_hub_received_bytes_total", len(body))
        received = core.clock()
        encoding = request.headers.get("content-encoding", "").lower()

        def read() -> tuple[int, list[Event]]:
            content = decompress(body, encoding, limit=core.limits.content)
            return len(content), parse_batch(content, site=site)

        # Reading a large batch takes a while, and others want an answer meanwhile.
        size, batch = await asyncio.to_thread(read) if len(body) > _SMALL else read()
        skew = _skew(request.headers.get("date", ""), received)
        future = core.writer.submit(site, batch, size=size, received=received, skew=skew)
        answer = await asyncio.wrap_future(future)
    except TimeoutError:
        core.metrics.add("wayside_hub_batches_total", label='result="slow"')
        raise Problem(408, f"expected a body within {core.limits.patience:g} s", code="slow") from None
    except BatchError as err:
        core.metrics.add("wayside_hub_batches_total", label='result="refused"')
        raise Problem(err.status, err.message, code=err.code, hint=err.hint) from err
    except Busy:
        core.metrics.add("wayside_hub_batches_total", label='result="busy"')
        raise Problem(503, "the hub takes as much as it can", code="busy", retry_after=5) from None
    except StateError as err:
        core.metrics.add("wayside_hub_batches_total", label='result="failed"')
        raise Problem(503, "the hub cannot store it now", code="database", retry_after=10) from err
    finally:
        core.busy -= 1
    result = {Trouble.NONE: "stored", Trouble.GAP: "gap", Trouble.CONFLICT: "conflict"}[answer.trouble]
    core.metrics.add("wayside_hub_batches_total", label=f'result="{result}"')
    core.metrics.add("wayside_hub_events_total", len(answer.new))
    core.metrics.add("wayside_hub_repeated_events_total", answer.repeated)
    core.metrics.observe(time.monotonic() - begin)
    if answer.trouble is Trouble.CONFLICT:
        raise Problem(
            409,
            answer.record.conflict,
            code="sequence-conflict",
            hint="the agent begins a new epoch by itself",
        )
    return JSONResponse({"epoch": answer.receipt.epoch, "acknowledged": answer.receipt.acknowledged})


def _skew(date: str, received: float) -> float | None:
    """Return how far a site's clock is ahead, from the header `Date`."""
    if not date:
        return None
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - received
    except (ValueError, OverflowError):
        return None
