"""The CustomResourceDefinition of `Site`: the status that people read, and the parent of the site's ApplySet.

`deploy/crds/sites.wayside.dev.yaml` is this as a file; a test holds them equal.
"""

from __future__ import annotations

from typing import Any

from reconciler.planning.applyset import SITE_GROUP, SITE_KIND

__all__ = ["SITE_VERSION", "site_crd"]

SITE_VERSION = "v1alpha1"


def site_crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"sites.{SITE_GROUP}",
            "labels": {"applyset.kubernetes.io/is-parent-type": "true"},
        },
        "spec": {
            "group": SITE_GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": SITE_KIND,
                "listKind": "SiteList",
                "plural": "sites",
                "singular": "site",
                "categories": ["wayside"],
            },
            "versions": [
                {
                    "name": SITE_VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _columns() -> list[dict[str, Any]]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{ready}.status"},
        {"name": "State", "type": "string", "jsonPath": ".status.state"},
        {"name": "Reason", "type": "string", "jsonPath": f"{ready}.reason"},
        {"name": "Revision", "type": "string", "jsonPath": ".status.lastAppliedRevision"},
        {"name": "Objects", "type": "integer", "jsonPath": ".status.inventory.count"},
        {
            "name": "Facts",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="FactsMatch")].status',
            "priority": 1,
        },
        {"name": "Synced", "type": "date", "jsonPath": ".status.lastAppliedTime"},
        {"name": "Platform", "type": "string", "jsonPath": ".spec.platform", "priority": 1},
        {"name": "Status", "type": "string", "jsonPath": f"{ready}.message", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _schema() -> dict[str, Any]:
    text = {"type": "string"}
    condition = {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": {**text, "maxLength": 316},
            "status": {**text, "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {**text, "format": "date-time"},
            "reason": {**text, "minLength": 1, "maxLength": 1024},
            "message": {**text, "maxLength": 32768},
        },
    }
    return {
        "type": "object",
        "description": "One site of a fleet, as its agent sees it. The agent owns the spec.",
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "description": "The site's facts, as they stand in the fleet's repository.",
                "x-kubernetes-preserve-unknown-fields": True,
            },
            "status": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {
                    "observedGeneration": {"type": "integer", "format": "int64"},
                    "state": {
                        **text,
                        "description": "Ready, Progressing, Degraded, RolledBack, Held, OutOfSync, Suspended"
                        " or Unknown.",
                    },
                    "lastAppliedRevision": text,
                    "lastAppliedTime": {**text, "format": "date-time"},
                    "lastAttemptedRevision": text,
                    "lastHandledReconcileAt": {
                        **text,
                        "description": "The reconcile.wayside.dev/requestedAt that was acted on last.",
                    },
                    "factDifferences": {
                        "type": "array",
                        "description": "What of the spec the cluster contradicts.",
                        "items": text,
                    },
                    "syncs": {
                        "type": "array",
                        "description": "How the last five syncs ended, the newest first.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "revision": text,
                                "result": text,
                                "reason": text,
                                "time": {**text, "format": "date-time"},
                                "digests": {
                                    "type": "object",
                                    "properties": {"inputs": text, "rules": text, "verdict": text},
                                },
                            },
                        },
                    },
                    "inventory": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "properties": {"count": {"type": "integer"}},
                    },
                    "conditions": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["type"],
                        "items": condition,
                    },
                },
            },
        },
    }
