"""`wayside images verify --bundle`: one signature, with or without a fleet around."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.style import Style
from reconciler.errors import UsageError
from reconciler.fleet.trust import TRUSTED_ROOT

if TYPE_CHECKING:
    from reconciler.images.signatures.artifact import Artifact
    from reconciler.images.signatures.keys import PublicKey
    from reconciler.images.signatures.trusted_root import TrustedRoot
    from reconciler.images.signatures.verifier import Identity, Pattern, Verified

__all__ = ["verify_bundle"]

_DIGEST = re.compile(r"sha(256|384|512):[0-9A-Fa-f]+\Z")
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Root:
    root: TrustedRoot
    source: str


def verify_bundle(options: argparse.Namespace) -> int:
    """Verify a bundle and print what it proves.

    Returns:
        0 where it is right, 1 where it is refused.

    Raises:
        UsageError: The command line is wrong, or a file cannot be read.
    """
    from reconciler.images.signatures.bundle import Bundle
    from reconciler.images.signatures.refusal import SignatureRefused
    from reconciler.images.signatures.verifier import verify_content

    if len(options.subject) != 1:
        found = f"{len(options.subject)} of them" if options.subject else "none"
        raise UsageError(f"expected one file or digest with --bundle, found {found}", code="usage")
    data = _read(options.bundle, most=_MOST_BYTES)
    artifact = _artifact(options.subject[0])
    style = Style.for_stream(sys.stderr, os.environ)
    source = ""
    try:
        wanted = _wanted(options)
        bundle = Bundle.parse(data)
        root = None
        if options.trusted_root is not None or options.key is None or bundle.entries or bundle.timestamps:
            found_root = _root(options)
            root, source = found_root.root, found_root.source
        verified = verify_content(bundle, artifact, wanted=wanted, root=root)
    except SignatureRefused as err:
        if options.format == "json":
            print(json.dumps({"verified": False, "code": err.code, "message": err.message}, indent=2))
        print(style.error(f"refused[{err.code}]") + f": {err.message}", file=sys.stderr)
        if err.hint:
            print(f"  = {style.strong('hint')}: {err.hint}", file=sys.stderr)
        if source:
            print(f"  = {style.strong('trusted root')}: {source}", file=sys.stderr)
        return 1
    _print(options, artifact, verified, source)
    return 0


def _print(options: argparse.Namespace, artifact: Artifact, verified: Verified, source: str) -> None:
    signer = verified.identity or f"the key in {options.key}"
    predicate = verified.statement.predicate_type if verified.statement is not None else ""
    times = [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in verified.times]
    if options.format == "json":
        shown = {
            "verified": True,
            "artifact": str(artifact),
            "signer": verified.identity,
            "issuer": verified.issuer,
            "key": options.key or "",
            "predicateType": predicate,
            "logEntries": verified.logged,
            "times": times,
            "trustedRoot": source,
        }
        print(json.dumps(shown, indent=2))
        return
    print(f"verified: {artifact}")
    print(
        f"  signed by         {signer}" + (f", vouched for by {verified.issuer}" if verified.issuer else "")
    )
    if predicate:
        print(f"  says              {predicate}")
    entries = "1 entry" if verified.logged == 1 else f"{verified.logged} entries"
    print(f"  transparency log  {entries if verified.logged else 'none: the key alone vouches'}")
    print(f"  signed at         {', '.join(times) if times else 'not known: nobody vouches for a time'}")
    if source:
        print(f"  trusted root      {source}")


def _wanted(options: argparse.Namespace) -> PublicKey | Identity:
    from reconciler.images.signatures.keys import PublicKey
    from reconciler.images.signatures.verifier import Identity

    owner = _pattern(options, "certificate_identity")
    issuer = _pattern(options, "certificate_oidc_issuer")
    if options.key is not None:
        if owner is not None or issuer is not None:
            raise UsageError(
                "expected either --key or --certificate-identity and --certificate-oidc-issuer, found both",
                code="usage",
            )
        return PublicKey.parse(_read(options.key, most=_MOST_BYTES))
    if owner is None or issuer is None:
        found = "--certificate-identity alone" if owner else "the issuer alone" if issuer else "none of them"
        raise UsageError(
            f"expected --key, or --certificate-identity with --certificate-oidc-issuer, found {found}",
            code="usage",
            hint="anybody can sign: say who should have",
        )
    return Identity(owner, issuer)


def _pattern(options: argparse.Namespace, name: str) -> Pattern | None:
    from reconciler.images.signatures.verifier import Pattern

    exact, expression = getattr(options, name), getattr(options, f"{name}_regexp")
    flag = f"--{name.replace('_', '-')}"
    if exact is not None and expression is not None:
        raise UsageError(f"expected either {flag} or {flag}-regexp, found both", code="usage")
    if expression is not None:
        try:
            re.compile(expression)
        except re.error as err:
            raise UsageError(f"expected a regular expression for {flag}-regexp: {err}", code="usage") from err
        return Pattern(expression, regexp=True)
    return Pattern(exact) if exact is not None else None


def _artifact(text: str) -> Artifact:
    from reconciler.images.signatures.artifact import Artifact
    from reconciler.images.signatures.refusal import SignatureRefused

    if not _DIGEST.match(text):
        return Artifact.of(_read(text))
    try:
        return Artifact.named(text.lower())
    except SignatureRefused as err:
        raise UsageError(err.message, code="usage") from err


def _root(options: argparse.Namespace) -> _Root:
    from reconciler.images.signatures.public_good import public_good_root
    from reconciler.images.signatures.trusted_root import TrustedRoot

    if options.trusted_root is not None:
        return _Root(TrustedRoot.parse(_read(options.trusted_root, most=_MOST_BYTES)), options.trusted_root)
    pinned = _pinned(options.fleet)
    if pinned is not None:
        return pinned
    shown = "Sigstore's public one, as it comes with this version of Wayside"
    return _Root(TrustedRoot.parse(public_good_root()), shown)


def _pinned(directory: str) -> _Root | None:
    """Return the trusted root of the fleet around a directory, or None where there is no fleet or no root."""
    from reconciler.cli.repository import open_repository
    from reconciler.fleet.loading import load_fleet
    from reconciler.images.signatures.trusted_root import TrustedRoot

    try:
        with open_repository(directory) as repository:
            fleet = load_fleet(repository.tree).fleet
    except UsageError:
        return None
    if fleet is None:
        raise UsageError(
            "fleet.yaml is not valid, so its trusted root is not known",
            code="fleet-schema",
            hint="`wayside check` says what is wrong; or name one by --trusted-root",
        )
    if fleet.trust.trusted_root is None:
        return None
    spec = fleet.manifest.get("spec") or {}
    path = (spec.get("trust") or {}).get("trustedRoot", TRUSTED_ROOT)
    return _Root(TrustedRoot.parse(fleet.trust.trusted_root), f"{path} of the fleet {fleet.name}")


def _read(path: str, *, most: int = -1) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1 if most >= 0 else -1)
    except OSError as err:
        raise UsageError(f"cannot read {path}: {err.strerror}", code="input") from err
    if 0 <= most < len(data):
        raise UsageError(f"expected at most {most} bytes in {path}, found more", code="input")
    return data
