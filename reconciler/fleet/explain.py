"""From what a schema refuses to a finding that a person can act on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from reconciler.documents.schema import SchemaProblem
from reconciler.documents.tree import TreeError
from reconciler.documents.yaml import Positions
from reconciler.errors import DocumentError
from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, Severity
from reconciler.model.location import Location

__all__ = ["document_finding", "explain", "finding", "schema_finding"]

_SHOWN = 60
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
#: What people write for an architecture, and the OCI platform that they mean.
_PLATFORMS = {
    "amd64": "linux/amd64",
    "x86_64": "linux/amd64",
    "x86-64": "linux/amd64",
    "x64": "linux/amd64",
    "linux/x86_64": "linux/amd64",
    "arm64": "linux/arm64",
    "aarch64": "linux/arm64",
    "armv8": "linux/arm64",
    "linux/aarch64": "linux/arm64",
    "linux/armv8": "linux/arm64",
    "arm": "linux/arm/v7",
    "armv7": "linux/arm/v7",
    "armv7l": "linux/arm/v7",
    "armhf": "linux/arm/v7",
    "arm/v7": "linux/arm/v7",
    "linux/arm": "linux/arm/v7",
    "linux/armv7": "linux/arm/v7",
    "linux/armhf": "linux/arm/v7",
    "linux/arm/7": "linux/arm/v7",
    "armv6": "linux/arm/v6",
    "armv6l": "linux/arm/v6",
    "linux/armv6": "linux/arm/v6",
    "i386": "linux/386",
    "riscv64": "linux/riscv64",
}
_COMMON_PLATFORMS = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/riscv64",
    "linux/386",
)
_RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")


def finding(rule: str, message: str, at: Location, *, hint: str = "", sites: Iterable[str] = ()) -> Finding:
    """Return a finding of severity error about a document."""
    return Finding(
        rule=rule, severity=Severity.ERROR, message=message, location=at, hint=hint, sites=tuple(sites)
    )


def document_finding(
    rule: str, err: DocumentError | TreeError, path: str, *, sites: Iterable[str] = ()
) -> Finding:
    """Return the finding for a file that cannot be read, or that is not YAML (then the rule is `yaml`)."""
    if isinstance(err, DocumentError):
        return finding("yaml", err.message, err.at or Location(path), hint=err.hint, sites=sites)
    return finding(rule, err.message, Location(path), hint=err.hint, sites=sites)


def schema_finding(
    rule: str, problem: SchemaProblem, positions: Positions, *, index: int, sites: Iterable[str] = ()
) -> Finding:
    """Return the finding for one thing that a schema refuses, on its line."""
    message, hint = explain(problem)
    of_key = problem.keyword in ("additionalProperties", "propertyNames")
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        message=message,
        location=positions.locate(problem.path, index=index, key=of_key),
        hint=hint,
        field_path=problem.path,
        sites=tuple(sites),
    )


def explain(problem: SchemaProblem) -> tuple[str, str]:
    """Return a message and a hint in plain words."""
    field = format_field_path(problem.path) or "the document"
    found = _show(problem.value)
    wanted = problem.wanted
    expected = problem.schema.get("x-expected", "")
    match problem.keyword:
        case "additionalProperties":
            return _unknown(problem)
        case "required":
            about = problem.schema.get("description", "")
            return f"expected the field {field}, found none", f"add it: {about}" if about else "add it"
        case "type":
            kinds = [_TYPES[each] for each in ([wanted] if isinstance(wanted, str) else wanted)]
            return f"expected {expected or ' or '.join(kinds)} in {field}, found {found}", _type_hint(problem)
        case "enum" | "const":
            options = wanted if isinstance(wanted, list) else [wanted]
            near = _near(str(problem.value), [str(each) for each in options])
            shown = " or ".join(str(each) for each in options)
            return f"expected {shown} in {field}, found {found}", near
        case "pattern" | "propertyNames":
            if problem.keyword == "propertyNames":
                field = format_field_path(problem.path[:-1])
            what = expected or f"text like {wanted}"
            return f"expected {what} in {field}, found {found}", _pattern_hint(problem)
        case "minimum" | "exclusiveMinimum":
            if expected:
                return f"expected {expected} in {field}, found {found}", "an amount cannot be negative"
            return f"expected at least {wanted} in {field}, found {found}", ""
        case "maximum" | "exclusiveMaximum":
            return f"expected at most {wanted} in {field}, found {found}", ""
        case "minItems" | "minLength" | "minProperties":
            return f"expected something in {field}, found nothing", ""
        case "maxLength":
            return f"expected at most {wanted} characters in {field}, found {len(problem.value)}", ""
        case _:
            return f"expected {expected or problem.keyword} in {field}, found {found}", ""


def _show(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _near(value: str, options: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, list(options), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def _unknown(problem: SchemaProblem) -> tuple[str, str]:
    name = str(problem.path[-1])
    where = format_field_path(problem.path[:-1])
    lowered = {known.lower(): known for known in problem.known}
    same = lowered.get(name.lower().replace("-", "").replace("_", ""))
    hint = f"did you mean {same}?" if same else _near(name, problem.known)
    if not hint and problem.known:
        hint = f"known here: {', '.join(problem.known)}"
    return f"expected a known field{f' in {where}' if where else ''}, found {name!r}", hint


def _type_hint(problem: SchemaProblem) -> str:
    if problem.wanted == "string" and isinstance(problem.value, int | float | bool):
        if problem.schema.get("x-hint") == "kubernetes-version":
            return "put it in quotes: without them YAML reads 1.30 as the number 1.3"
        return "put it in quotes"
    if problem.wanted in ("integer", "number", "boolean") and isinstance(problem.value, str):
        return "remove the quotes"
    if problem.wanted == "array":
        return "write a list: each item on a line of its own that begins with '- '"
    return ""


def _pattern_hint(problem: SchemaProblem) -> str:
    value = str(problem.value)
    expected = problem.schema.get("x-expected", "")
    match problem.schema.get("x-hint"):
        case "platform":
            meant = _PLATFORMS.get(value.strip().lower())
            return f"did you mean {meant}?" if meant else _near(value, _COMMON_PLATFORMS)
        case "kubernetes-version":
            parts = value.removeprefix("v").split(".")
            return f'write the minor version only: "{parts[0]}.{parts[1]}"' if len(parts) > 2 else ""
        case "resource":
            return _near(value.lower(), _RESOURCES)
    if expected.startswith("a quantity"):
        return _quantity_hint(value)
    if expected.startswith("a duration") and value.strip().isdigit():
        return f"add a unit: {value.strip()}s"
    return ""


def _quantity_hint(value: str) -> str:
    squeezed = "".join(value.split())
    if squeezed.startswith("-"):
        return "an amount cannot be negative"
    if squeezed != value and squeezed[-1:].isalpha():
        return f"write it without spaces: {squeezed}"
    for wrong, right in (
        ("KiB", "Ki"),
        ("MiB", "Mi"),
        ("GiB", "Gi"),
        ("TiB", "Ti"),
        ("KB", "k"),
        ("kB", "k"),
    ):
        if squeezed.endswith(wrong):
            return f"write {squeezed.removesuffix(wrong)}{right}"
    if squeezed.endswith("B"):
        return f"write {squeezed[:-1]}, or {squeezed[:-1]}i for powers of 1024"
    rate = re.fullmatch(r"([0-9.]+)([kKMGT]?)(?:bit|b|bps|bit/s|b/s)", squeezed)
    if rate is not None:
        return f"write {rate[1]}{rate[2].replace('K', 'k')}"
    if re.fullmatch(r"[0-9.]+[Kgtp]", squeezed):
        return f"write {squeezed[:-1]}{'k' if squeezed[-1] == 'K' else squeezed[-1].upper()}"
    if "e" in squeezed.lower() and squeezed.endswith("i"):
        return "use either an exponent or a suffix, not both"
    return ""
