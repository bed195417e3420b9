"""A process that changes a site's state, reports each change, and sends reports, until it is killed.

Run as `python -m tests.hub.reporter STATE URL TOKEN_FILE [--drain]`; `--drain` only sends what waits.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from reconciler.adapters.hub_sink import HubSink
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.batching import BatchRules
from reconciler.agent.clock import SystemClock
from reconciler.agent.delivery import drain
from reconciler.model.event import EventType
from reconciler.ports.sink import SinkError

SITE = "a"


def main(state: str, url: str, token_file: str, *more: str) -> int:
    store = StateStore.open(Path(state), site=SITE, clock=SystemClock())
    sink = HubSink(url, token_file=token_file)
    rng = random.Random()  # noqa: S311 - any will do
    if more:
        drain(store, sink)
        return 0
    while True:
        for _ in range(rng.randint(1, 8)):
            with store.transaction() as tx:
                # The change and its report are stored together, or neither is.
                number = int(store.note("changes") or 0) + 1
                tx.set_note("changes", str(number))
                tx.emit(EventType.DRIFT_CORRECTED, {"n": number})
                tx.emit(EventType.AGENT_HEARTBEAT, {"state": "Ready", "message": str(number)})
        try:
            drain(store, sink, BatchRules(events=rng.randint(1, 20), size=1 << 20, age=0.0))
        except SinkError as err:
            sys.stderr.write(f"{err.code}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
