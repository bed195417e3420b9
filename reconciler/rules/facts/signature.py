"""The facts of an image's signatures and attestations."""

from __future__ import annotations

import json
from typing import Any

from reconciler.model.trust import Attestation, ImageTrust
from reconciler.rules.facts.plain import as_mapping, dig

__all__ = ["signature_values"]

#: Statements with more than this, such as lists of all components, are known by their type and signer alone.
_LARGEST_PREDICATE = 64 * 1024


def signature_values(trust: ImageTrust) -> dict[str, Any]:
    """Return the facts that an image has by what is known of its signatures."""
    return {
        "signed": trust.signed,
        "signatureRequired": trust.required,
        "signers": list(trust.signers),
        "signatureProblems": list(trust.problems),
        "signatureExempt": trust.exempt,
        "repositoryBinding": trust.repository,
        "attestations": [_attestation(each) for each in trust.attestations],
    }


def _attestation(attestation: Attestation) -> dict[str, Any]:
    predicate = attestation.predicate
    known = as_mapping(predicate)
    # SLSA provenance: v1, then v0.2 (slsa.dev/provenance).
    builder = dig(known, "runDetails", "builder", "id") or dig(known, "builder", "id")
    kind = dig(known, "buildDefinition", "buildType") or known.get("buildType")
    small = len(json.dumps(predicate)) <= _LARGEST_PREDICATE
    return {
        "predicateType": attestation.predicate_type,
        "signer": attestation.signer,
        "builder": builder if isinstance(builder, str) else "",
        "buildType": kind if isinstance(kind, str) else "",
        "predicate": predicate if small else None,
    }
