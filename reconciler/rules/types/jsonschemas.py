"""JSON Schemas of the fleet's own, for kinds that are neither built in nor defined by a CRD.

Which kind a schema is for is said by its `x-kubernetes-group-version-kind`, or else by the file's name, in
one of
the forms that users of kubeconform know:

* `<kind>-<group>-<version>.json`, group being the whole one or its first label; `<kind>-<version>.json` for
the
  core group;
* `<group>/<kind>_<version>.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reconciler.documents.schema import Schema, SchemaProblem, UnsupportedSchema
from reconciler.rules.types.problem import Problem, quote, shown, type_name, unknown_field

__all__ = ["JsonSchema", "UnusableSchema", "address"]

_VERSION = r"v\d+(?:(?:alpha|beta)\d+)?"
_KUBECONFORM = re.compile(
    rf"(?P<kind>[a-z0-9]+)(?:-(?P<group>[a-z0-9.-]+?))?-(?P<version>{_VERSION})\.json\Z"
)
_CATALOG = re.compile(rf"(?P<group>[a-z0-9.-]+)/(?P<kind>[a-z0-9]+)_(?P<version>{_VERSION})\.json\Z")


class UnusableSchema(ValueError):
    """A file that is no schema, or none that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a schema is for.

    Attributes:
        group: The API group, or its first label.
        version: The API version.
        kind: The kind, in lower case.
        is_exact: Whether `group` is the whole group.
    """

    group: str
    version: str
    kind: str
    is_exact: bool = False

    def fits(self, group: str, version: str, kind: str) -> bool:
        """Tell whether an object of this kind is meant."""
        same_group = self.group == group or (not self.is_exact and self.group == group.partition(".")[0])
        return same_group and self.version == version and self.kind == kind.lower()


def address(path: str, document: Any) -> tuple[Address, ...]:
    """Return which kinds a schema is for.

    Args:
        path: The file's path, with `/`.
        document: Its content.

    Raises:
        UnusableSchema: Neither the content nor the name says it.
    """
    if not isinstance(document, Mapping):
        raise UnusableSchema(f"expected a JSON Schema, an object, found {type_name(document)}")
    stated = document.get("x-kubernetes-group-version-kind")
    if isinstance(stated, list) and stated:
        return tuple(
            Address(str(e.get("group", "")), str(e.get("version", "")), str(e.get("kind", "")).lower(), True)
            for e in stated
            if isinstance(e, Mapping)
        )
    lowered = path.lower()
    match = _CATALOG.search(lowered) or _KUBECONFORM.match(lowered.rpartition("/")[2])
    if match is None:
        raise UnusableSchema(
            "expected x-kubernetes-group-version-kind, or a name such as <kind>-<group>-<version>.json; "
            f"found {quote(path.rpartition('/')[2])}"
        )
    return (Address(match["group"] or "", match["version"], match["kind"]),)


@dataclass
class JsonSchema:
    """One JSON Schema, compiled on first use.

    Attributes:
        path: The file.
        document: Its content.
    """

    path: str
    document: Any = field(repr=False)

    @cached_property
    def _schema(self) -> Schema | UnusableSchema:
        try:
            return Schema(self.document)
        except UnsupportedSchema as err:
            return UnusableSchema(str(err))
        except (LookupError, TypeError, AttributeError, re.error) as err:
            return UnusableSchema(f"expected a valid JSON Schema, found a mistake in it: {err}"[:200])
        except RecursionError:
            return UnusableSchema("expected a JSON Schema that ends, found one nested without end")

    def broken(self) -> str:
        """Say why the schema cannot be used, or ""."""
        made = self._schema
        return str(made) if isinstance(made, UnusableSchema) else ""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Yield what is wrong with an object; the schema must be usable."""
        made = self._schema
        if isinstance(made, UnusableSchema):
            return
        for each in made.problems(value):
            yield _worded(each)


def _worded(problem: SchemaProblem) -> Problem:
    path, value, wanted = problem.path, problem.value, problem.wanted
    match problem.keyword:
        case "required":
            return Problem(path, "Required value")
        case "additionalProperties":
            return unknown_field(path[:-1], str(path[-1]) if path else "", problem.known)
        case "type":
            kinds = wanted if isinstance(wanted, str) else " or ".join(map(str, wanted))
            return Problem(path, f"expected {kinds}, found the {type_name(value)}")
        case "enum":
            return Problem(path, f"expected one of {', '.join(map(shown, wanted))}, found {shown(value)}")
        case "pattern":
            return Problem(path, f"expected a text that matches {quote(str(wanted))}, found {shown(value)}")
        case keyword:
            bound = f" {shown(wanted)}" if isinstance(wanted, str | int | float) else ""
            return Problem(path, f"expected {keyword}{bound}, found {shown(value)}")
