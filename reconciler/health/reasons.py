"""Why a workload does not come up, in a line for people, from its pods and from what was said of them.

For example `CrashLoopBackOff: exit 137, OOMKilled, limit 64Mi (container web of pod web-7d9f)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.health.conditions import condition, section
from reconciler.model.resource import Manifest

__all__ = ["event_reason", "pod_reason"]

_LONGEST = 300


def pod_reason(pods: Sequence[Manifest]) -> str:
    """Return the worst reason of some pods, or "" where they tell none."""
    found = [(rank, text) for pod in pods for rank, text in _reasons(pod)]
    return min(found, default=(0, ""))[1]


def event_reason(events: Iterable[Manifest]) -> str:
    """Return the newest warning among the Events of an object, or ""."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    if not warnings:
        return ""
    newest = max(warnings, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return _cut(f"{newest.get('reason')}: {newest.get('message')}")


def _reasons(pod: Manifest) -> Iterable[tuple[int, str]]:
    """Yield what holds a pod back, with how telling it is; the lowest tells most."""
    name = str((pod.get("metadata") or {}).get("name") or "")
    status = section(pod, "status")
    limits = _memory_limits(section(pod, "spec"))
    for row in (*_rows(status, "initContainerStatuses"), *_rows(status, "containerStatuses")):
        container = str(row.get("name") or "")
        place = f" (container {container} of pod {name})"
        ended = _ended(row)
        waiting = section(section(row, "state"), "waiting")
        reason = str(waiting.get("reason") or "")
        if ended:
            told = [f"exit {ended.get('exitCode')}"]
            if ended.get("reason") and ended["reason"] != "Error":
                told.append(str(ended["reason"]))
            if ended.get("reason") == "OOMKilled" and container in limits:
                told.append(f"limit {limits[container]}")
            if message := str(ended.get("message") or "").strip():
                told.append(_cut(message.splitlines()[-1]))
            yield 0, f"{reason or 'Terminated'}: {', '.join(told)}{place}"
        elif reason and reason not in ("ContainerCreating", "PodInitializing"):
            message = _cut(str(waiting.get("message") or ""))
            yield 1, f"{reason}: {message}{place}" if message else f"{reason}{place}"
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        yield 2, _cut(f"{scheduled.get('reason')}: {scheduled.get('message')}") + f" (pod {name})"
    if status.get("phase") == "Failed":
        yield 1, _cut(f"{status.get('reason') or 'Failed'}: {status.get('message') or ''}") + f" (pod {name})"
    ready = condition(pod, "ContainersReady")
    if status.get("phase") == "Running" and ready and ready.get("status") == "False":
        yield 3, _cut(f"{ready.get('reason')}: {ready.get('message')}") + f" (pod {name})"


def _rows(status: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = status.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _ended(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how a container ended badly, now or the last time."""
    for place in ("state", "lastState"):
        ended = section(section(row, place), "terminated")
        if ended.get("exitCode"):
            return ended
    return {}


def _memory_limits(spec: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in ("initContainers", "containers"):
        for container in _rows(spec, key):
            limit = section(section(container, "resources"), "limits").get("memory")
            if limit is not None:
                found[str(container.get("name"))] = str(limit)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
