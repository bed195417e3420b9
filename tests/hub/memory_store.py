"""As much of a hub's database as taking batches needs, in memory; it can be copied."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence

from reconciler.hub.fleet import Fleet
from reconciler.model.event import Event
from reconciler.model.site_record import SiteRecord
from reconciler.ports.hub_store import RevisionRow, Write

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps events, records and epochs as the databases do."""

    def __init__(self) -> None:
        self.kept: list[Event] = []
        self.records: dict[str, SiteRecord] = {}
        self.epochs: dict[str, dict[str, int]] = {}

    def copy(self) -> MemoryStore:
        other = MemoryStore()
        other.kept = list(self.kept)
        other.records = dict(self.records)
        other.epochs = copy.deepcopy(self.epochs)
        return other

    def fleet(self) -> Fleet:
        """Return what a hub that starts holds in memory."""
        return Fleet(records=dict(self.records), epochs=copy.deepcopy(dict(self.epochs)))

    def write(self, writes: Sequence[Write], revisions: Iterable[RevisionRow]) -> int:
        del revisions
        for item in writes:
            taken = {(event.site, event.epoch, event.sequence) for event in self.kept}
            for event in item.new:
                assert (event.site, event.epoch, event.sequence) not in taken, "a number is stored twice"
            self.kept += item.new
            self.records[item.record.name] = item.record
            if item.acknowledged:
                self.epochs.setdefault(item.record.name, {})[item.epoch] = item.acknowledged
        return len(self.kept)

    def stored(self, site: str, epoch: str, first: int, last: int) -> Mapping[int, Event]:
        return {
            event.sequence: event
            for event in self.kept
            if (event.site, event.epoch) == (site, epoch) and first <= event.sequence <= last
        }

    def at(self, site: str, times: Sequence[str]) -> Sequence[Event]:
        return [event for event in self.kept if event.site == site and event.time in times]
