"""Whether images are signed by those whom a fleet trusts, from evidence alone.

What was verified is remembered by digest and signer: a signature of an image is verified once, however many
sites and workloads use that image. `cryptography` is loaded when the first signature is to be verified.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.images.evidence import Evidence, EvidenceError
from reconciler.model.digest import digest_bytes, digest_value
from reconciler.model.image import ImageReference
from reconciler.model.lock import LockedImage
from reconciler.model.site import Site
from reconciler.model.trust import (
    Attestation,
    ImageTrust,
    SignatureDemand,
    Signer,
    SigningKey,
    Trust,
    TrustEntry,
    TrustJudge,
)

if TYPE_CHECKING:
    from reconciler.images.signatures.claim import Claim
    from reconciler.images.signatures.keys import PublicKey
    from reconciler.images.signatures.layout import Broken, ImageSignature
    from reconciler.images.signatures.trusted_root import TrustedRoot
    from reconciler.images.signatures.verifier import Identity

__all__ = ["TrustBook"]

#: The signer that a site's own installation brings; no signer of a fleet can have this name.
INSTALLATION = "this site's installation"
_NO_DEMAND = SignatureDemand()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one signer's signatures of one image come to."""

    claims: tuple[Claim, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Memo:
    signatures: dict[tuple[str, ...], tuple[ImageSignature | Broken, ...]] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, tuple[str, ...], tuple[bool, ...]], _Outcome] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    roots: dict[bytes | None, TrustedRoot | str] = field(default_factory=dict)


class TrustBook:
    """A fleet's trust and a revision's evidence; asked for every site of the revision.

    Args:
        trust: Whose signatures count.
        evidence: Of the revision.
        demand: What a site's installation demands: that an image that no entry of the fleet is about is
            signed as well, that no entry may say that none is needed, and that keys of its own have signed.
    """

    def __init__(self, trust: Trust, evidence: Evidence, *, demand: SignatureDemand = _NO_DEMAND) -> None:
        if demand.keys:
            keys = tuple(
                SigningKey(f"the installation's key {number}", pem.encode())
                for number, pem in enumerate(demand.keys, start=1)
            )
            trust = replace(trust, signers={**trust.signers, INSTALLATION: Signer(INSTALLATION, keys)})
        self._trust = trust
        self._evidence = evidence
        self._required = demand.required or bool(demand.keys)
        self._memo = _Memo()
        self._judges: dict[tuple[tuple[int, ...], datetime.datetime], TrustJudge] = {}

    @cached_property
    def digest(self) -> str:
        """Of all that decides here but the evidence; "" for a fleet that says nothing of signatures."""
        if not (self._trust.signers or self._trust.entries or self._required):
            return ""
        entries = [replace(entry, at=None) for entry in self._trust.entries]
        signers = [
            replace(signer, keys=tuple(replace(key, at=None) for key in signer.keys))
            for signer in self._trust.signers.values()
        ]
        root = digest_bytes(self._trust.trusted_root or b"")
        return digest_value([self._required, root, [repr(each) for each in (*signers, *entries)]])

    def judge_of(self, site: Site, at: datetime.datetime) -> TrustJudge:
        """Return what judges the images of a site; sites that are alike in this get the same.

        Args:
            site: The site.
            at: The commit's time, by which keys begin and end to count.
        """
        entries = tuple(
            number
            for number, entry in enumerate(self._trust.entries)
            if not entry.sites or any(fnmatchcase(site.name, pattern) for pattern in entry.sites)
        )
        judge = self._judges.get((entries, at))
        if judge is None:
            chosen = tuple(self._trust.entries[number] for number in entries)
            judge = self._judges[entries, at] = _SiteTrust(
                self._trust, chosen, self._evidence, at=at, required=self._required, memo=self._memo
            )
        return judge


class _SiteTrust:
    """Judges the images of sites that have the same entries."""

    def __init__(
        self,
        trust: Trust,
        entries: tuple[TrustEntry, ...],
        evidence: Evidence,
        *,
        at: datetime.datetime,
        required: bool,
        memo: _Memo,
    ) -> None:
        self._trust = trust
        self._entries = entries
        self._evidence = evidence
        self._at = at
        self._required = required
        self._memo = memo
        self._known: dict[tuple[ImageReference, str, tuple[str, ...]], ImageTrust] = {}

    def judge(self, reference: ImageReference, locked: LockedImage | None) -> ImageTrust:
        """Judge an image by its reference as it is applied, and its entry in the lock."""
        key = (reference, locked.digest if locked else "", locked.signatures if locked else ())
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._judge(reference, locked)
        return found

    def _judge(self, reference: ImageReference, locked: LockedImage | None) -> ImageTrust:
        repository = reference.normalized_name
        entry = next((each for each in self._entries if _matches(each, repository)), None)
        exempt = entry.unsigned if entry is not None and not self._required else ""
        demanded = entry is not None and not entry.unsigned
        required = demanded or self._required
        if not self._trust.signers and not required:
            return ImageTrust(exempt=exempt)
        missing = self._missing(reference, locked)
        if missing or locked is None:
            return ImageTrust(required=required, problems=(missing,) if required else (), exempt=exempt)
        try:
            signatures = self._signatures(locked)
        except EvidenceError as err:
            return ImageTrust(required=required, problems=(err.message,), exempt=exempt)
        return self._weigh(repository, locked, signatures, entry if demanded else None, exempt=exempt)

    def _missing(self, reference: ImageReference, locked: LockedImage | None) -> str:
        """Return why nothing can be known of an image's signatures, or ""."""
        if locked is None:
            return "it is not in images.lock, so nothing is known of its signatures"
        if not reference.digest:
            return "it is pulled by its tag, so a signature says nothing of what is pulled"
        if reference.digest == locked.digest:
            return ""
        try:
            members = self._members(locked.digest)
        except EvidenceError as err:
            return err.message
        if reference.digest not in members:
            return f"its digest is not the signed one, {locked.digest}, nor in the index of that digest"
        return ""

    def _members(self, digest: str) -> frozenset[str]:
        """Return the digests that an index lists."""
        found = self._memo.members.get(digest)
        if found is None:
            found = self._memo.members[digest] = _listed(self._evidence.read(digest))
        return found

    def _weigh(
        self,
        repository: str,
        locked: LockedImage,
        signatures: tuple[ImageSignature | Broken, ...],
        entry: TrustEntry | None,
        *,
        exempt: str,
    ) -> ImageTrust:
        any_repository = entry is not None and entry.any_repository
        problems: dict[str, tuple[str, ...]] = {}
        signed: dict[str, bool] = {}
        attestations: list[Attestation] = []
        for name, signer in self._trust.signers.items():
            outcome = self._outcome(signer, locked, signatures)
            problems[name] = outcome.problems
            for claim in outcome.claims:
                binding = claim.binding(repository).value
                if binding == "elsewhere" and not any_repository:
                    problems[name] = (
                        *problems[name],
                        f"expected a signature for {repository}, found one for {claim.named}",
                    )
                elif claim.predicate_type:
                    attestations.append(Attestation(claim.predicate_type, name, claim.predicate))
                else:
                    signed[name] = signed.get(name, False) or binding == "bound"
        lacking = list(_lacking(entry, signed, attestations, problems)) if entry is not None else []
        if entry is None and self._required and not signed:
            known = " or ".join(self._trust.signers) or "anybody: fleet.yaml names no signers"
            why = tuple(dict.fromkeys(reason for each in problems.values() for reason in each))
            lacking.append(
                f"this site takes signed images only, and it is not signed by {known}{_because(why)}"
            )
        elif INSTALLATION in self._trust.signers and INSTALLATION not in signed:
            lacking.append(f"it is not signed by {INSTALLATION}{_because(problems[INSTALLATION])}")
        return ImageTrust(
            required=entry is not None or self._required,
            signed=not lacking and (entry is not None or bool(signed)),
            signers=tuple(sorted(signed)),
            problems=tuple(lacking),
            repository="" if not signed else "bound" if any(signed.values()) else "unbound",
            attestations=tuple(attestations),
            exempt=exempt,
        )

    def _signatures(self, locked: LockedImage) -> tuple[ImageSignature | Broken, ...]:
        from reconciler.images.signatures.layout import read_signatures

        key = (locked.digest, *locked.signatures)
        found = self._memo.signatures.get(key)
        if found is None:
            read = self._evidence.read
            found = self._memo.signatures[key] = tuple(
                each
                for digest in locked.signatures
                for each in read_signatures(digest, read, image=locked.digest)
            )
        return found

    def _outcome(
        self, signer: Signer, locked: LockedImage, signatures: tuple[ImageSignature | Broken, ...]
    ) -> _Outcome:
        counts = tuple(_counts(key.not_before, key.not_after, self._at) for key in signer.keys)
        memo_key = (signer.name, locked.digest, locked.signatures, counts)
        found = self._memo.outcomes.get(memo_key)
        if found is None:
            found = self._memo.outcomes[memo_key] = self._verify(signer, locked.digest, signatures, counts)
        return found

    def _verify(
        self,
        signer: Signer,
        digest: str,
        signatures: tuple[ImageSignature | Broken, ...],
        counts: tuple[bool, ...],
    ) -> _Outcome:
        from reconciler.images.signatures.claim import verify_image
        from reconciler.images.signatures.layout import Broken
        from reconciler.images.signatures.refusal import SignatureRefused

        claims: list[Claim] = []
        problems: dict[str, None] = {}
        wanted = list(self._wanted(signer, counts, problems))
        root = self._root(signer)
        for signature in signatures:
            if isinstance(signature, Broken):
                problems[signature.reason.message] = None
                continue
            for each in wanted:
                try:
                    if isinstance(root, str):
                        raise SignatureRefused(root, code="root-malformed")  # noqa: TRY301  as any other refusal
                    claims.append(verify_image(signature, digest, wanted=each, root=root))
                    break
                except SignatureRefused as err:
                    if err.code != "material-mismatch":
                        problems[err.message] = None
        if not signatures:
            problems["it has no signature"] = None
        return _Outcome(tuple(claims), tuple(problems))

    def _wanted(
        self, signer: Signer, counts: tuple[bool, ...], problems: dict[str, None]
    ) -> Iterator[PublicKey | Identity]:
        from reconciler.images.signatures.keys import PublicKey
        from reconciler.images.signatures.refusal import SignatureRefused
        from reconciler.images.signatures.verifier import Identity, Pattern

        for key, holds in zip(signer.keys, counts, strict=True):
            if not holds:
                span = _span(key.not_before, key.not_after)
                problems[f"{key.path} counts {span}, and the commit is of {self._at:%Y-%m-%d %H:%M}Z"] = None
                continue
            try:
                yield PublicKey.parse(key.pem)
            except SignatureRefused as err:
                problems[f"{key.path} cannot be used: {err.message}"] = None
        for owner in signer.owners:
            yield Identity(
                Pattern(owner.identity, owner.identity_regexp), Pattern(owner.issuer, owner.issuer_regexp)
            )

    def _root(self, signer: Signer) -> TrustedRoot | str:
        from reconciler.images.signatures.public_good import public_good_root
        from reconciler.images.signatures.refusal import SignatureRefused
        from reconciler.images.signatures.trusted_root import TrustedRoot

        data = signer.trusted_root or self._trust.trusted_root
        found = self._memo.roots.get(data)
        if found is None:
            try:
                found = TrustedRoot.parse(data if data is not None else public_good_root())
            except SignatureRefused as err:
                found = f"the trusted root cannot be used: {err.message}"
            self._memo.roots[data] = found
        return found


def _lacking(
    entry: TrustEntry,
    signed: dict[str, bool],
    attestations: list[Attestation],
    problems: dict[str, tuple[str, ...]],
) -> Iterator[str]:
    """Yield what an entry demands and is not there."""
    for name in entry.all_of:
        if name not in signed:
            yield f"it is not signed by {name}{_because(problems.get(name, ()))}"
    if entry.any_of and not any(name in signed for name in entry.any_of):
        why = tuple(dict.fromkeys(reason for name in entry.any_of for reason in problems.get(name, ())))
        yield f"it is not signed by {' or '.join(entry.any_of)}{_because(why)}"
    for demand in entry.attestations:
        made = [each for each in attestations if each.predicate_type == demand.predicate_type]
        if not any(each.signer in demand.any_of for each in made):
            yield f"it has no statement {demand.predicate_type} by {' or '.join(demand.any_of)}"


def _because(problems: tuple[str, ...]) -> str:
    if not problems:
        return ""
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return ": " + "; ".join(problems[:3]) + more


def _matches(entry: TrustEntry, repository: str) -> bool:
    return any(fnmatchcase(repository, pattern) for pattern in entry.match)


def _counts(start: datetime.datetime | None, end: datetime.datetime | None, at: datetime.datetime) -> bool:
    return (start is None or start <= at) and (end is None or at <= end)


def _span(start: datetime.datetime | None, end: datetime.datetime | None) -> str:
    words = []
    if start is not None:
        words.append(f"from {start:%Y-%m-%d %H:%M}Z")
    if end is not None:
        words.append(f"until {end:%Y-%m-%d %H:%M}Z")
    return " ".join(words)


def _listed(content: bytes) -> frozenset[str]:
    """Return the digests that an index lists; none for what is no index."""
    try:
        index = json.loads(content)
    except (ValueError, RecursionError):
        return frozenset()
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list):
        return frozenset()
    digests = (each.get("digest") for each in manifests if isinstance(each, dict))
    return frozenset(each for each in digests if isinstance(each, str))
