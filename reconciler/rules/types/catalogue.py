"""The types of the Kubernetes API by version: which kinds there are, and which fields their types have.

The data is `data/kubernetes.txt`, one line for each kind and for each type and range of versions, made from
the published OpenAPI documents. A line is parsed when its type is asked for, so that a check pays for the
kinds
that it meets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

__all__ = ["FIRST_MINOR", "LAST_MINOR", "Field", "KindVersions", "TypeCatalogue"]

#: Versions 1.29 to 1.37 are known with their fields. Older kinds are known by name alone.
FIRST_MINOR, LAST_MINOR = 29, 37


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a type.

    Attributes:
        type: A scalar's name, a type's name, or either behind `[]` for a list or `{}` for a map.
        required: Whether the published schema calls it required.
        values: All values it may have, or () for any.
    """

    type: str
    required: bool
    values: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Field:
        """Parse what the data writes: `[]core.v1.Container!`, `string=TCP|UDP`."""
        required = text.endswith("!")
        kind, has_values, values = text.removesuffix("!").partition("=")
        return cls(kind, required, tuple(values.split("|")) if has_values else ())


@dataclass(frozen=True, slots=True)
class KindVersions:
    """One API version of a kind, and the Kubernetes versions that have it.

    Attributes:
        group: The API group, "" for the core.
        version: The API version, for example `v1beta1`.
        first: The first minor that has it (25 stands for 25 or before).
        last: The last minor that has it (37 stands for 37 or after).
        type: Name of the kind's type.
    """

    group: str
    version: str
    first: int
    last: int
    type: str

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@lru_cache(maxsize=1)
def _data() -> tuple[Mapping[str, list[str]], Mapping[str, list[KindVersions]]]:
    """Index the lines of the data: types by name, kinds by name."""
    types: dict[str, list[str]] = {}
    kinds: dict[str, list[KindVersions]] = {}
    text = (files(__package__) / "data" / "kubernetes.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        tag, rest = line.split("\t", 1)
        if tag == "type":
            name, body = rest.split("\t", 1)
            types.setdefault(name, []).append(body)
        else:
            group, kind, version, span, name = rest.split("\t")
            first, last = span.split("-")
            kinds.setdefault(kind, []).append(KindVersions(group, version, int(first), int(last), name))
    return types, kinds


class TypeCatalogue:
    """The API of one Kubernetes version.

    Args:
        minor: The version's minor; of a version that is not known, the nearest one that is.
    """

    def __init__(self, minor: int) -> None:
        self.minor = min(max(minor, FIRST_MINOR), LAST_MINOR)
        self._types, self._kinds = _data()
        self._parsed: dict[str, Mapping[str, Field]] = {}

    def kind(self, group: str, version: str, kind: str) -> str | None:
        """Return the name of a kind's type, or None where this version has no such kind."""
        for each in self._kinds.get(kind, ()):
            if (each.group, each.version) == (group, version) and each.first <= self.minor <= each.last:
                return each.type
        return None

    def versions(self, kind: str) -> tuple[KindVersions, ...]:
        """Return all API versions of a kind, of any group and any Kubernetes version."""
        return tuple(self._kinds.get(kind, ()))

    def kinds(self, group: str, version: str) -> Iterator[str]:
        """Yield the names of all kinds that a group's version has here."""
        for kind, known in self._kinds.items():
            if any(
                (e.group, e.version) == (group, version) and e.first <= self.minor <= e.last for e in known
            ):
                yield kind

    def has_group(self, group: str) -> bool:
        """Tell whether a group is Kubernetes' own, in any version."""
        return any(each.group == group for known in self._kinds.values() for each in known)

    def fields(self, name: str) -> Mapping[str, Field]:
        """Return the fields of a type.

        Raises:
            KeyError: This version has no such type.
        """
        known = self._parsed.get(name)
        if known is None:
            known = self._parsed[name] = self._parse(name)
        return known

    def _parse(self, name: str) -> Mapping[str, Field]:
        for body in self._types[name]:
            span, _, text = body.partition("\t")
            first, last = span.split("-")
            if int(first) <= self.minor <= int(last):
                return {field: Field.parse(written) for field, written in json.loads(text).items()}
        raise KeyError(name)
