"""ValidatingAdmissionPolicy and its bindings, with the API server's semantics and words.

policy = AdmissionPolicy.parse(document, bindings=[binding])
policy.review(object=deployment).allowed

Nothing is imported before it is asked for: many fleets have no admission policies, and their check has no
time to lose.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.rules.admission.kinds import ApiKinds, builtin_kinds
    from reconciler.rules.admission.policy import KUBERNETES, AdmissionPolicy
    from reconciler.rules.admission.problem import InvalidPolicy, Problem
    from reconciler.rules.admission.request import AdmissionRequest
    from reconciler.rules.admission.review import Denial, Review

__all__ = [
    "KUBERNETES",
    "AdmissionPolicy",
    "AdmissionRequest",
    "ApiKinds",
    "Denial",
    "InvalidPolicy",
    "Problem",
    "Review",
    "builtin_kinds",
]

_MODULES = {
    "KUBERNETES": "policy",
    "AdmissionPolicy": "policy",
    "AdmissionRequest": "request",
    "ApiKinds": "kinds",
    "Denial": "review",
    "InvalidPolicy": "problem",
    "Problem": "problem",
    "Review": "review",
    "builtin_kinds": "kinds",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
