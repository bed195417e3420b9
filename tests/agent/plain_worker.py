"""A worker whose judge reads plain objects: fast, and free of rendering and rules.

`sites/<name>/objects.json` is a list of objects; `sites/<name>/site.json`, where it is there, has
`sync` (fields of SyncSettings), `deny` (reasons), `suspend`, `manifest` (what the site declares) and
`former` (names that it had) and `health` (checks).
"""

from __future__ import annotations

import json
from typing import Any

from reconciler import __version__
from reconciler.agent import worker
from reconciler.agent.assessment import Allowed, Assessment, Held, Reason, Refused, Suspended
from reconciler.agent.revision import Digests, SiteRevision
from reconciler.documents.tree import EntryType, FileTree
from reconciler.model.health_check import HealthCheck
from reconciler.model.resource import Resource
from reconciler.model.site import DriftRule, SyncSettings, Target
from reconciler.ports.source import Revision


def _settings(sync: dict[str, Any]) -> SyncSettings:
    rules = tuple(
        DriftRule(**{**rule, "fields": tuple(rule.get("fields", ()))}) for rule in sync.pop("drift_rules", ())
    )
    return SyncSettings(**sync, drift_rules=rules)


def judge(tree: FileTree, revision: Revision, site: str) -> Assessment:
    folder = f"sites/{site}"
    if tree.entry_type(folder) is not EntryType.DIRECTORY:
        return Held(revision.commit, "SiteRemoved", "gone")
    facts = {}
    if tree.entry_type(f"{folder}/site.json") is EntryType.FILE:
        facts = json.loads(tree.read(f"{folder}/site.json"))
    if facts.get("suspend"):
        return Suspended(revision.commit)
    if facts.get("deny"):
        return Refused(revision.commit, "rules", tuple(Reason("test", text) for text in facts["deny"]), 1)
    objects = json.loads(tree.read(f"{folder}/objects.json"))
    return Allowed(
        SiteRevision(
            commit=revision.commit,
            committed_at=revision.committed_at,
            subject=revision.subject,
            site=site,
            platform="k3s",
            sync=_settings(facts.get("sync", {})),
            target=Target(),
            resources=tuple(Resource(manifest) for manifest in objects),
            digests=Digests("sha256:i", "sha256:r", "sha256:v"),
            wayside=__version__,
            manifest=facts.get("manifest", {}),
            former_sites=tuple(facts.get("former", ())),
            health=tuple(HealthCheck(**check) for check in facts.get("health", ())),
        )
    )


if __name__ == "__main__":
    worker.main(judge)
