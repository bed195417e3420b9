"""Whatever happens to batches on their way, each event counts once, in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.hub.ingest import SAME_NUMBER, TWO_AGENTS, Absorption, Trouble, absorb
from reconciler.model.event import Event, EventType, Receipt
from reconciler.model.site_record import SiteRecord
from reconciler.model.site_state import SiteState, worst
from tests.hub.events import COMMIT, applied, event

pytestmark = pytest.mark.slow


class Site:
    """What a hub has of one site."""

    def __init__(self) -> None:
        self.record = SiteRecord("a")
        self.epochs: dict[str, int] = {}
        self.stored: list[Event] = []

    def take(self, *batch: Event, received: float = 1000.0) -> Absorption:
        kept = {item.sequence: item for item in self.stored if item.epoch == batch[0].epoch}
        answer = absorb(self.record, batch, epochs=self.epochs, stored=kept, received=received)
        self.record = answer.record
        self.stored += answer.new
        if answer.new:
            self.epochs[batch[0].epoch] = answer.receipt.acknowledged
        return answer


def test_a_batch_is_stored_and_acknowledged() -> None:
    site = Site()
    answer = site.take(event(1), event(2))
    assert (answer.trouble, answer.receipt) == (Trouble.NONE, Receipt("e1", 2))
    assert site.record.last_seen == 1000.0


def test_a_batch_that_comes_again_is_acknowledged_and_not_stored() -> None:
    site = Site()
    site.take(event(1), event(2))
    answer = site.take(event(1), event(2), event(3))
    assert (answer.repeated, [item.sequence for item in answer.new]) == (2, [3])
    assert answer.receipt == Receipt("e1", 3)
    assert site.record.events == 3


def test_a_gap_is_not_stored_and_asks_for_what_is_missing() -> None:
    site = Site()
    site.take(event(1))
    answer = site.take(event(3))
    assert (answer.trouble, answer.receipt, answer.new) == (Trouble.GAP, Receipt("e1", 1), ())
    assert site.take(event(2), event(3)).receipt == Receipt("e1", 3)


def test_an_epoch_that_does_not_begin_at_one_is_a_gap() -> None:
    assert Site().take(event(5)).receipt == Receipt("e1", 0)


def test_a_new_epoch_takes_over() -> None:
    site = Site()
    site.take(event(1), event(2))
    answer = site.take(event(1, epoch="e2"))
    assert (answer.receipt, site.record.epoch, site.record.conflict) == (Receipt("e2", 1), "e2", "")


def test_an_epoch_that_was_given_up_and_goes_on_shows_two_agents() -> None:
    site = Site()
    site.take(event(1, state="Ready"))
    site.take(event(1, epoch="e2", state="Degraded"))
    answer = site.take(event(2, state="Ready"))
    assert answer.trouble is Trouble.NONE
    assert site.record.conflict == TWO_AGENTS
    assert (site.record.epoch, site.record.state) == ("e2", "Degraded")
    assert len(site.stored) == 3


def test_two_events_with_one_number_are_refused() -> None:
    site = Site()
    site.take(event(1, state="Ready"))
    answer = site.take(event(1, state="Degraded"), event(2))
    assert (answer.trouble, answer.receipt, answer.new) == (Trouble.CONFLICT, Receipt("e1", 1), ())
    assert site.record.conflict == SAME_NUMBER
    assert site.record.state == "Ready"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_loss_doubling_reordering_and_restarts_lose_and_double_nothing(data: st.DataObject) -> None:
    """A sender that follows receipts gets everything across, however often a batch is lost or comes twice."""
    site = Site()
    made: list[Event] = []
    waiting: list[Event] = []
    epoch, number, renewals = "e0", 0, 0
    delayed: list[tuple[Event, ...]] = []
    for _ in range(data.draw(st.integers(1, 25))):
        match data.draw(st.sampled_from(["make", "make", "send", "lose", "answer lost", "late", "renew"])):
            case "make":
                number += 1
                made.append(event(number, epoch=epoch, n=len(made)))
                waiting.append(made[-1])
            case "send" if waiting:
                receipt = site.take(*waiting[: data.draw(st.integers(1, 4))]).receipt
                waiting = [item for item in waiting if item.sequence > receipt.acknowledged]
            case "answer lost" if waiting:
                site.take(*waiting[: data.draw(st.integers(1, 4))])
            case "lose" if waiting:
                delayed.append(tuple(waiting))
            case "late" if delayed:
                site.take(*delayed.pop(data.draw(st.integers(0, len(delayed) - 1))))
            case "renew":
                # The disk was restored: what waits is numbered anew, and counts as made anew.
                renewals += 1
                gone = {id(item) for item in waiting}
                made = [item for item in made if id(item) not in gone or item in site.stored]
                epoch, number = f"e{renewals}", len(waiting)
                waiting = [
                    replace(item, epoch=epoch, sequence=place) for place, item in enumerate(waiting, start=1)
                ]
                made += waiting
                delayed.clear()
            case _:
                pass
    while waiting:
        receipt = site.take(*waiting).receipt
        waiting = [item for item in waiting if item.sequence > receipt.acknowledged]
    keys = [(item.epoch, item.sequence) for item in site.stored]
    assert len(keys) == len(set(keys))
    assert {(item.epoch, item.sequence): item.data["n"] for item in made}.items() <= {
        (item.epoch, item.sequence): item.data["n"] for item in site.stored
    }.items()
    for known in site.epochs:
        numbers = [item.sequence for item in site.stored if item.epoch == known]
        assert numbers == list(range(1, len(numbers) + 1))


STATES = [
    (event(1, EventType.AGENT_STARTED, version="0.1"), "Unknown", "Started"),
    (event(1, state="Ready", reason="Applied"), "Ready", "Applied"),
    (event(1, EventType.SYNC_DENIED, commit=COMMIT, reasons=[{"message": "no arm64"}]), "Held", "Denied"),
    (
        event(1, EventType.SYNC_HELD, commit=COMMIT, code="prune-guarded", holds=[{"message": "m"}]),
        "Held",
        "prune-guarded",
    ),
    (event(1, EventType.SYNC_FAILED, commit=COMMIT, code="refused", message="m"), "Degraded", "refused"),
    (event(1, EventType.SYNC_ROLLED_BACK, commit=COMMIT, code="unhealthy"), "RolledBack", "unhealthy"),
    (event(1, EventType.SITE_SUSPENDED, commit=COMMIT), "Suspended", "Suspended"),
]


@pytest.mark.parametrize(("one", "state", "reason"), STATES, ids=[item[0].type for item in STATES])
def test_an_event_tells_the_state(one: Event, state: str, reason: str) -> None:
    site = Site()
    site.take(one)
    assert (site.record.state, site.record.reason) == (state, reason)


def test_a_silent_site_is_offline_and_never_healthy() -> None:
    site = Site()
    assert site.record.shown_state(0.0) is SiteState.UNKNOWN
    site.take(applied(1, state="Ready", reason="Applied", heartbeatInterval=60), received=1000.0)
    assert site.record.shown_state(1180.0) is SiteState.READY
    assert site.record.shown_state(1180.1) is SiteState.OFFLINE
    assert site.record.state == "Ready"


def test_no_event_can_say_that_a_site_is_offline() -> None:
    site = Site()
    site.take(event(1, state="Offline"))
    assert site.record.state == "Unknown"


def test_the_worst_state_stands_for_a_group() -> None:
    assert worst([SiteState.READY, SiteState.OFFLINE, SiteState.HELD]) is SiteState.OFFLINE
    assert worst([]) is SiteState.UNKNOWN


HOSTILE: dict[str, Any] = {
    "numbers for texts": {
        "state": 1,
        "reason": 2,
        "labels": 3,
        "faults": 4,
        "link": 5,
        "heartbeatInterval": "x",
    },
    "texts for numbers": {"resources": "many", "dropped": "all", "link": {"sent": "lots"}, "commit": 7},
    "lists of anything": {
        "reasons": [1, None, []],
        "holds": {},
        "failures": "x",
        "changes": [[]],
        "labels": [],
    },
    "huge": {"labels": {f"k{n}": "v" * 5000 for n in range(1000)}, "heartbeatInterval": 1e300},
    "negative": {"heartbeatInterval": -1, "resources": -1, "link": {"sent": -1}},
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("type_", list(EventType), ids=lambda type_: type_.value)
def test_data_of_a_wrong_kind_is_left_out(type_: EventType, data: dict[str, Any]) -> None:
    site = Site()
    site.take(event(1, type_, **data))
    record = site.record
    assert record.heartbeat == 300.0
    assert record.resources >= 0
    assert len(record.labels) <= 200
    assert all(len(value) <= 1000 for value in record.labels.values())
