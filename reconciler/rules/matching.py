"""Which sites and workloads a rule is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.resource import ResourceId

__all__ = ["LabelSelector", "Requirement", "SiteMatch", "SubjectMatch"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a label selector: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it (`labels.Requirement.Matches`)."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A label selector as in Kubernetes; one without requirements matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet all requirements."""
        return all(requirement.matches(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class SiteMatch:
    """The sites that a rule is about: by glob patterns of names, and by labels."""

    names: tuple[str, ...] = ()
    labels: LabelSelector = LabelSelector()

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a site is meant."""
        return _any(self.names, name) and self.labels.matches(labels)


@dataclass(frozen=True, slots=True)
class SubjectMatch:
    """The workloads that a rule is about; empty means all.

    Attributes:
        kinds: `Deployment`, or `Deployment.apps` where the group matters.
        names: Glob patterns.
        namespaces: Glob patterns.
        excluded_namespaces: Glob patterns of namespaces that are left alone.
    """

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    labels: LabelSelector = LabelSelector()

    def matches(self, resource: ResourceId, labels: Mapping[str, str]) -> bool:
        """Tell whether a workload is meant."""
        full = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        return (
            (not self.kinds or resource.kind in self.kinds or full in self.kinds)
            and _any(self.names, resource.name)
            and _any(self.namespaces, resource.namespace)
            and not (self.excluded_namespaces and _any(self.excluded_namespaces, resource.namespace))
            and self.labels.matches(labels)
        )


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
