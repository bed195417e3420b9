"""From `spec.trust` of a Fleet that fits its schema to who is trusted."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.documents.tree import EntryType, FileTree, TreeError
from reconciler.documents.yaml import Positions
from reconciler.fleet.explain import finding
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding
from reconciler.model.trust import (
    AttestationDemand,
    CertificateOwner,
    Signer,
    SigningKey,
    Trust,
    TrustEntry,
)

__all__ = ["TRUSTED_ROOT", "build_trust"]

TRUSTED_ROOT = "trust/trusted_root.json"
_RULE = "fleet-schema"
_LAST_MOMENT = datetime.timedelta(days=1) - datetime.timedelta(microseconds=1)
_TRUST: FieldPath = ("spec", "trust")


def build_trust(
    trust: Mapping[str, Any], positions: Positions, *, tree: FileTree, index: int
) -> tuple[Trust, list[Finding]]:
    """Return what `spec.trust` says, and what is wrong with it beyond its schema.

    Args:
        trust: The value of the field; empty where there is none.
        positions: Of the file.
        tree: The fleet's files; keys and trusted roots are read from it.
        index: The number of the document in the file.
    """
    reader = _Reader(positions, tree, index)
    root = None
    if "trustedRoot" in trust:
        root = reader.file(trust["trustedRoot"], (*_TRUST, "trustedRoot"))
    else:
        root = reader.optional(TRUSTED_ROOT)
    signers: dict[str, Signer] = {}
    for number, value in enumerate(trust.get("signers", ())):
        signer = reader.signer(value, (*_TRUST, "signers", number))
        if signer.name in signers:
            reader.add(
                f"expected each signer once, found {signer.name!r} again",
                (*_TRUST, "signers", number, "name"),
            )
        signers[signer.name] = signer
    entries = tuple(
        reader.entry(value, (*_TRUST, "images", number), signers)
        for number, value in enumerate(trust.get("images", ()))
    )
    return Trust(trusted_root=root, signers=signers, entries=entries), reader.findings


class _Reader:
    def __init__(self, positions: Positions, tree: FileTree, index: int) -> None:
        self._positions = positions
        self._tree = tree
        self._index = index
        self.findings: list[Finding] = []

    def add(self, message: str, field: FieldPath, hint: str = "") -> None:
        at = self._positions.locate(field, index=self._index)
        self.findings.append(finding(_RULE, message, at, hint=hint))

    def file(self, path: str, field: FieldPath) -> bytes | None:
        try:
            return self._tree.read(path)
        except TreeError as err:
            self.add(f"expected a file at {path!r}: {err.message}", field)
            return None

    def optional(self, path: str) -> bytes | None:
        try:
            return self._tree.read(path) if self._tree.entry_type(path) is EntryType.FILE else None
        except TreeError as err:
            self.add(err.message, _TRUST)
            return None

    def signer(self, value: Mapping[str, Any], field: FieldPath) -> Signer:
        keys: list[SigningKey] = []
        for number, each in enumerate(value.get("keys", ())):
            place = (*field, "keys", number)
            pem = self.file(each["path"], (*place, "path"))
            start = self._moment(each, "notBefore", place)
            end = self._moment(each, "notAfter", place)
            if start is not None and end is not None and end < start:
                self.add("expected notAfter to be later than notBefore", (*place, "notAfter"))
            at = self._positions.locate(place, index=self._index)
            keys.append(SigningKey(each["path"], pem or b"", start, end, at))
        owners: list[CertificateOwner] = []
        for number, each in enumerate(value.get("certificates", ())):
            for name in ("identityRegExp", "issuerRegExp"):
                self._expression(each.get(name), (*field, "certificates", number, name))
            owners.append(
                CertificateOwner(
                    identity=each.get("identity", each.get("identityRegExp", "")),
                    issuer=each.get("issuer", each.get("issuerRegExp", "")),
                    identity_regexp="identityRegExp" in each,
                    issuer_regexp="issuerRegExp" in each,
                )
            )
        root = None
        if "trustedRoot" in value:
            root = self.file(value["trustedRoot"], (*field, "trustedRoot"))
        return Signer(value["name"], tuple(keys), tuple(owners), root)

    def entry(self, value: Mapping[str, Any], field: FieldPath, signers: Mapping[str, Signer]) -> TrustEntry:
        for name in ("anyOf", "allOf"):
            self._known(value.get(name, ()), (*field, name), signers)
        demands: list[AttestationDemand] = []
        for number, each in enumerate(value.get("attestations", ())):
            self._known(each["anyOf"], (*field, "attestations", number, "anyOf"), signers)
            demands.append(AttestationDemand(each["predicateType"], tuple(each["anyOf"])))
        return TrustEntry(
            match=tuple(value["match"]),
            sites=tuple(value.get("sites", ())),
            any_of=tuple(value.get("anyOf", ())),
            all_of=tuple(value.get("allOf", ())),
            attestations=tuple(demands),
            any_repository=value.get("repository") == "any",
            unsigned=value.get("unsigned", ""),
            at=self._positions.locate(field, index=self._index),
        )

    def _known(self, names: Iterable[str], field: FieldPath, signers: Mapping[str, Signer]) -> None:
        for number, name in enumerate(names):
            if name not in signers:
                known = ", ".join(signers) or "none"
                message = f"expected the name of a signer in spec.trust.signers, found {name!r}"
                self.add(message, (*field, number), f"known signers: {known}")

    def _moment(self, value: Mapping[str, Any], name: str, field: FieldPath) -> datetime.datetime | None:
        text = value.get(name)
        if text is None:
            return None
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            self.add(f"expected a day or time of the calendar, found {text!r}", (*field, name))
            return None
        if moment.tzinfo is not None:
            return moment
        moment = moment.replace(tzinfo=datetime.UTC)
        # The last day counts whole, as that of a waiver.
        return moment + _LAST_MOMENT if name == "notAfter" else moment

    def _expression(self, text: str | None, field: FieldPath) -> None:
        if text is None:
            return
        try:
            re.compile(text)
        except re.error as err:
            self.add(f"expected a regular expression, found {text!r}: {err}", field)
