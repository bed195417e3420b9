"""How the agent's process is: alive, ready, and what it counted; read by another thread than writes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from reconciler import __version__
from reconciler.agent.status import SiteStatus
from reconciler.model.link_use import LinkUse
from reconciler.model.metric import MetricFamily, families

__all__ = ["AGENT_METRICS", "Vitals"]

_STATES = ("Ready", "Progressing", "Degraded", "RolledBack", "Held", "Suspended", "OutOfSync", "Unknown")
#: Every figure of the agent.
AGENT_METRICS = families(
    MetricFamily(
        "wayside_syncs_total",
        "counter",
        "Looks at the repository, by how they ended.",
        {"result": "`fine`, `refused`, `failed` or `unreachable`"},
    ),
    MetricFamily("wayside_sync_seconds_sum", "counter", "Time that looks at the repository took.", {}),
    MetricFamily("wayside_sync_seconds_count", "counter", "How many looks that were.", {}),
    MetricFamily(
        "wayside_events_total",
        "counter",
        "What the agent reported, by type.",
        {"type": "the event's type, as in [events](events.md)"},
    ),
    MetricFamily(
        "wayside_api_requests_total",
        "counter",
        "Requests to the cluster, by method and HTTP status.",
        {"method": "the HTTP method, or `WATCH`", "status": "the HTTP status, or 0 where no answer came"},
    ),
    MetricFamily(
        "wayside_unexpected_failures_total", "counter", "Faults that the agent has no name for.", {}
    ),
    MetricFamily(
        "wayside_site_state",
        "gauge",
        "1 for the state that the site is in.",
        {"state": ", ".join(f"`{state}`" for state in _STATES)},
    ),
    MetricFamily(
        "wayside_fault",
        "gauge",
        "1 for what does not work for the time being.",
        {"name": "`source`, `target` or `drift`"},
    ),
    MetricFamily("wayside_outbox_events", "gauge", "Events that wait to be delivered.", {}),
    MetricFamily(
        "wayside_report_bytes_total",
        "counter",
        "What reports cost the link, with TLS and HTTP where the system tells.",
        {"direction": "`sent` or `received`"},
    ),
    MetricFamily("wayside_reports_total", "counter", "How often reports were sent.", {}),
    MetricFamily("wayside_last_applied_timestamp_seconds", "gauge", "When a revision was applied last.", {}),
    MetricFamily("wayside_build_info", "gauge", "The agent's version.", {"version": "of Wayside"}),
)


class Vitals:
    """What probes and scrapes ask about.

    Args:
        monotonic: The time.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._deadline = monotonic() + 600.0
        self.ready = False
        #: Gives the counts of the connection to the cluster; replaced with the connection.
        self.answers: Callable[[], Mapping[tuple[str, int], int]] = dict
        #: What reports cost so far; None where they go nowhere.
        self.use: LinkUse | None = None

    def expect(self, seconds: float) -> None:
        """Say that the next sign of life comes within this time; what comes later means a hang."""
        self._deadline = self._monotonic() + seconds

    @property
    def alive(self) -> bool:
        """Whether the sign of life that was promised has come, or still has time."""
        return self._monotonic() < self._deadline

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count something.

        Raises:
            KeyError: It is not declared in `AGENT_METRICS`.
            ValueError: It is declared with other labels.
        """
        AGENT_METRICS[name].check(labels)
        with self._lock:
            key = (name, tuple(sorted(labels.items())))
            self._counts[key] = self._counts.get(key, 0.0) + amount

    def exposition(self, status: SiteStatus | None, applied_at: float | None) -> str:
        """Return all figures in Prometheus' text format.

        Args:
            status: How the site is, or None where that cannot be read.
            applied_at: Unix time of the last apply, or None.
        """
        with self._lock:
            counts = dict(self._counts)
        rows: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for (name, labels), value in counts.items():
            rows.setdefault(name, []).append((dict(labels), value))
        for (method, code), number in self.answers().items():
            labels_of = {"method": method, "status": str(code)}
            rows.setdefault("wayside_api_requests_total", []).append((labels_of, number))
        if self.use is not None:
            moved = (("sent", self.use.sent), ("received", self.use.received))
            rows["wayside_report_bytes_total"] = [({"direction": name}, number) for name, number in moved]
            rows["wayside_reports_total"] = [({}, self.use.requests)]
        rows["wayside_build_info"] = [({"version": __version__}, 1)]
        if status is not None:
            rows["wayside_site_state"] = [
                ({"state": state}, 1 if state == status.state else 0) for state in _STATES
            ]
            rows["wayside_outbox_events"] = [({}, status.pending)]
            rows["wayside_fault"] = [({"name": name}, 1) for name in status.faults]
        if applied_at is not None:
            rows["wayside_last_applied_timestamp_seconds"] = [({}, applied_at)]
        return "".join(_family(name, rows[name]) for name in AGENT_METRICS if rows.get(name))


def _family(name: str, rows: Iterable[tuple[Mapping[str, str], float]]) -> str:
    family = AGENT_METRICS[name]
    lines = family.header()
    for labels, value in sorted(rows, key=lambda row: sorted(row[0].items())):
        family.check(labels)
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in sorted(labels.items()))
        lines.append(f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
