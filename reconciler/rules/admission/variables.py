"""The CEL variables of a request: made once, and bound once for all policies that ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.resource import Manifest
from reconciler.rules.admission.kinds import GroupVersionKind
from reconciler.rules.admission.matching import Match
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.cel import Activation, Environment

__all__ = ["RequestVariables"]


@dataclass(frozen=True, eq=False)
class RequestVariables:
    """The variables of one request under one kind.

    Attributes:
        values: `object`, `oldObject`, `request` and `namespaceObject`.
        conditions: The same as match conditions see them: without the Namespace, and with the request's own
            resource.
    """

    values: Mapping[str, Any]
    conditions: Mapping[str, Any]
    _bound: dict[tuple[str, bool], Activation] = field(default_factory=dict)

    @classmethod
    def of(cls, request: AdmissionRequest, matched: Match) -> RequestVariables | None:
        """Return a request's variables, or None where its objects cannot be converted to the kind."""
        if matched not in request.made:
            request.made[matched] = cls._make(request, matched)
        found: RequestVariables | None = request.made[matched]
        return found

    @classmethod
    def _make(cls, request: AdmissionRequest, matched: Match) -> RequestVariables | None:
        new, old = request.object, request.old_object
        if matched.kind != request.kind:
            if not request.api_kind.convertible or matched.kind.group != request.kind.group:
                return None
            new, old = _converted(new, matched.kind), _converted(old, matched.kind)
        shared = {"object": new, "oldObject": old}
        return cls(
            values={
                **shared,
                "request": request.attributes(matched.kind, matched.resource),
                "namespaceObject": request.namespace_object,
            },
            conditions={
                **shared,
                "request": request.attributes(matched.kind, request.resource),
                "namespaceObject": None,
            },
        )

    def bound(self, environment: Environment, *, conditions: bool = False) -> Activation:
        """Return the variables converted for an engine; the policies of one engine share them."""
        key = (environment.engine, conditions)
        if key not in self._bound:
            self._bound[key] = environment.bind(self.conditions if conditions else self.values)
        return self._bound[key]


def _converted(manifest: Manifest | None, kind: GroupVersionKind) -> Manifest | None:
    """Convert an object of a custom kind whose versions differ by name alone."""
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    return None if manifest is None else {**manifest, "apiVersion": version}
