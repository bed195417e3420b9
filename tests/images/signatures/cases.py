"""Bundles that are right, and bundles of which exactly one thing is wrong, with the reason to refuse it."""

import base64
import copy
import datetime
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.images.signatures.service import (
    IDENTITY,
    ISSUER,
    NOW,
    Chain,
    Json,
    Options,
    PrivateKey,
    Service,
    TransparencyLog,
    b64,
    pem,
    statement,
)

CONTENT = b"what is signed\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HOUR = datetime.timedelta(hours=1)
YEAR = datetime.timedelta(days=365)


@dataclass
class Signed:
    """A bundle, and what it is verified against."""

    bundle: Json
    root: Json
    key: bytes | None = None
    content: bytes = CONTENT
    identity: str = IDENTITY
    issuer: str = ISSUER


Make = Callable[[Service], Signed]


@dataclass(frozen=True)
class Case:
    """A bundle for a test.

    Attributes:
        name: One sentence.
        make: Makes it.
        code: Of the refusal; "" for a bundle that is right.
        cosign: What the real cosign does: the same, where nothing else is said here.
        why: Why ours differs from cosign.
    """

    name: str
    make: Make
    code: str = ""
    cosign: bool | None = None
    why: str = ""

    @property
    def right(self) -> bool:
        return not self.code


def keyless(
    options: Options | None = None, change: Callable[[Json], None] | None = None, **more: object
) -> Make:
    """Sign content with a certificate, then change the bundle."""

    def make(service: Service) -> Signed:
        signed = Signed(service.sign(CONTENT, options), service.root())
        return _changed(signed, change, more)

    return make


def keyed(
    make_key: Callable[[], PrivateKey],
    options: Options | None = None,
    change: Callable[[Json], None] | None = None,
    **more: object,
) -> Make:
    """Sign content with a key, then change the bundle."""

    def make(service: Service) -> Signed:
        private = make_key()
        chosen = copy.copy(options or Options())
        chosen.key = private
        bundle = service.sign(CONTENT, chosen, keyless=False)
        return _changed(Signed(bundle, service.root(), key=pem(private)), change, more)

    return make


def attested(
    options: Options | None = None,
    change: Callable[[Json], None] | None = None,
    *,
    payload: bytes = statement({"sha256": SHA256}),
    **more: object,
) -> Make:
    """Sign a statement about the content with a certificate, then change the bundle."""

    def make(service: Service) -> Signed:
        return _changed(Signed(service.attest(payload, options), service.root()), change, more)

    return make


def _changed(signed: Signed, change: Callable[[Json], None] | None, more: dict[str, object]) -> Signed:
    if change is not None:
        change(signed.bundle)
    for name, value in more.items():
        if callable(value):
            value(signed.root)
        else:
            setattr(signed, name, value)
    return signed


def p256() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def entry(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return b64(bytes(data))


def at(bundle: Json, *path: str | int, value: Callable[[str], object]) -> None:
    """Change one value of a document."""
    *way, last = path
    place: Json = bundle
    for step in way:
        place = place[step]  # type: ignore[index]
    place[last] = value(place[last])  # type: ignore[index]


def as_version(version: str) -> Callable[[Json], None]:
    def change(bundle: Json) -> None:
        bundle["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
        material = bundle["verificationMaterial"]
        if version != "0.3" and "certificate" in material:
            material["x509CertificateChain"] = {"certificates": [material.pop("certificate")]}

    return change


def late_chain(bundle: Json) -> None:
    as_version("0.2")(bundle)
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.3+json"


def without_proof(bundle: Json) -> None:
    as_version("0.1")(bundle)
    del entry(bundle)["inclusionProof"]


def snake(bundle: Json) -> None:
    material = bundle.pop("verificationMaterial")
    bundle["verification_material"] = {"certificate": {"raw_bytes": material["certificate"]["rawBytes"]}}
    bundle["verification_material"]["tlog_entries"] = material["tlogEntries"]


def other_body(change: Callable[[Json], None]) -> Options:
    """Log something else than what was signed, with everything of the log right."""

    def body(logged: Json) -> Json:
        change(logged["spec"])
        return logged

    return Options(body=body)


def by_key_alone(root: Json) -> None:
    log = root["tlogs"][1]
    key = base64.b64decode(log["publicKey"]["rawBytes"])
    log["logId"]["keyId"] = b64(hashlib.sha256(key).digest())


def foreign_log(bundle: Json) -> None:
    other = TransparencyLog(ec.generate_private_key(ec.SECP256R1()), "rekor.else.test", old=True)
    body = base64.b64decode(entry(bundle)["canonicalizedBody"])
    bundle["verificationMaterial"]["tlogEntries"] = [other.add(body, kind=("hashedrekord", "0.0.1"), at=NOW)]


def forged_log(bundle: Json) -> None:
    """An entry with the log's name, signed by somebody else."""
    known = entry(bundle)["logId"]
    foreign_log(bundle)
    entry(bundle)["logId"] = known


def checkpoint(**changes: str) -> Make:
    def make(service: Service) -> Signed:
        signed = Signed(service.sign(CONTENT, Options(log="new")), service.root())
        proof = entry(signed.bundle)["inclusionProof"]
        root = base64.b64decode(proof["rootHash"])
        proof["checkpoint"]["envelope"] = service.new.checkpoint(int(proof["treeSize"]), root, **changes)
        return signed

    return make


def witnessed(service: Service) -> Signed:
    signed = Signed(service.sign(CONTENT, Options(log="new")), service.root())
    note = entry(signed.bundle)["inclusionProof"]["checkpoint"]
    note["envelope"] += f"— witness.example.org {b64(b'abcd' + bytes(64))}\n"
    return signed


def other_tree(service: Service) -> Signed:
    """A checkpoint of the log that is right, of another tree than the proof's."""
    signed = Signed(service.sign(CONTENT), service.root())
    proof = entry(signed.bundle)["inclusionProof"]
    proof["checkpoint"]["envelope"] = service.old.checkpoint(int(proof["treeSize"]), bytes(32))
    return signed


def with_timestamps(*times: datetime.datetime, log: str = "old", **more: object) -> Make:
    def make(service: Service) -> Signed:
        signed = Signed(service.sign(CONTENT, Options(log=log)), service.root())
        signature = base64.b64decode(signed.bundle["messageSignature"]["signature"])
        stamps = [service.stamp(signature, time, **more) for time in times]
        signed.bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        return signed

    return make


def foreign_timestamp(*, beside: bool) -> Make:
    def make(service: Service) -> Signed:
        signed = Signed(service.sign(CONTENT, Options(log="new")), service.root())
        signature = base64.b64decode(signed.bundle["messageSignature"]["signature"])
        data = signed.bundle["verificationMaterial"]["timestampVerificationData"]
        stamp = Service().stamp(signature, NOW)
        data["rfc3161Timestamps"] = [stamp, *(data["rfc3161Timestamps"] if beside else [])]
        return signed

    return make


def two_entries(*, known: bool) -> Make:
    def make(service: Service) -> Signed:
        signed = Signed(service.sign(CONTENT), service.root())
        body = base64.b64decode(entry(signed.bundle)["canonicalizedBody"])
        other = TransparencyLog(ec.generate_private_key(ec.SECP256R1()), "rekor.else.test", old=True)
        log = service.old if known else other
        more = log.add(body, kind=("hashedrekord", "0.0.1"), at=NOW)
        signed.bundle["verificationMaterial"]["tlogEntries"].append(more)
        return signed

    return make


def chained(**more: object) -> Make:
    """A certificate of an authority that is in the trusted root, and is not as it should be."""

    def make(service: Service) -> Signed:
        chain = Chain.make("acme signing", **more)  # type: ignore[arg-type]
        signed = Signed(service.sign(CONTENT, Options(chain=chain)), service.root())
        signed.root["certificateAuthorities"] = [chain.json()]
        return signed

    return make


def mixed_up(service: Service) -> Signed:
    """A right entry of another signature of the same content."""
    signed = Signed(service.sign(CONTENT), service.root())
    other = service.sign(CONTENT)
    signed.bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    return signed


def other_key(service: Service) -> Signed:
    signed = keyed(p256)(service)
    signed.key = pem(p256())
    return signed


def sct_at(time: datetime.datetime) -> Options:
    return Options(ct_at=time)


def drop(*path: str) -> Callable[[Json], None]:
    def change(root: Json) -> None:
        *way, last = path
        for step in way:
            root = root[step]
        del root[last]

    return change


def until(field: str, index: int, time: datetime.datetime) -> Callable[[Json], None]:
    def change(root: Json) -> None:
        place = root[field][index]
        valid = place["publicKey"]["validFor"] if "publicKey" in place else place["validFor"]
        valid["end"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")

    return change


def only_leaf_tsa(service: Service) -> Signed:
    """A timestamp authority of which the root names no leaf: the answer carries it."""
    signed = Signed(service.sign(CONTENT, Options(log="new")), service.root())
    chain = signed.root["timestampAuthorities"][0]["certChain"]
    chain["certificates"] = chain["certificates"][1:]
    return signed


def _no_promise(signed: Signed) -> Signed:
    del entry(signed.bundle)["inclusionPromise"]
    return signed


def _stamp_of(service: Service, signature: bytes) -> Signed:
    signed = Signed(service.sign(CONTENT, Options(log="new")), service.root())
    data = signed.bundle["verificationMaterial"]["timestampVerificationData"]
    data["rfc3161Timestamps"] = [service.stamp(signature, NOW)]
    return signed


def _stamps(signed: Signed) -> list[Json]:
    found: list[Json] = signed.bundle["verificationMaterial"]["timestampVerificationData"][
        "rfc3161Timestamps"
    ]
    return found


def _twice(signed: Signed) -> Signed:
    _stamps(signed).append(_stamps(signed)[0])
    return signed


def _garbled(signed: Signed) -> Signed:
    _stamps(signed)[0] = {"signedTimestamp": b64(b"no timestamp")}
    return signed


def _late(service: Service) -> Signed:
    """Logged an hour after the certificate's end, with everything of the log right."""
    signed = Signed(service.sign(CONTENT), service.root())
    logged = entry(signed.bundle)
    logged["integratedTime"] = str(int((NOW + HOUR).timestamp()))
    logged["inclusionPromise"] = {"signedEntryTimestamp": b64(service.old.promise(logged))}
    return signed


_OTHER_NAME = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), b"\x0c\x09me!a.test")
_BEFORE = NOW - HOUR
_STRICTER = "cosign passes over what ours refuses, and finds enough without it"

RIGHT: tuple[Case, ...] = (
    Case("a certificate and a log of the first generation", keyless()),
    Case("a certificate and a log of the second generation", keyless(Options(log="new"))),
    Case("a certificate, a log and a timestamp", with_timestamps(NOW)),
    Case(
        "a certificate and an email address",
        keyless(Options(identity=x509.RFC822Name("me@acme.test")), identity="me@acme.test"),
    ),
    Case(
        "a certificate and a name of another kind",
        keyless(Options(identity=_OTHER_NAME), identity="me!a.test"),
    ),
    Case("an issuer that is said the old way alone", keyless(Options(old_issuer=True))),
    Case("a certificate with P-384", keyless(Options(key=ec.generate_private_key(ec.SECP384R1())))),
    Case("a certificate with RSA", keyless(Options(key=rsa.generate_private_key(65537, 2048)))),
    Case("a bundle of version 0.1", keyless(change=as_version("0.1"))),
    Case("a bundle of version 0.1 with a promise alone", keyless(change=without_proof)),
    Case("a bundle of version 0.2", keyless(change=as_version("0.2"))),
    Case("a bundle of version 0.3 by its old name", keyless(change=as_version("0.3"))),
    Case("fields by their names in the protocol", keyless(change=snake)),
    Case("a proof without a promise, and a timestamp", lambda s: _no_promise(with_timestamps(NOW)(s))),
    Case("a checkpoint with a witness's signature", witnessed),
    Case(
        "an entry that does not name its log of the second generation",
        keyless(Options(log="new"), change=lambda b: entry(b).pop("logId")),
        cosign=False,
        why="cosign finds logs by what the entry names alone",
    ),
    Case(
        "a log of the second generation that the root knows by its key alone",
        keyless(Options(log="new"), c=by_key_alone),
        cosign=False,
        why="cosign takes a log's name as the root says it",
    ),
    Case("an entry in a known log beside one in an unknown log", two_entries(known=False)),
    Case("a timestamp of an unknown authority beside one of a known", foreign_timestamp(beside=True)),
    Case("two timestamps of one authority", with_timestamps(NOW, NOW + datetime.timedelta(seconds=5))),
    Case("a timestamp authority whose certificate is in its answer", only_leaf_tsa),
    Case(
        "an authority that has been retired since", keyless(c=until("certificateAuthorities", 0, NOW + HOUR))
    ),
    Case("a log that has been retired since", keyless(c=until("tlogs", 0, NOW + HOUR))),
    Case("a statement, a certificate and a log of the first generation", attested()),
    Case("a statement in an entry of the kind intoto", attested(Options(log="intoto"))),
    Case("a statement, a certificate and a log of the second generation", attested(Options(log="new"))),
    Case(
        "a statement of which the second subject is the content",
        attested(payload=statement({"sha256": "0" * 64}, {"sha256": SHA256})),
    ),
    Case("a key and a log of the first generation", keyed(p256)),
    Case("a key and a log of the second generation", keyed(p256, Options(log="new"))),
    Case(
        "a key with P-384",
        keyed(lambda: ec.generate_private_key(ec.SECP384R1())),
        cosign=False,
        why="cosign takes SHA-256 for the key of a file, whatever its curve",
    ),
    Case(
        "a key with P-384 and SHA-256, as older clients signed",
        keyed(lambda: ec.generate_private_key(ec.SECP384R1()), Options(hash=hashes.SHA256())),
    ),
    Case(
        "a key with P-521",
        keyed(lambda: ec.generate_private_key(ec.SECP521R1())),
        cosign=False,
        why="cosign takes SHA-256 for the key of a file, whatever its curve",
    ),
    Case("a key with RSA", keyed(lambda: rsa.generate_private_key(65537, 3072))),
)

KEY_ALONE: tuple[Case, ...] = (
    Case("a key without a log", keyed(p256, Options(log="none"))),
    Case("a key with Ed25519 without a log", keyed(ed25519.Ed25519PrivateKey.generate, Options(log="none"))),
)

WRONG: tuple[Case, ...] = (
    Case("other content", keyless(content=b"something else"), "digest-mismatch"),
    Case("another identity", keyless(identity="https://github.com/acme/other"), "identity-mismatch"),
    Case("the beginning of the identity", keyless(identity=IDENTITY[:-1]), "identity-mismatch"),
    Case("another issuer", keyless(issuer="https://accounts.else.test"), "issuer-mismatch"),
    Case("another key", other_key, "signature-invalid"),
    Case("a key where a certificate is", keyless(key=pem(p256())), "material-mismatch"),
    Case("a certificate where a key is", keyed(p256, key=None), "material-mismatch"),
    Case(
        "a changed signature",
        keyless(change=lambda b: at(b, "messageSignature", "signature", value=flip)),
        "signature-invalid",
    ),
    Case(
        "a changed digest beside the signature",
        keyless(change=lambda b: at(b, "messageSignature", "messageDigest", "digest", value=flip)),
        "digest-mismatch",
        cosign=True,
        why="the digest is a hint that cosign does not read when it has the content",
    ),
    Case(
        "an authority that nobody knows",
        keyless(Options(chain=Chain.make("acme signing"))),
        "certificate-invalid",
    ),
    Case(
        "an authority that had been retired before",
        keyless(c=until("certificateAuthorities", 0, _BEFORE)),
        "certificate-invalid",
    ),
    Case("an authority that may not sign certificates", chained(may_sign=False), "certificate-invalid"),
    Case("an authority for servers", chained(purpose=ExtendedKeyUsageOID.SERVER_AUTH), "certificate-invalid"),
    Case(
        "an authority that has expired", chained(window=(NOW - 2 * YEAR, NOW - YEAR)), "certificate-invalid"
    ),
    Case(
        "a certificate for servers",
        keyless(Options(purpose=ExtendedKeyUsageOID.SERVER_AUTH)),
        "certificate-invalid",
    ),
    Case(
        "a certificate that may not sign",
        keyless(Options(digital_signature=False)),
        "certificate-invalid",
        cosign=True,
        why="Go does not look at a leaf's key usage",
    ),
    Case(
        "a certificate of an authority as the signer's",
        keyless(Options(authority=True)),
        "certificate-invalid",
        cosign=True,
        why="Go does not mind a leaf that is an authority",
    ),
    Case(
        "a critical extension that nobody understands",
        keyless(Options(critical_extra=True)),
        "certificate-invalid",
    ),
    Case("no word of the certificate log", keyless(Options(sct=False)), "sct-invalid"),
    Case(
        "the word of an unknown certificate log",
        keyless(Options(ct_key=ec.generate_private_key(ec.SECP256R1()))),
        "sct-invalid",
    ),
    Case("the word of a certificate log before its time", keyless(sct_at(NOW - 2 * YEAR)), "sct-invalid"),
    Case("a trusted root without certificate logs", keyless(c=drop("ctlogs")), "sct-invalid"),
    Case("a trusted root without logs", keyless(c=drop("tlogs")), "log-invalid"),
    Case(
        "a trusted root without authorities", keyless(c=drop("certificateAuthorities")), "certificate-invalid"
    ),
    Case(
        "a trusted root without timestamp authorities",
        keyless(Options(log="new"), c=drop("timestampAuthorities")),
        "timestamp-invalid",
    ),
    Case("no entry in a log", keyless(Options(log="none", timestamp=NOW)), "log-missing"),
    Case(
        "an entry that does not name its log of the first generation",
        keyless(change=lambda b: entry(b).pop("logId")),
        "log-invalid",
    ),
    Case("an entry in an unknown log", keyless(change=foreign_log), "log-invalid"),
    Case("an entry in a log by another's name", keyless(change=forged_log), "log-invalid"),
    Case("a log that had been retired before", keyless(c=until("tlogs", 0, _BEFORE)), "log-invalid"),
    Case(
        "a log of the second generation that had been retired before",
        keyless(Options(log="new"), c=until("tlogs", 1, _BEFORE)),
        "log-invalid",
        cosign=True,
        why="cosign asks only for the time of a log's promise",
    ),
    Case("the entry of another signature", mixed_up, "log-invalid"),
    Case(
        "an entry that is there twice",
        keyless(change=lambda b: b["verificationMaterial"]["tlogEntries"].append(entry(b))),
        "bundle-malformed",
    ),
    Case(
        "a changed promise",
        keyless(change=lambda b: at(entry(b), "inclusionPromise", "signedEntryTimestamp", value=flip)),
        "log-invalid",
    ),
    Case(
        "a changed time of integration",
        keyless(change=lambda b: at(entry(b), "integratedTime", value=lambda t: str(int(t) + 1))),
        "log-invalid",
    ),
    Case(
        "a changed index in the log",
        keyless(change=lambda b: at(entry(b), "logIndex", value=lambda t: str(int(t) + 1))),
        "log-invalid",
    ),
    Case(
        "a changed index in the tree",
        keyless(change=lambda b: at(entry(b), "inclusionProof", "logIndex", value=lambda t: str(int(t) + 1))),
        "log-invalid",
    ),
    Case(
        "a changed hash on the way up",
        keyless(change=lambda b: at(entry(b), "inclusionProof", "hashes", 0, value=flip)),
        "log-invalid",
    ),
    Case(
        "a hash too many on the way up",
        keyless(change=lambda b: entry(b)["inclusionProof"]["hashes"].append(b64(bytes(32)))),
        "log-invalid",
    ),
    Case(
        "a hash too few on the way up",
        keyless(change=lambda b: entry(b)["inclusionProof"]["hashes"].pop()),
        "log-invalid",
    ),
    Case(
        "a changed root hash",
        keyless(change=lambda b: at(entry(b), "inclusionProof", "rootHash", value=flip)),
        "log-invalid",
    ),
    Case(
        "a changed size of the tree",
        keyless(change=lambda b: at(entry(b), "inclusionProof", "treeSize", value=lambda t: str(int(t) + 1))),
        "log-invalid",
        cosign=True,
        why="cosign takes the size from the proof, not from the checkpoint",
    ),
    Case("a checkpoint of another tree", other_tree, "log-invalid"),
    Case(
        "a changed checkpoint",
        keyless(
            change=lambda b: at(
                entry(b),
                "inclusionProof",
                "checkpoint",
                "envelope",
                value=lambda t: t.replace("\n", "0\n", 1),
            )
        ),
        "log-invalid",
    ),
    Case(
        "a checkpoint of another log of the second generation",
        checkpoint(origin="other.acme.test", name="other.acme.test"),
        "log-invalid",
    ),
    Case("a checkpoint signed in another's name", checkpoint(name="other.acme.test"), "log-invalid"),
    Case(
        "no checkpoint",
        keyless(change=lambda b: entry(b)["inclusionProof"].pop("checkpoint")),
        "bundle-malformed",
    ),
    Case(
        "no proof in version 0.3",
        keyless(change=lambda b: entry(b).pop("inclusionProof")),
        "bundle-malformed",
    ),
    Case(
        "no promise in version 0.1",
        lambda s: _no_promise(keyless(change=as_version("0.1"))(s)),
        "bundle-malformed",
    ),
    Case("no time at all", lambda s: _no_promise(keyless()(s)), "time-missing"),
    Case(
        "no timestamp with a log of the second generation",
        keyless(
            Options(log="new"), change=lambda b: b["verificationMaterial"].pop("timestampVerificationData")
        ),
        "time-missing",
    ),
    Case(
        "a chain of certificates in version 0.3",
        keyless(change=late_chain),
        "bundle-malformed",
    ),
    Case(
        "a log entry of another kind than it says",
        keyless(change=lambda b: entry(b).update(kindVersion={"kind": "dsse", "version": "0.0.1"})),
        "log-invalid",
        cosign=True,
        why="cosign goes by the body alone",
    ),
    Case(
        "a log entry of another digest",
        keyless(other_body(lambda spec: spec["data"]["hash"].update(value="0" * 64))),
        "log-invalid",
    ),
    Case(
        "a log entry of another signature, rightly logged",
        keyless(other_body(lambda spec: spec["signature"].update(content=b64(b"other")))),
        "log-invalid",
    ),
    Case(
        "a log entry of another key, rightly logged",
        keyless(other_body(lambda spec: spec["signature"].update(publicKey={"content": b64(pem(p256()))}))),
        "log-invalid",
    ),
    Case("a timestamp before the certificate", with_timestamps(_BEFORE), "certificate-invalid"),
    Case("a timestamp after the certificate", with_timestamps(NOW + HOUR, log="new"), "certificate-invalid"),
    Case(
        "a right timestamp and one after the certificate",
        with_timestamps(NOW, NOW + HOUR),
        "certificate-invalid",
        cosign=True,
        why=_STRICTER,
    ),
    Case("a timestamp of an unknown authority", foreign_timestamp(beside=False), "timestamp-invalid"),
    Case("a timestamp of another signature", lambda s: _stamp_of(s, b"other"), "timestamp-invalid"),
    Case("a timestamp that was not granted", with_timestamps(NOW, log="new", status=2), "timestamp-invalid"),
    Case(
        "a timestamp that is there twice",
        lambda s: _twice(with_timestamps(NOW)(s)),
        "bundle-malformed",
        cosign=True,
        why=_STRICTER,
    ),
    Case(
        "a timestamp that is no timestamp", lambda s: _garbled(with_timestamps(NOW)(s)), "timestamp-invalid"
    ),
    Case(
        "a timestamp authority that had been retired before",
        keyless(Options(log="new"), c=until("timestampAuthorities", 0, _BEFORE)),
        "timestamp-invalid",
    ),
    Case("a signature after the certificate's end", _late, "certificate-invalid"),
    Case(
        "a statement about something else",
        attested(payload=statement({"sha256": "0" * 64})),
        "digest-mismatch",
    ),
    Case("a statement about nothing", attested(payload=statement()), "statement-invalid"),
    Case(
        "an envelope that is no statement",
        attested(Options(envelope_kind="text/plain"), payload=b"hello"),
        "statement-invalid",
    ),
    Case(
        "a changed statement",
        attested(
            change=lambda b: at(
                b,
                "dsseEnvelope",
                "payload",
                value=lambda t: b64(base64.b64decode(t).replace(b"slsa", b"alsa")),
            )
        ),
        "signature-invalid",
    ),
    Case(
        "a changed type of the envelope",
        attested(change=lambda b: b["dsseEnvelope"].update(payloadType="application/json")),
        "signature-invalid",
    ),
    Case(
        "an envelope with two signatures",
        attested(change=lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0])),
        "bundle-malformed",
    ),
    Case(
        "an envelope without a signature",
        attested(change=lambda b: b["dsseEnvelope"].update(signatures=[])),
        "bundle-malformed",
    ),
    Case(
        "a statement whose entry has another payload",
        attested(other_body(lambda spec: spec["payloadHash"].update(value="0" * 64))),
        "log-invalid",
        cosign=True,
        why="cosign compares signature and signer of the entry only",
    ),
    Case("a key whose entry in the log is forged", keyed(p256, change=forged_log), "log-invalid"),
    Case("a key whose entry is in an unknown log", keyed(p256, change=foreign_log), "log-invalid"),
    Case(
        "another version of bundle",
        keyless(change=lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json")),
        "bundle-malformed",
    ),
    Case("no content", keyless(change=lambda b: b.pop("messageSignature")), "bundle-malformed"),
    Case("no material", keyless(change=lambda b: b.pop("verificationMaterial")), "bundle-malformed"),
)


def as_bytes(document: Json) -> bytes:
    return json.dumps(document).encode()
