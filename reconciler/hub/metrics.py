"""The hub's figures, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from reconciler.model.metric import MetricFamily, families

__all__ = ["HUB_METRICS", "Metrics"]

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Every figure of the hub.
HUB_METRICS = families(
    MetricFamily(
        "wayside_hub_batches_total",
        "counter",
        "Batches of events by what became of them.",
        {"result": "`stored`, `gap`, `conflict`, `refused`, `busy`, `slow` or `failed`"},
    ),
    MetricFamily("wayside_hub_events_total", "counter", "Events that were stored.", {}),
    MetricFamily("wayside_hub_repeated_events_total", "counter", "Events that were stored already.", {}),
    MetricFamily(
        "wayside_hub_received_bytes_total", "counter", "Bytes of batches as they came, compressed.", {}
    ),
    MetricFamily(
        "wayside_hub_failed_prunes_total", "counter", "Times that old events could not be removed.", {}
    ),
    MetricFamily(
        "wayside_hub_webhooks_total",
        "counter",
        "Messages to webhooks by what became of them.",
        {"result": "`taken` or `failed`"},
    ),
    MetricFamily("wayside_hub_sites", "gauge", "Sites by state.", {"state": "the state of a site"}),
    MetricFamily("wayside_hub_waiting_bytes", "gauge", "Bytes of batches that wait.", {}),
    MetricFamily("wayside_hub_listeners", "gauge", "Pages that listen.", {}),
    MetricFamily(
        "wayside_hub_ingest_seconds",
        "histogram",
        "How long batches took, from the first byte to the answer.",
        {},
    ),
)


class Metrics:
    """Counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], float] = {}
        self._seconds: dict[float, int] = {}
        self._sum = 0.0

    def add(self, name: str, amount: float = 1, *, label: str = "") -> None:
        """Count something; `label` is a label in Prometheus' syntax, such as `result="stored"`."""
        _family(name, label)
        with self._lock:
            self._counts[name, label] = self._counts.get((name, label), 0.0) + amount

    def observe(self, seconds: float) -> None:
        """Record how long a batch took, from its first byte to the answer."""
        with self._lock:
            slot = next((bound for bound in _BOUNDS if seconds <= bound), float("inf"))
            self._seconds[slot] = self._seconds.get(slot, 0) + 1
            self._sum += seconds

    def text(self, gauges: Iterable[tuple[str, str, float]]) -> str:
        """Return everything; gauges are (name, label, value)."""
        lines: list[str] = []
        with self._lock:
            counts = sorted(self._counts.items())
            seconds, total = dict(self._seconds), self._sum
        said = set()
        for name, label, value in (*((*key, value) for key, value in counts), *gauges):
            family = _family(name, label)
            if name not in said:
                lines += family.header()
                said.add(name)
            lines.append(f"{name}{f'{{{label}}}' if label else ''} {value:g}")
        name = "wayside_hub_ingest_seconds"
        lines += HUB_METRICS[name].header()
        below = 0
        for bound in (*_BOUNDS, float("inf")):
            below += seconds.get(bound, 0)
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{name}_bucket{{le="{shown}"}} {below}')
        lines += [f"{name}_sum {total:g}", f"{name}_count {below}"]
        return "\n".join(lines) + "\n"


def _family(name: str, label: str) -> MetricFamily:
    """Return what is declared of a figure.

    Raises:
        KeyError: Nothing is, so that it would not be documented.
        ValueError: It is declared with other labels.
    """
    family = HUB_METRICS[name]
    family.check([label.partition("=")[0]] if label else [])
    return family
