"""What policies say of objects that many sites share is asked once.

An answer hangs on what its policies read. Most read neither labels nor the Namespace nor parameters, so an
object whose content is shared gets the same answer at every site, though its labels name the site.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from reconciler.model.finding import NotChecked, Violation
from reconciler.model.resource import Manifest
from reconciler.rules.admission.spec import BindingSpec, MatchResources, PolicySpec
from reconciler.rules.expressions import reads

__all__ = ["Answer", "Answers", "Needs", "ObjectKey", "object_key"]

#: What tells an object from others, and the parts that are told by identity.
ObjectKey: TypeAlias = tuple[Hashable, list[object]]
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Needs:
    """What the answer of a policy hangs on, beside the content of an object.

    Attributes:
        labels: The object's labels.
        namespace: The Namespace that it is in.
        params: Parameters.
    """

    labels: bool
    namespace: bool
    params: bool

    @classmethod
    def of(cls, spec: PolicySpec, bindings: Iterable[BindingSpec]) -> Needs:
        """Return what a policy and its bindings read. It may be said too much, never too little."""
        texts = [
            *(condition.expression for condition in spec.match_conditions),
            *(variable.expression for variable in spec.variables),
            *(annotation.value_expression for annotation in spec.audit_annotations),
            *(validation.expression for validation in spec.validations),
            *(validation.message_expression for validation in spec.validations),
        ]
        matches: list[MatchResources] = [
            spec.match,
            *(binding.match for binding in bindings if binding.match is not None),
        ]
        by_namespace = any(not match.namespaces.everything for match in matches)
        by_labels = any(not match.objects.everything for match in matches)
        return cls(
            # A Namespace is selected by its own labels.
            labels=by_labels or by_namespace or any(_reads_labels(text) for text in texts),
            namespace=by_namespace or any("namespaceObject" in reads(text) for text in texts),
            params=spec.param_kind is not None,
        )


def _reads_labels(text: str) -> bool:
    return any(
        path[:2] in {(), ("metadata",), ("metadata", "labels")} for path in reads(text).get("object", ())
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What some policies say of one object.

    Attributes:
        violations: What they refuse and warn of, each with the number of its policy.
        not_checked: What only the cluster can answer.
    """

    violations: tuple[tuple[int, Violation], ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


class Answers:
    """Answers by what they hang on. What a key names by identity is kept alive beside its answer."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Answer, Sequence[object]]] = {}

    def share(self, key: Hashable, alive: Sequence[object], ask: Callable[[], Answer]) -> Answer:
        """Return the answer of a key, asked for once.

        Args:
            key: What the answer hangs on.
            alive: The objects whose identity is part of the key.
            ask: Gives the answer.
        """
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[key] = (ask(), alive)
        return known[0]


def object_key(manifest: Manifest, *, labels: bool) -> ObjectKey | None:
    """Return what tells an object from others, and the parts that are told by identity.

    Args:
        manifest: The object.
        labels: Whether its labels count.

    Returns:
        None for an object that cannot be told: it is asked about each time.
    """
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    alive: list[object] = []
    key: list[Hashable] = []
    try:
        for field, value in manifest.items():
            if field != "metadata":
                key.append((field, _told(value, alive)))
        for field, value in metadata.items():
            if field in {"labels", "annotations"} and isinstance(value, dict):
                if labels or field == "annotations":
                    key.append((field, frozenset(value.items())))
            else:
                key.append((field, "metadata", _told(value, alive)))
        told = tuple(key)
        hash(told)
    except TypeError:  # something that JSON cannot hold
        return None
    return told, alive


def _told(value: Any, alive: list[object]) -> Hashable:
    """Return a text or number as it is, with its type, and of anything else its identity."""
    if value is None or isinstance(value, str | int | float):
        return type(value), value
    alive.append(value)
    return id(value)
