"""Which documents are admission policies. Light, so that a fleet without any loads nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["BINDING_KIND", "GROUP", "POLICY_KIND", "is_admission"]

GROUP = "admissionregistration.k8s.io"
POLICY_KIND = "ValidatingAdmissionPolicy"
BINDING_KIND = "ValidatingAdmissionPolicyBinding"
_KINDS = frozenset({POLICY_KIND, BINDING_KIND, "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})


def is_admission(manifest: Any) -> bool:
    """Tell whether a document is an admission policy or a binding, of whatever version."""
    if not isinstance(manifest, Mapping):
        return False
    group, kind = str(manifest.get("apiVersion") or "").partition("/")[0], manifest.get("kind")
    return group == GROUP and isinstance(kind, str) and kind in _KINDS
