"""Why a signature is not accepted."""

from __future__ import annotations

from reconciler.errors import WaysideError

__all__ = ["SignatureRefused"]


class SignatureRefused(WaysideError):
    """A signature, or what it stands on, is not accepted. The first reason found is the one given.

    Codes: `bundle-malformed`, `root-malformed`, `key-unusable`, `signature-invalid`, `digest-mismatch`,
    `statement-invalid`, `log-invalid`, `log-missing`, `timestamp-invalid`, `time-missing`,
    `certificate-invalid`, `sct-invalid`, `identity-mismatch`, `issuer-mismatch`, `repository-mismatch`,
    `material-mismatch`.
    """
