"""Signatures of images and of anything else: verified over bytes, without network and without a clock.

`verify` is the whole of it for one Sigstore bundle. The modules here import `cryptography`, so that nothing
else of Wayside should import them before a signature is to be verified.
"""

from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.verifier import Identity, Pattern, Verified, verify

__all__ = ["Identity", "Pattern", "SignatureRefused", "Verified", "verify"]
