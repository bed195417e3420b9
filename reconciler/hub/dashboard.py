"""The pages of the hub: a few files that need no build and nothing from the internet."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reconciler.hub.core import Core
from reconciler.hub.http import COOKIE, Problem, read_body, require_own_page

__all__ = ["Dashboard"]

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_WEEK = 7 * 86400


class Dashboard:
    """Serves the pages, and remembers in a cookie who looks.

    Args:
        core: The hub.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        folder = resources.files("reconciler.hub") / "static"
        self._files = {
            file.name: file.read_bytes()
            for file in folder.iterdir()
            if file.name.rpartition(".")[2] in _TYPES
        }
        self._packed = {name: gzip.compress(content, 9, mtime=0) for name, content in self._files.items()}
        self._tags = {
            name: f'"{hashlib.sha256(content).hexdigest()[:16]}"' for name, content in self._files.items()
        }

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/login", self._login_page, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name}", self._static, methods=["GET"]),
        ]

    async def _index(self, request: Request) -> Response:
        row = self._core.guard.recognise(request.cookies.get(COOKIE, ""))
        if row is None or row.kind != "operator":
            return RedirectResponse("/login", 303)
        return self._file(request, "index.html")

    async def _login_page(self, request: Request) -> Response:
        return self._file(request, "login.html")

    async def _login(self, request: Request) -> Response:
        require_own_page(request)
        form = parse_qs((await read_body(request, 4096)).decode("utf-8", "replace"), max_num_fields=5)
        token = form.get("token", [""])[0].strip()
        row = self._core.guard.recognise(token)
        if row is None or row.kind != "operator":
            return RedirectResponse("/login#wrong", 303)
        answer = RedirectResponse("/", 303)
        # A proxy may speak TLS for the hub: what the browser used is in what it says of itself.
        secure = "https" in {request.url.scheme, request.headers.get("origin", "").partition(":")[0]}
        answer.set_cookie(COOKIE, token, max_age=_WEEK, httponly=True, samesite="strict", secure=secure)
        return answer

    async def _logout(self, request: Request) -> Response:
        require_own_page(request)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def _static(self, request: Request) -> Response:
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        content = self._files.get(name)
        if content is None:
            raise Problem(404, "there is nothing here", code="not-found")
        headers = {"ETag": self._tags[name], "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self._tags[name]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", "").lower():
            content, headers["Content-Encoding"] = self._packed[name], "gzip"
        return Response(content, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])
