"""Custom resources of a set of definitions, judged in the order of the API server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.model.resource import Manifest
from reconciler.rules.types.builtin import BuiltinTypes
from reconciler.rules.types.crd import CustomKind, custom_kinds, definition_problems, is_usable
from reconciler.rules.types.expressions import Expressions, has_rules
from reconciler.rules.types.problem import Problem
from reconciler.rules.types.scalars import is_finite_json
from reconciler.rules.types.structural import defaulted, unknown_fields, value_problems

__all__ = ["CustomSchemas"]


class CustomSchemas:
    """The kinds that definitions add.

    Args:
        definitions: CustomResourceDefinitions.
        types: The built-in types.
        kubernetes: The version whose CEL environment counts, such as `1.33`.
    """

    def __init__(self, definitions: Iterable[Manifest], types: BuiltinTypes, kubernetes: str) -> None:
        self._types = types
        self._expressions = Expressions(kubernetes)
        self._kinds: dict[tuple[str, str], dict[str, CustomKind]] = {}
        for manifest in definitions:
            for kind in custom_kinds(manifest):
                self._kinds.setdefault((kind.group, kind.kind), {})[kind.version] = kind
        self._usable: dict[int, bool] = {}

    def versions(self, group: str, kind: str) -> dict[str, CustomKind]:
        """Return the served versions of a kind by name, {} where no definition has it."""
        return self._kinds.get((group, kind), {})

    def is_usable(self, custom: CustomKind) -> bool:
        """Tell whether a kind's schema is one that objects can be checked against."""
        usable = self._usable.get(id(custom))
        if usable is None:
            usable = self._usable[id(custom)] = is_usable(custom, self._types)
        return usable

    def definition_problems(self, manifest: Manifest) -> Iterator[Problem]:
        """Yield what the server would refuse in a definition that decodes."""
        return definition_problems(manifest, self._types, self._expressions)

    def problems(self, custom: CustomKind, manifest: Manifest, old: Manifest | None) -> Iterator[Problem]:
        """Yield what is wrong with an object, its metadata aside.

        Args:
            custom: Its kind, which is usable.
            manifest: The object.
            old: The object that it replaces, or None.
        """
        value = dict(manifest)
        if not is_finite_json(value):
            yield Problem((), "expected values of JSON, found NaN, infinity or a key that is no string")
            return
        schema = custom.schema
        unknown = (
            [] if custom.keeps_unknown else list(unknown_fields(schema, value, self._metadata, root=True))
        )
        if unknown:
            yield from unknown
            return
        value = defaulted(schema, value)
        wrong = list(value_problems(schema, value))
        yield from wrong
        if not wrong and has_rules(schema):
            before = None if old is None else defaulted(schema, dict(old))
            yield from self._expressions.problems(schema, value, before)

    def _metadata(self, metadata: Any) -> tuple[Problem, ...]:
        return self._types.problems("meta.v1.ObjectMeta", metadata)
