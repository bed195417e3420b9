"""ValidatingAdmissionPolicy and its bindings, with the API server's semantics and words.

policy = AdmissionPolicy.parse(document, bindings=[binding])
policy.review(object=deployment).allowed
"""

from __future__ import annotations

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
