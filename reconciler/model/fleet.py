"""What a fleet is: the settings of `fleet.yaml`, parsed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.model.finding import Severity
from reconciler.model.health_check import HealthCheck
from reconciler.model.location import Location
from reconciler.model.registry import ImageSettings
from reconciler.model.site import Site
from reconciler.model.trust import Trust

__all__ = ["Fleet", "RuleSetting", "RuleSettings", "Waiver"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """What a fleet changes of one rule.

    Attributes:
        enabled: False switches the rule off.
        severity: Replaces the rule's own severity, or None.
        parameters: Replaces single parameters of the rule.
    """

    enabled: bool = True
    severity: Severity | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that is not held against a site or resource, for a reason and until a day.

    Attributes:
        rule: The rule's id.
        reason: Why; never empty.
        expires: The last day on which it holds.
        sites: Names or glob patterns of sites; empty means all.
        resources: `Kind/name` or `Kind/namespace/name` patterns; empty means all.
        at: Where it is written.
    """

    rule: str
    reason: str
    expires: datetime.date
    sites: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Settings of all rules.

    Attributes:
        fail_on: The severity from which a revision is refused.
        rules: Rule id to its setting.
        waivers: In the order of the file.
    """

    fail_on: Severity = Severity.ERROR
    rules: Mapping[str, RuleSetting] = field(default_factory=lambda: _EMPTY)
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet: its settings and its sites.

    Attributes:
        name: The fleet's name.
        at: Where `fleet.yaml` begins.
        sites: By name, in order of name.
        manifest: The Fleet document as written; plain values for rules.
        requires: Version specifier that agents must satisfy, for example `>=0.2,<1`; "" for any.
        health: How healthy objects of some kinds are, by expressions.
        policy_paths: Directories and files with the fleet's own rules.
        schema_paths: Directories and files with CRDs and JSON Schemas.
        trust: Whose signatures count, on which images.
        images: How images are locked and registries reached.
    """

    name: str
    at: Location
    sites: Mapping[str, Site]
    manifest: Mapping[str, Any]
    rules: RuleSettings = RuleSettings()
    requires: str = ""
    health: tuple[HealthCheck, ...] = ()
    policy_paths: tuple[str, ...] = ("policies",)
    schema_paths: tuple[str, ...] = ("schemas",)
    trust: Trust = field(default_factory=Trust)
    images: ImageSettings = field(default_factory=ImageSettings)
