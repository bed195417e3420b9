"""Tokens: who may report as which site, and who may look or change things."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping

from reconciler.ports.hub_store import HubStore, TokenRow

__all__ = ["Guard", "mint"]

_TOKEN = re.compile(r"wst_([0-9a-f]{12})_([0-9A-Za-z_-]{43})")
#: Seconds for which a token that was taken back by another process may still count.
_PATIENCE = 30.0
_MOST_UNKNOWN = 100_000


def mint(*, kind: str, subject: str, role: str, now: float, days: float = 0.0) -> tuple[str, TokenRow]:
    """Make a token.

    Args:
        kind: `site` or `operator`.
        subject: The site's name, or whose token it is.
        role: `report`, `read` or `write`.
        now: Seconds since 1970.
        days: After how many it expires; 0 for never.

    Returns:
        The token, which is shown once, and what is kept of it.
    """
    id_ = secrets.token_hex(6)
    secret = secrets.token_urlsafe(32)
    row = TokenRow(
        id=id_,
        kind=kind,
        subject=subject,
        role=role,
        digest=_digest(secret),
        created=now,
        expires=now + days * 86400 if days else 0.0,
    )
    return f"wst_{id_}_{secret}", row


class Guard:
    """Knows tokens; one that was made meanwhile by another process is found too.

    Args:
        store: Where tokens are kept.
        expect: Told the sites that have tokens, whenever they are read.
    """

    def __init__(
        self, store: HubStore, *, expect: Callable[[Collection[str]], None] = lambda _: None
    ) -> None:
        self._store = store
        self._expect = expect
        self._known: Mapping[str, TokenRow] = {}
        self._unknown: set[str] = set()
        self._looked = 0.0
        self.reload()

    def reload(self) -> None:
        """Read all tokens anew."""
        self._known = {row.id: row for row in self._store.tokens()}
        self._unknown.clear()
        self._looked = time.monotonic()
        self._expect({row.subject for row in self._known.values() if row.kind == "site"})

    def recognise(self, token: str) -> TokenRow | None:
        """Return whose token it is, or None where it is nobody's or has expired."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        row = self._known.get(parts[1])
        if time.monotonic() - self._looked > _PATIENCE:
            # A token may have been taken back by `wayside hub token` beside this process ...
            self.reload()
            row = self._known.get(parts[1])
        if row is None and parts[1] not in self._unknown:
            # ... or made by it. Whoever guesses costs one look at the database for each guess, and no more.
            row = self._store.token(parts[1])
            if row is not None:
                self._known = {**self._known, row.id: row}
            elif len(self._unknown) < _MOST_UNKNOWN:
                self._unknown.add(parts[1])
        if row is None or not hmac.compare_digest(row.digest, _digest(parts[2])):
            return None
        if row.expires and row.expires < time.time():
            return None
        return row


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
