"""From a Fleet document that fits its schema to the settings of a fleet."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from reconciler.documents.yaml import Positions
from reconciler.fleet.explain import finding
from reconciler.model.finding import Finding, Severity
from reconciler.model.fleet import RuleSetting, RuleSettings, Waiver

__all__ = ["build_rules"]


def build_rules(
    rules: Mapping[str, Any], positions: Positions, *, index: int
) -> tuple[RuleSettings, list[Finding]]:
    """Return the settings of `spec.rules`, and a finding for each waiver whose date does not exist."""
    findings: list[Finding] = []
    waivers: list[Waiver] = []
    for number, waiver in enumerate(rules.get("waivers", ())):
        field = ("spec", "rules", "waivers", number)
        try:
            expires = datetime.date.fromisoformat(waiver["expires"][:10])
        except ValueError:
            at = positions.locate((*field, "expires"), index=index)
            found = waiver["expires"]
            findings.append(finding("fleet-schema", f"expected a day of the calendar, found {found!r}", at))
            continue
        waivers.append(
            Waiver(
                rule=waiver["rule"],
                reason=waiver["reason"],
                expires=expires,
                sites=tuple(waiver.get("sites", ())),
                resources=tuple(waiver.get("resources", ())),
                at=positions.locate(field, index=index),
            )
        )
    settings = {
        rule: RuleSetting(
            enabled=setting.get("enabled", True),
            severity=Severity(setting["severity"]) if "severity" in setting else None,
            parameters=setting.get("parameters") or {},
        )
        for rule, setting in rules.get("settings", {}).items()
    }
    fail_on = Severity(rules.get("failOn", Severity.ERROR.value))
    return RuleSettings(fail_on=fail_on, rules=settings, waivers=tuple(waivers)), findings
