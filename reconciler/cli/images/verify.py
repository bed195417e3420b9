"""`wayside images verify`: are the images signed by those whom the fleet trusts?"""

from __future__ import annotations

import argparse

from reconciler.errors import UsageError

__all__ = ["add_arguments", "run"]

_OF_BUNDLE = (
    "key",
    "certificate_identity",
    "certificate_identity_regexp",
    "certificate_oidc_issuer",
    "certificate_oidc_issuer_regexp",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "subject",
        nargs="*",
        metavar="IMAGE|FILE|DIGEST",
        help="images of the lock (default: all); with --bundle, the signed file or its sha256:... digest",
    )
    parser.add_argument("--bundle", metavar="FILE", help="verify this Sigstore bundle")
    parser.add_argument("--key", metavar="FILE", help="the public key that must have signed, in PEM")
    parser.add_argument("--certificate-identity", metavar="NAME", help="the owner of the signing certificate")
    parser.add_argument(
        "--certificate-identity-regexp",
        metavar="REGEXP",
        help="the same, as an expression that matches it whole",
    )
    parser.add_argument(
        "--certificate-oidc-issuer", metavar="URL", help="the identity provider that vouched for the owner"
    )
    parser.add_argument(
        "--certificate-oidc-issuer-regexp",
        metavar="REGEXP",
        help="the same, as an expression that matches it whole",
    )
    parser.add_argument(
        "--trusted-root",
        metavar="FILE",
        help="trusted_root.json (default: the fleet's, or else the public one that comes with Wayside)",
    )
    parser.add_argument(
        "--fleet", default=".", metavar="DIR", help="the fleet (default: the one that we are in)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the result")


def run(options: argparse.Namespace) -> int:
    """Verify what was named."""
    if options.bundle is not None:
        from reconciler.cli.images.bundle import verify_bundle

        return verify_bundle(options)
    given = [name for name in (*_OF_BUNDLE, "trusted_root") if getattr(options, name) is not None]
    if given:
        raise UsageError(
            f"expected --bundle with --{given[0].replace('_', '-')}, found none",
            code="usage",
            hint="who signs the images of a fleet is said in fleet.yaml, under spec.trust",
        )
    from reconciler.cli.images.locked import verify_locked

    return verify_locked(options)
