"""One revision as it concerns one site: all that is needed to apply it, without git and without rules.

It travels from the worker to the agent, and into the state as the last good revision.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import StateError
from reconciler.model.health_check import HealthCheck
from reconciler.model.resource import Resource
from reconciler.model.site import DriftRule, SyncSettings, Target, TargetType

__all__ = ["Digests", "SiteRevision"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Digests:
    """What the verdict was about; equal in the pull request and here."""

    inputs: str
    rules: str
    verdict: str


@dataclass(frozen=True, slots=True)
class SiteRevision:
    """One revision of one site, allowed by the rules.

    Attributes:
        commit: The full commit id.
        committed_at: The committer's time, aware.
        subject: First line of the commit message.
        site: The site's name.
        platform: The site's platform, which decides how an auto-deploy folder behaves.
        sync: How the site is synced.
        target: Where its resources go, by `site.yaml`.
        resources: The desired set, in kustomize's order.
        digests: Of inputs, rules and verdict.
        wayside: The version that judged it.
        manifest: The site's `labels`, `annotations` and `spec` as declared; empty where an older version
            stored it.
        former_sites: Names that the site had before.
        health: The fleet's own health checks.
        pulls: Image layers, and the seconds that each takes over the site's link; empty where the link's
            bandwidth is not declared.
    """

    commit: str
    committed_at: datetime.datetime
    subject: str
    site: str
    platform: str
    sync: SyncSettings
    target: Target
    resources: tuple[Resource, ...]
    digests: Digests
    wayside: str
    manifest: Mapping[str, Any] = field(default_factory=dict)
    former_sites: tuple[str, ...] = ()
    health: tuple[HealthCheck, ...] = ()
    pulls: Mapping[str, float] = field(default_factory=dict)

    def patience(self, after: SiteRevision | None) -> float:
        """Return the seconds that this revision may take to become healthy: its timeout, and its download.

        Args:
            after: The revision whose images are at the site, or None for none.
        """
        there = after.pulls if after is not None else {}
        return self.sync.timeout + sum(each for layer, each in self.pulls.items() if layer not in there)

    def to_document(self) -> dict[str, Any]:
        """Return the revision as JSON values."""
        return {
            "version": _VERSION,
            "commit": self.commit,
            "committedAt": self.committed_at.isoformat(),
            "subject": self.subject,
            "site": self.site,
            "platform": self.platform,
            "sync": dataclasses.asdict(self.sync),
            "target": {
                "type": self.target.type.value,
                "path": self.target.path,
                "context": self.target.context,
            },
            "resources": [resource.manifest for resource in self.resources],
            "digests": dataclasses.asdict(self.digests),
            "wayside": self.wayside,
            "manifest": dict(self.manifest),
            "formerSites": list(self.former_sites),
            "health": [dataclasses.asdict(check) for check in self.health],
            "pulls": dict(self.pulls),
        }

    def to_bytes(self) -> bytes:
        """Return the revision as JSON text."""
        return json.dumps(self.to_document(), separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SiteRevision:
        """Read what `to_document` wrote.

        Raises:
            StateError: It was written by a version that is not understood.
        """
        if document.get("version") != _VERSION:
            raise StateError(
                f"expected a stored revision of version {_VERSION}, found {document.get('version')!r}",
                code="state-unknown-version",
            )
        try:
            sync = dict(document["sync"])
            sync["confirm_deletes"] = tuple(sync["confirm_deletes"])
            sync["drift_rules"] = tuple(
                DriftRule(**{**rule, "fields": tuple(rule["fields"])}) for rule in sync.get("drift_rules", ())
            )
            return cls(
                commit=document["commit"],
                committed_at=datetime.datetime.fromisoformat(document["committedAt"]),
                subject=document["subject"],
                site=document["site"],
                platform=document["platform"],
                sync=SyncSettings(**sync),
                target=Target(
                    type=TargetType(document["target"]["type"]),
                    path=document["target"]["path"],
                    context=document["target"]["context"],
                ),
                resources=tuple(Resource(manifest) for manifest in document["resources"]),
                digests=Digests(**document["digests"]),
                wayside=document["wayside"],
                manifest=document.get("manifest") or {},
                former_sites=tuple(document.get("formerSites") or ()),
                health=tuple(HealthCheck(**check) for check in document.get("health") or ()),
                pulls=document.get("pulls") or {},
            )
        except (KeyError, TypeError, ValueError) as err:
            raise StateError(
                f"expected a stored revision, found one that cannot be read: {type(err).__name__} {err}",
                code="state-unknown-version",
            ) from err

    @classmethod
    def from_bytes(cls, content: bytes) -> SiteRevision:
        """Read what `to_bytes` wrote.

        Raises:
            StateError: It is something else.
        """
        try:
            document = json.loads(content)
        except ValueError as err:
            raise StateError(
                "expected a stored revision, found no JSON", code="state-unknown-version"
            ) from err
        return cls.from_document(document)
