"""Resource lists (`{cpu: 100m, memory: 64Mi}`) as whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.quantity import QuantityError, parse_quantity
from reconciler.rules.facts.problem import FactProblem

__all__ = [
    "DEFAULT_PODS",
    "Amounts",
    "add",
    "format_amount",
    "format_amounts",
    "is_extended",
    "maximum",
    "parse_amounts",
    "whole",
]

#: Resource name to amount: thousandths of a core for `cpu`, base units for all others.
Amounts = dict[str, int]

#: How many pods a kubelet allows where nothing is declared (`maxPods`).
DEFAULT_PODS = 110

_SCALES = (
    ("Ti", 2**40),
    ("Gi", 2**30),
    ("G", 10**9),
    ("Mi", 2**20),
    ("M", 10**6),
    ("Ki", 2**10),
    ("k", 10**3),
)


def whole(name: str, value: Decimal) -> int:
    """Return an amount as the scheduler counts it: rounded up, CPU in thousandths of a core."""
    scaled = value * 1000 if name == "cpu" else value
    return int(scaled.to_integral_value(rounding=ROUND_CEILING))


def parse_amounts(value: Any, at: FieldPath, problems: list[FactProblem]) -> Amounts:
    """Parse a resource list.

    Args:
        value: What stands in the manifest; None is an empty list.
        at: The field's path, for problems.
        problems: Receives what is not a quantity, or is negative.
    """
    amounts: Amounts = {}
    if value is None:
        return amounts
    if not isinstance(value, Mapping):
        problems.append(FactProblem(f"expected a map of resources, found {type(value).__name__}", at))
        return amounts
    for name, text in value.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            problems.append(
                FactProblem(f"expected a quantity such as 500m or 128Mi for {name}", (*at, str(name)))
            )
            continue
        try:
            amount = parse_quantity(str(text))
        except QuantityError as err:
            problems.append(FactProblem(f"{name}: {err}", (*at, str(name))))
            continue
        if amount < 0:
            problems.append(
                FactProblem(f"{name}: expected an amount of at least 0, found {text}", (*at, str(name)))
            )
            continue
        amounts[str(name)] = whole(str(name), amount)
    return amounts


def add(into: Amounts, more: Mapping[str, int], times: int = 1) -> None:
    """Add amounts, resource by resource, to `into`."""
    for name, amount in more.items():
        into[name] = into.get(name, 0) + amount * times


def maximum(into: Amounts, other: Mapping[str, int]) -> None:
    """Raise `into` to the greater of both, resource by resource."""
    for name, amount in other.items():
        if amount > into.get(name, -1):
            into[name] = amount


def format_amount(name: str, amount: int) -> str:
    """Write an amount as Kubernetes writes it: `1.5Gi`, `250m`, `2`; never rounded."""
    if name == "cpu":
        return f"{amount // 1000}" if amount % 1000 == 0 else f"{amount}m"
    if name in {"memory", "ephemeral-storage"} or name.startswith("hugepages-"):
        return _format_bytes(amount)
    return str(amount)


def _format_bytes(amount: int) -> str:
    for suffix, scale in _SCALES:
        if amount >= scale and amount * 10 % scale == 0:
            tenths = amount * 10 // scale
            return f"{tenths // 10}{suffix}" if tenths % 10 == 0 else f"{tenths / 10:.1f}{suffix}"
    return str(amount)


def format_amounts(amounts: Mapping[str, int], names: Iterable[str] | None = None) -> str:
    """Write amounts in one line: `cpu 250m, memory 64Mi`."""
    chosen = amounts if names is None else [name for name in names if name in amounts]
    return ", ".join(f"{name} {format_amount(name, amounts[name])}" for name in chosen)


def is_extended(name: str) -> bool:
    """Tell whether a resource exists only where a node declares it (`IsExtendedResourceName`)."""
    domain, slash, _ = name.partition("/")
    return bool(slash) and not domain.endswith("kubernetes.io") and ":" not in domain
