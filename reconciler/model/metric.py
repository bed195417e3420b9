"""Figures that a process tells Prometheus: their names, kinds and labels, declared once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["MetricFamily", "families"]


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric.

    Attributes:
        name: As Prometheus has it.
        kind: Its type in Prometheus' text format.
        words: What it counts, in a sentence.
        labels: The labels that every value of it has, with what they tell.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    words: str
    labels: Mapping[str, str]

    def check(self, labels: Iterable[str]) -> None:
        """Refuse a value with other labels than are declared.

        Raises:
            ValueError: It has others.
        """
        found = sorted(labels)
        if found != sorted(self.labels):
            raise ValueError(f"expected the labels {sorted(self.labels)} of {self.name}, found {found}")

    def header(self) -> list[str]:
        """Return the lines that stand before its values in Prometheus' text format."""
        return [f"# HELP {self.name} {self.words}", f"# TYPE {self.name} {self.kind}"]


def families(*declared: MetricFamily) -> Mapping[str, MetricFamily]:
    """Return metrics by name, in the order in which they are declared."""
    return {family.name: family for family in declared}
