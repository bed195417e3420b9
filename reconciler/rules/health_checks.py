"""The fleet's own health checks, compiled: from an object to its health."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from reconciler.model.health_check import HealthCheck
from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest, split_api_version
from reconciler.rules.cel import CelCompileError, CelEvaluationError, Environment, Program

__all__ = ["HealthChecks", "compile_problems"]

_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status", "data", "object")
_STATUSES = (
    ("in_progress", HealthStatus.IN_PROGRESS),
    ("failed", HealthStatus.FAILED),
    ("current", HealthStatus.CURRENT),
)


class HealthChecks:
    """Judges objects of the kinds that checks are for.

    Args:
        checks: The fleet's checks.
        engine: The CEL engine.

    Raises:
        CelCompileError: An expression is not one.
    """

    def __init__(self, checks: Iterable[HealthCheck], *, engine: Literal["native", "pure"]) -> None:
        environment = _environment(engine)
        self._programs: dict[tuple[str, str], list[tuple[HealthStatus, Program]]] = {}
        for check in checks:
            self._programs[check.group, check.kind] = [
                (status, environment.compile(text))
                for name, status in _STATUSES
                if (text := str(getattr(check, name)))
            ]

    def assess(self, live: Manifest) -> Health | None:
        """Return the health of an object, or None where no check is for its kind.

        A field that is not there yet makes an expression fail; the object is in progress then, and says so.
        """
        group = split_api_version(str(live.get("apiVersion") or ""))[0]
        programs = self._programs.get((group, str(live.get("kind") or "")))
        if programs is None:
            return None
        values = {name: live.get(name) for name in _FIELDS if name != "object"}
        values = {name: {} if value is None else value for name, value in values.items()}
        trouble = ""
        for status, program in programs:
            try:
                holds = program.evaluate({**values, "object": live})
            except CelEvaluationError as err:
                trouble = trouble or f"its {status.value} check cannot be evaluated: {err}"
                continue
            if holds is True:
                return Health(status, f"by the fleet's check of {live.get('kind')}")
        return Health(HealthStatus.IN_PROGRESS, trouble or "no check of the fleet says more")


def compile_problems(
    checks: Iterable[HealthCheck], *, engine: Literal["native", "pure"]
) -> Iterator[tuple[HealthCheck, str]]:
    """Yield what is wrong with each check."""
    environment = None
    for check in checks:
        environment = environment or _environment(engine)
        for name, _ in _STATUSES:
            text = str(getattr(check, name))
            if not text:
                continue
            try:
                environment.compile(text)
            except CelCompileError as err:
                yield check, f"{name}: {err}"


def _environment(engine: Literal["native", "pure"]) -> Environment:
    return Environment(variables=dict.fromkeys(_FIELDS, "dyn"), engine=engine)
