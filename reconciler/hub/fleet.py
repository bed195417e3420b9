"""What is known of all sites, in memory: changed by the thread that writes, read by all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from reconciler.model.site_record import SiteRecord
from reconciler.ports.hub_store import RevisionRow

__all__ = ["Fleet"]

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Fleet:
    """What is known of all sites.

    Readers need no lock: a value is replaced and never changed, and a mapping that gets another size is
    replaced as a whole, so that whoever goes through it goes through the one before.

    Attributes:
        records: Each site, also one that has a token and never reported.
        epochs: For each site and epoch the highest number that is stored without gaps.
        revisions: Every commit that a site has looked at.
        newest: The number of the newest event.
    """

    records: Mapping[str, SiteRecord] = field(default_factory=dict)
    epochs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    revisions: Mapping[str, RevisionRow] = field(default_factory=dict)
    newest: int = 0

    def take(
        self,
        records: Mapping[str, SiteRecord],
        epochs: Mapping[str, Mapping[str, int]],
        revisions: Mapping[str, RevisionRow],
        newest: int,
    ) -> None:
        """Take over what is durable now."""
        self.records = _with(self.records, records)
        self.epochs = _with(self.epochs, epochs)
        self.revisions = _with(self.revisions, revisions)
        self.newest = max(newest, self.newest)

    def expect(self, names: Iterable[str]) -> list[str]:
        """Know sites that may never have reported, and return those that are new."""
        fresh = [name for name in names if name not in self.records]
        if fresh:
            self.records = {**self.records, **{name: SiteRecord(name) for name in fresh}}
        return fresh

    def drop(self, name: str) -> None:
        """Forget a site."""
        self.records = {known: record for known, record in self.records.items() if known != name}
        self.epochs = {known: epochs for known, epochs in self.epochs.items() if known != name}


def _with(known: Mapping[str, _Value], new: Mapping[str, _Value]) -> Mapping[str, _Value]:
    """Return a mapping with values replaced: the same one where it keeps its size."""
    if isinstance(known, dict) and new.keys() <= known.keys():
        known.update(new)
        return known
    return {**known, **new}
