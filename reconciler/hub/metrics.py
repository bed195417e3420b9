"""The hub's figures, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Iterable

__all__ = ["Metrics"]

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_HELP = {
    "wayside_hub_batches_total": "Batches of events by what became of them.",
    "wayside_hub_events_total": "Events that were stored.",
    "wayside_hub_repeated_events_total": "Events that were stored already.",
    "wayside_hub_received_bytes_total": "Bytes of batches as they came, compressed.",
    "wayside_hub_failed_prunes_total": "Times that old events could not be removed.",
    "wayside_hub_webhooks_total": "Messages to webhooks by what became of them.",
}


class Metrics:
    """Counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], float] = {}
        self._seconds: dict[float, int] = {}
        self._sum = 0.0

    def add(self, name: str, amount: float = 1, *, label: str = "") -> None:
        """Count something; `label` is a label in Prometheus' syntax, such as `result="stored"`."""
        with self._lock:
            self._counts[name, label] = self._counts.get((name, label), 0.0) + amount

    def observe(self, seconds: float) -> None:
        """Record how long a batch took, from its first byte to the answer."""
        with self._lock:
            slot = next((bound for bound in _BOUNDS if seconds <= bound), float("inf"))
            self._seconds[slot] = self._seconds.get(slot, 0) + 1
            self._sum += seconds

    def text(self, gauges: Iterable[tuple[str, str, str, float]]) -> str:
        """Return everything; gauges are (name, help, label, value)."""
        lines: list[str] = []
        with self._lock:
            counts = sorted(self._counts.items())
            seconds, total = dict(self._seconds), self._sum
        said = set()
        for (name, label), value in counts:
            if name not in said:
                lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} counter"]
                said.add(name)
            lines.append(f"{name}{f'{{{label}}}' if label else ''} {value:g}")
        for name, help_, label, value in gauges:
            if name not in said:
                lines += [f"# HELP {name} {help_}", f"# TYPE {name} gauge"]
                said.add(name)
            lines.append(f"{name}{f'{{{label}}}' if label else ''} {value:g}")
        name = "wayside_hub_ingest_seconds"
        lines += [f"# HELP {name} How long batches took.", f"# TYPE {name} histogram"]
        below = 0
        for bound in (*_BOUNDS, float("inf")):
            below += seconds.get(bound, 0)
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{name}_bucket{{le="{shown}"}} {below}')
        lines += [f"{name}_sum {total:g}", f"{name}_count {below}"]
        return "\n".join(lines) + "\n"
