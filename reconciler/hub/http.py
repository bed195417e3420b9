"""Requests and answers: who asks, how much may be read, and problems as RFC 9457 says them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import json
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from reconciler.errors import WaysideError
from reconciler.ports.hub_store import TokenRow

__all__ = [
    "COOKIE",
    "Problem",
    "cursor_of",
    "json_response",
    "limit_of",
    "number_of",
    "problem_response",
    "read_body",
    "require_own_page",
    "token_of",
]

COOKIE = "wayside_token"
_WORTH_COMPRESSING = 2048
_FINISHED_BYTES = 16 << 20
_FINISHED_SECONDS = 5
_LEAVES_BODY = {408, 413}
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Problem(WaysideError):
    """An answer that is not what was asked for.

    Args:
        status: The HTTP status.
        message: What is wrong.
        retry_after: Seconds after which to try again, or 0.
    """

    def __init__(
        self, status: int, message: str, *, code: str = "", hint: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(message, code=code or f"http-{status}", hint=hint)
        self.status = status
        self.retry_after = retry_after


def problem_response(problem: Problem) -> Response:
    """Return a problem as `application/problem+json`."""
    body = {"type": "about:blank", "status": problem.status, "code": problem.code, "title": problem.message}
    if problem.hint:
        body["detail"] = problem.hint
    headers = {}
    if problem.retry_after:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status in _LEAVES_BODY:
        # The rest of the body is not wanted, and nobody should have to read it.
        headers["Connection"] = "close"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")


def json_response(request: Request, content: Any) -> Response:
    """Return JSON, compressed where it is long and the client can read that."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if len(body) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", "").lower():
        body, headers["Content-Encoding"] = gzip.compress(body, 4, mtime=0), "gzip"
    return Response(body, headers=headers, media_type="application/json")


async def read_body(request: Request, limit: int) -> bytes:
    """Return a request's body.

    Raises:
        Problem: It is larger than `limit` bytes; the rest is not kept.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        await _let_finish(request, int(declared))
        raise Problem(413, f"expected a body of at most {limit} bytes, found {declared}", code="too-large")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            parts.clear()
            await _let_finish(request, size)
            raise Problem(413, f"expected a body of at most {limit} bytes, found more", code="too-large")
        parts.append(part)
    return b"".join(parts)


async def _let_finish(request: Request, size: int) -> None:
    """Read and forget what a client still sends, within bounds.

    Whoever is cut off while sending may never see the answer, and would send the same again. A client that
    waits to be told to go on (`Expect: 100-continue`) has sent nothing, and one with too much is cut off.
    """
    if size > _FINISHED_BYTES or "100-continue" in request.headers.get("expect", "").lower():
        return
    left = _FINISHED_BYTES
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_FINISHED_SECONDS):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return


def token_of(request: Request) -> str:
    """Return the token that a request bears, or "".

    A cookie counts for a change only from the hub's own pages: a browser sends it along whoever asks.

    Raises:
        Problem: A page of another origin asks for a change.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    cookie = request.cookies.get(COOKIE, "")
    if cookie and request.method not in _SAFE:
        require_own_page(request)
    return cookie


def require_own_page(request: Request) -> None:
    """Refuse what another site's page sends.

    A browser says by `Sec-Fetch-Site` who asks, and older ones by `Origin`; no page can change either. The
    scheme is not compared, as a proxy before the hub may speak TLS.

    Raises:
        Problem: It is from elsewhere, or nothing says where from.
    """
    asks = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "").partition("://")[2]
    told = origin != "" and origin == request.headers.get("host")
    if not (told if asks is None else asks == "same-origin"):
        raise Problem(403, "expected a request from the hub's own pages, found another origin", code="origin")


def allow(row: TokenRow | None, *, role: str, site: str = "") -> None:
    """Let somebody do something.

    Args:
        row: Whose token the request bears, or None.
        role: What is needed: `report` as `site`, `read` or `write`.
        site: The site that is reported for.

    Raises:
        Problem: They may not.
    """
    if row is None:
        raise Problem(401, "expected a token that is valid, found none", code="unauthenticated")
    if role == "report":
        if row.role != "report" or row.subject != site:
            raise Problem(403, f"expected the token of the site {site}, found another", code="another-site")
    elif row.role not in {"write", role}:
        raise Problem(
            403, f"expected an operator's token with the role {role}, found {row.role}", code="forbidden"
        )


def limit_of(request: Request, *, most: int = 1000, usual: int = 100) -> int:
    """Return the query parameter `limit`.

    Raises:
        Problem: It is no number between 1 and `most`.
    """
    text = request.query_params.get("limit", str(usual))
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= most:
        raise Problem(400, f"expected a limit from 1 to {most}", code="bad-limit")
    return int(text)


def cursor_of(value: Any) -> str:
    """Return a cursor that stands for a place in a list; nobody should read anything into it."""
    return base64.urlsafe_b64encode(str(value).encode()).decode().rstrip("=")


def place_of(request: Request) -> str:
    """Return what the query parameter `cursor` stands for, or "".

    Raises:
        Problem: It is no cursor.
    """
    text = request.query_params.get("cursor", "")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Problem(400, "expected a cursor from an earlier answer", code="bad-cursor") from None


def number_of(text: str) -> int:
    """Return the number that a cursor stands for, or 0 for "".

    Raises:
        Problem: It is none.
    """
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(400, "expected a cursor from an earlier answer", code="bad-cursor")
    return int(text)
