"""`wayside images verify` without a bundle: every image of the lock, or those that are named."""

from __future__ import annotations

import argparse
import datetime
import difflib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from reconciler.cli.style import Style
from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.images.trust import TrustBook
    from reconciler.model.finding import Finding
    from reconciler.model.fleet import Fleet
    from reconciler.model.lock import ImagesLock, LockedImage
    from reconciler.model.trust import ImageTrust

__all__ = ["verify_locked"]

_MOST_SITES = 3


@dataclass(frozen=True, slots=True)
class _Judged:
    """One image, and what is known of it at sites that are alike in this."""

    image: LockedImage
    trust: ImageTrust
    sites: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.image.name}:{self.image.tag}" if self.image.tag else self.image.name

    @property
    def is_refused(self) -> bool:
        return self.trust.required and not self.trust.signed


def verify_locked(options: argparse.Namespace) -> int:
    """Verify images of the lock by `spec.trust` of the fleet, and print what is known of each.

    Returns:
        0 where every image has what is demanded of it, 1 where one has not.

    Raises:
        InputError: `fleet.yaml` or `images.lock` is not valid.
        UsageError: There is no fleet, no lock, or no such image in it.
    """
    from reconciler.cli.repository import open_repository
    from reconciler.fleet.loading import load_fleet
    from reconciler.fleet.lock import load_lock
    from reconciler.images.evidence import Evidence
    from reconciler.images.trust import TrustBook

    with open_repository(options.fleet) as repository:
        load = load_fleet(repository.tree)
        if load.fleet is None:
            raise _invalid(load.findings)
        lock, findings = load_lock(repository.tree)
        if findings:
            raise _invalid(findings)
        if lock is None:
            raise UsageError(
                "there is no images.lock in the fleet",
                code="no-lock",
                hint="`wayside images lock` writes it, with the evidence that signatures are verified from",
            )
        book = TrustBook(load.fleet.trust, Evidence(repository.tree))
        judged = [
            each
            for image in _chosen(lock, options.subject)
            for each in _judge(image, load.fleet, book, at=datetime.datetime.now(datetime.UTC))
        ]
    if options.format == "json":
        print(json.dumps(_document(judged), indent=2))
    else:
        _print(judged, total=len(load.fleet.sites))
    return 1 if any(each.is_refused for each in judged) else 0


def _invalid(findings: Sequence[Finding]) -> InputError:
    first = findings[0]
    return InputError(first.message, at=first.location, code=first.rule, hint=first.hint)


def _chosen(lock: ImagesLock, wanted: Sequence[str]) -> Iterator[LockedImage]:
    """Yield the images of the lock that are meant: by name, name and tag, or a pattern of either."""
    images = list(lock.images.values())
    for text in wanted:
        if not any(_is_meant(image, text) for image in images):
            names = [_texts(image)[0] for image in images]
            close = difflib.get_close_matches(text, names, n=1)
            hint = f"did you mean {close[0]}?" if close else "`wayside images list` shows what is locked"
            raise UsageError(f"expected an image of images.lock, found {text!r}", code="no-image", hint=hint)
    for image in images:
        if not wanted or any(_is_meant(image, text) for text in wanted):
            yield image


def _is_meant(image: LockedImage, text: str) -> bool:
    return any(name == text or fnmatchcase(name, text) for name in _texts(image))


def _texts(image: LockedImage) -> tuple[str, ...]:
    tagged = f"{image.name}:{image.tag}" if image.tag else image.name
    return tagged, image.name, f"{tagged}@{image.digest}", f"{image.name}@{image.digest}"


def _judge(image: LockedImage, fleet: Fleet, book: TrustBook, *, at: datetime.datetime) -> Iterator[_Judged]:
    """Yield what is known of an image, once for all sites that are alike in this."""
    from reconciler.model.image import ImageReference

    reference = ImageReference(image.name, image.tag, image.digest)
    sites: dict[str, list[str]] = {}
    found: dict[str, ImageTrust] = {}
    for site in fleet.sites.values():
        trust = book.judge_of(site, at).judge(reference, image)
        key = repr(trust)
        found[key] = trust
        sites.setdefault(key, []).append(site.name)
    for key, trust in found.items():
        yield _Judged(image, trust, tuple(sites[key]))


def _print(judged: Iterable[_Judged], *, total: int) -> None:
    style = Style.for_stream(sys.stdout, os.environ)
    refused = demanded = 0
    for each in judged:
        trust = each.trust
        at = f" at {_sites(each.sites)}" if len(each.sites) < total else ""
        demanded += trust.required
        refused += each.is_refused
        if each.is_refused:
            print(style.error("refused") + f"  {each.name}{at}: {'; '.join(trust.problems)}")
            continue
        by = ", ".join(trust.signers)
        if trust.signers:
            what = f"signed by {by} (repository: {trust.repository})"
        else:
            what = (
                f"needs no signature: {trust.exempt}"
                if trust.exempt
                else "no entry of spec.trust.images fits it"
            )
        word = "signed " if trust.required else "free   "
        print(f"{word}  {each.name}{at}: {what}")
        for attestation in trust.attestations:
            print(f"         {attestation.predicate_type} by {attestation.signer}")
    print(f"{demanded} that must be signed, {refused} refused")


def _sites(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SITES} more" if len(names) > _MOST_SITES else ""
    return ", ".join(names[:_MOST_SITES]) + more


def _document(judged: Iterable[_Judged]) -> dict[str, Any]:
    return {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "ImageVerification",
        "images": [
            {
                "name": each.image.name,
                "tag": each.image.tag,
                "digest": each.image.digest,
                "sites": list(each.sites),
                "required": each.trust.required,
                "signed": each.trust.signed,
                "signers": list(each.trust.signers),
                "repository": each.trust.repository,
                "exempt": each.trust.exempt,
                "problems": list(each.trust.problems),
                "attestations": [
                    {"predicateType": one.predicate_type, "signer": one.signer}
                    for one in each.trust.attestations
                ],
            }
            for each in judged
        ],
    }
