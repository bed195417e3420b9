"""Typed access to the fields of a document that collects what is wrong instead of stopping at it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.admission.problem import Problem

__all__ = ["Reader"]

_NAMES = {
    dict: "a mapping",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


class Reader:
    """One mapping of a document, read field by field.

    A field that is null counts as absent, as in the API server. Call `finish` when every known field has been
    asked for: what is left is reported as unknown.

    Args:
        value: The mapping.
        path: Where it stands in its document.
        problems: Where problems are collected.
        binding: Which binding the document is, or None for the policy.
    """

    def __init__(
        self,
        value: Mapping[Any, Any],
        path: FieldPath,
        problems: list[Problem],
        *,
        binding: int | None = None,
    ) -> None:
        self._value = value
        self.path = path
        self._problems = problems
        self._binding = binding
        self._known: set[str] = set()

    @property
    def raw(self) -> Mapping[Any, Any]:
        """The mapping itself."""
        return self._value

    def __contains__(self, key: str) -> bool:
        """Tell whether a field is present and not null."""
        return self._value.get(key) is not None

    def problem(
        self, *steps: str | int, message: str, hint: str = "", within: tuple[int, int] | None = None
    ) -> None:
        """Report what is wrong with a field below this mapping."""
        self._problems.append(Problem((*self.path, *steps), message, hint, self._binding, within))

    def string(self, key: str, default: str = "") -> str:
        """Return a string field."""
        found = self._get(key, str)
        return found if isinstance(found, str) else default

    def choice(self, key: str, allowed: tuple[str, ...], default: str = "") -> str:
        """Return a string field that must be one of a few words."""
        found = self._get(key, str)
        if not isinstance(found, str):
            return default
        if found not in allowed:
            close = difflib.get_close_matches(found, allowed, 1, 0.6)
            self.problem(
                key,
                message=f"expected one of {', '.join(allowed)}, found {found!r}",
                hint=f"did you mean {close[0]}?" if close else "",
            )
            return default
        return found

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a field that is a list of strings."""
        texts = []
        for index, item in enumerate(self._get(key, list) or ()):
            if isinstance(item, str):
                texts.append(item)
            else:
                self.problem(key, index, message=f"expected a string, found {_name(item)}")
        return tuple(texts)

    def labels(self, key: str) -> dict[str, str]:
        """Return a field that maps strings to strings."""
        labels = {}
        for name, value in (self._get(key, dict) or {}).items():
            if isinstance(name, str) and isinstance(value, str):
                labels[name] = value
            else:
                self.problem(
                    key,
                    str(name),
                    message=f"expected a string, found {_name(value if isinstance(name, str) else name)}",
                    hint="put quotes around it",
                )
        return labels

    def mapping(self, key: str) -> Reader | None:
        """Return a field that is a mapping, or None where it is absent."""
        found = self._get(key, dict)
        return None if found is None else self._below(found, key)

    def items(self, key: str) -> list[Reader]:
        """Return a field that is a list of mappings; items of another kind are reported and left out."""
        readers = []
        for index, item in enumerate(self._get(key, list) or ()):
            if isinstance(item, Mapping):
                readers.append(self._below(item, key, index))
            else:
                self.problem(key, index, message=f"expected a mapping, found {_name(item)}")
        return readers

    def allow(self, *keys: str) -> None:
        """Accept fields without reading them."""
        self._known.update(keys)

    def finish(self) -> None:
        """Report the fields that nobody asked for."""
        for key in self._value:
            if key in self._known:
                continue
            close = difflib.get_close_matches(str(key), sorted(self._known), 1, 0.6)
            hint = f"did you mean {close[0]}?" if close else f"known fields: {', '.join(sorted(self._known))}"
            self._problems.append(
                Problem((*self.path, str(key)), f"unknown field {str(key)!r}", hint, self._binding, key=True)
            )

    def _below(self, value: Mapping[Any, Any], *steps: str | int) -> Reader:
        return Reader(value, (*self.path, *steps), self._problems, binding=self._binding)

    def _get(self, key: str, kind: type) -> Any:
        self._known.add(key)
        value = self._value.get(key)
        if value is None or (isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))):
            return value
        if kind is dict and isinstance(value, Mapping):
            return value
        self.problem(key, message=f"expected {_NAMES[kind]}, found {_name(value)}")
        return None


def _name(value: object) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _NAMES.items() if type(value) is kind), type(value).__name__)
