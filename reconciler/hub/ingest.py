"""What a batch does to a site: which events are new, and whether they can be true. No input or output."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.event import Event, Receipt
from reconciler.model.site_record import SiteRecord, fold

__all__ = ["Absorption", "Trouble", "absorb", "find_twins", "possible_twins"]

TWO_AGENTS = "an outbox that was given up reports again: two agents run as this site, or its disk was copied"
SAME_NUMBER = "two different events bear the same number: two agents run as this site, or its disk was copied"

#: So many epochs of a site are remembered in which events were told again; many disks were restored by then.
_MOST_TWINNED = 16


class Trouble(enum.Enum):
    """Why a batch was not simply taken."""

    NONE = "none"
    #: Events before it are missing; the receipt asks for them.
    GAP = "gap"
    #: It contradicts what was stored under the same numbers.
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Absorption:
    """What becomes of a batch.

    Attributes:
        record: What is known of the site afterwards.
        new: The events to store, in order.
        receipt: Up to which number the batch's epoch is stored without gaps afterwards.
        trouble: Why it was not simply taken.
        repeated: How many events were stored already.
    """

    record: SiteRecord
    new: Sequence[Event]
    receipt: Receipt
    trouble: Trouble = Trouble.NONE
    repeated: int = 0


def absorb(
    record: SiteRecord,
    batch: Sequence[Event],
    *,
    epochs: Mapping[str, int],
    stored: Mapping[int, Event],
    received: float,
    skew: float | None = None,
    twins: Collection[int] = (),
) -> Absorption:
    """Say what a batch does to a site.

    A batch can come twice, late, or from a copy of the site's disk. Every event is stored once, under its
    epoch and number; the site's state follows the newest epoch alone.

    Args:
        record: What is known of the site.
        batch: Events of one epoch, numbered without gaps; none where the site only says that it is alive.
        epochs: For every epoch of the site the highest number that is stored without gaps.
        stored: Events of this epoch that are stored under numbers of the batch, as far as they are kept.
        received: Seconds since 1970, by the hub's clock.
        skew: Seconds that the site's clock is ahead, where it was measured.
        twins: Numbers of events in the batch that are stored already under other numbers.
    """
    seen = dataclasses.replace(
        record,
        last_seen=max(received, record.last_seen),
        first_seen=record.first_seen or received,
        skew=record.skew if skew is None else round(skew, 1),
    )
    if not batch:
        # A quiet site is alive. What it is told lets it find out that the hub knows less than it should.
        return Absorption(seen, (), Receipt(record.epoch, record.acknowledged))
    epoch = batch[0].epoch
    known = epochs.get(epoch, 0)
    for event in batch:
        if event.sequence > known:
            break
        before = stored.get(event.sequence)
        if before != event and (
            before is not None or (event.sequence not in twins and epoch in record.twinned)
        ):
            return Absorption(
                dataclasses.replace(seen, conflict=SAME_NUMBER), (), Receipt(epoch, known), Trouble.CONFLICT
            )
    new = [event for event in batch if event.sequence > known]
    repeated = len(batch) - len(new)
    if not new:
        return Absorption(seen, (), Receipt(epoch, known), repeated=repeated)
    if new[0].sequence != known + 1:
        return Absorption(seen, (), Receipt(epoch, known), Trouble.GAP)
    acknowledged = new[-1].sequence
    seen = dataclasses.replace(seen, newest=max(seen.newest, *(event.time for event in new)))
    if any(event.sequence in twins for event in new) and epoch not in seen.twinned:
        seen = dataclasses.replace(seen, twinned=(*seen.twinned, epoch)[-_MOST_TWINNED:])
    new = [event for event in new if event.sequence not in twins]
    repeated = len(batch) - len(new)
    count = record.events + len(new)
    if epoch != record.epoch and epoch in epochs:
        # What only comes late is no sign of a second agent.
        seen = dataclasses.replace(seen, conflict=TWO_AGENTS if new else seen.conflict, events=count)
        return Absorption(seen, new, Receipt(epoch, acknowledged), repeated=repeated)
    folded = seen
    for event in new:
        folded = fold(folded, event)
    folded = dataclasses.replace(folded, epoch=epoch, acknowledged=acknowledged, events=count)
    return Absorption(folded, new, Receipt(epoch, acknowledged), repeated=repeated)


def possible_twins(
    record: SiteRecord, batch: Sequence[Event], *, epochs: Mapping[str, int], stored: Collection[int]
) -> Sequence[Event]:
    """Return the events of a batch that may be stored in other epochs already.

    An agent whose disk or hub is not the one that it was numbers anew what waits. An event that is stored
    already bears a time that is not later than that of every stored event. In an epoch that has had such
    twins, a number that is acknowledged and has no event was one.

    Args:
        record: What is known of the site.
        batch: Events of one epoch.
        epochs: For every epoch of the site the highest number that is stored without gaps.
        stored: Numbers of the batch under which an event of this epoch is stored.
    """
    if not batch:
        return ()
    known = epochs.get(batch[0].epoch, 0)
    elsewhere = bool(epochs.keys() - {batch[0].epoch})
    return [
        event
        for event in batch
        if (
            elsewhere and event.time <= record.newest
            if event.sequence > known
            else event.sequence not in stored and batch[0].epoch in record.twinned
        )
    ]


def find_twins(doubtful: Iterable[Event], stored: Iterable[Event]) -> frozenset[int]:
    """Return the numbers of events that say the same, of the same time, as a stored one of other numbers."""
    known = {_fingerprint(event): (event.epoch, event.sequence) for event in stored}
    return frozenset(
        event.sequence
        for event in doubtful
        if known.get(_fingerprint(event), (event.epoch, event.sequence)) != (event.epoch, event.sequence)
    )


def _fingerprint(event: Event) -> tuple[str, str, str]:
    return event.type, event.time, json.dumps(event.data, sort_keys=True)
