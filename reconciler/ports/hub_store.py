"""What the hub keeps, as a protocol; the adapters are SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.model.event import Event
from reconciler.model.site_record import SiteRecord

__all__ = ["HubStore", "Known", "RevisionRow", "StoredEvent", "TokenRow", "WebhookRow", "Write"]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept.

    Attributes:
        number: Its place in the order in which the hub stored events of all sites, from 1.
        event: The event.
        received: Seconds since 1970, by the hub's clock.
    """

    number: int
    event: Event
    received: float


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token; its secret is kept as a digest only.

    Attributes:
        id: Its public part.
        kind: `site` or `operator`.
        subject: The site's name, or whose token it is.
        role: `report` for sites, `read` or `write` for operators.
        digest: SHA-256 of the secret, in hex.
        created: Seconds since 1970.
        expires: Seconds since 1970, or 0 for never.
    """

    id: str
    kind: str
    subject: str
    role: str
    digest: str
    created: float
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """Where news is sent.

    Attributes:
        id: Its name.
        url: Where to.
        secret: Signs what is sent (HMAC-SHA-256).
        types: Types of events that are sent; empty for all.
        sent: The number of the last event that was looked at.
        trouble: Why the last message was not taken, or "".
    """

    id: str
    url: str
    secret: str
    types: tuple[str, ...] = ()
    sent: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A commit that some site has looked at.

    Attributes:
        commit: Its id.
        subject: First line of its message.
        first_seen: Seconds since 1970 at which the first site looked at it.
    """

    commit: str
    subject: str
    first_seen: float


@dataclass(frozen=True, slots=True)
class Write:
    """What one batch changes.

    Attributes:
        record: The site afterwards.
        epoch: The batch's epoch.
        acknowledged: The epoch's highest number afterwards.
        new: Events to store.
        received: Seconds since 1970.
    """

    record: SiteRecord
    epoch: str
    acknowledged: int
    new: Sequence[Event]
    received: float


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that is held in memory, as it was stored."""

    records: Mapping[str, SiteRecord]
    epochs: Mapping[str, Mapping[str, int]]
    revisions: Mapping[str, RevisionRow]
    newest: int


class HubStore(Protocol):
    """Keeps what sites report. Methods raise `StateError` where the database cannot be used.

    `write` and `prune` are called by one thread only; the others by any.
    """

    def load(self) -> Known:
        """Return what is held in memory."""

    def write(self, writes: Sequence[Write], revisions: Iterable[RevisionRow]) -> int:
        """Store all of it in one transaction, or nothing; return the number of the newest event."""

    def stored(self, site: str, epoch: str, first: int, last: int) -> Mapping[int, Event]:
        """Return the events of an epoch between two numbers, as far as they are kept."""

    def at(self, site: str, times: Sequence[str]) -> Sequence[Event]:
        """Return the events of a site that bear one of these times, as far as they are kept."""

    def events(
        self, *, after: int, before: int, site: str, types: Sequence[str], limit: int, newest_first: bool
    ) -> Sequence[StoredEvent]:
        """Return events with numbers between `after` and `before` (0 for no end), both exclusive."""

    def prune(self, before: float, limit: int) -> int:
        """Forget up to `limit` events that were received before a time, and return how many."""

    def remove_site(self, name: str) -> None:
        """Forget a site, its events and its tokens."""

    def tokens(self) -> Sequence[TokenRow]:
        """Return all tokens."""

    def token(self, id: str) -> TokenRow | None:  # noqa: A002 - the field's word
        """Return one token, or None."""

    def save_token(self, token: TokenRow) -> None:
        """Store a token."""

    def delete_token(self, id: str) -> bool:  # noqa: A002 - the field's word
        """Forget a token and tell whether there was one."""

    def webhooks(self) -> Sequence[WebhookRow]:
        """Return all webhooks."""

    def save_webhook(self, webhook: WebhookRow) -> None:
        """Store a webhook, or its progress."""

    def delete_webhook(self, id: str) -> bool:  # noqa: A002 - the field's word
        """Forget a webhook and tell whether there was one."""

    def backup(self, path: str) -> None:
        """Write a consistent copy to a file that is not there yet."""

    def describe(self) -> Mapping[str, Any]:
        """Return what kind of database it is, and its size in bytes."""

    def close(self) -> None:
        """Close it."""
