"""A Sigstore of our own, small enough for one test: authorities, logs and a timestamp authority in memory.

It signs bundles as the real services do, and lets a test change any part before it is signed: so that what is
wrong in a negative test is one thing, and everything else of the bundle is right.
"""

import datetime
import hashlib
import json
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.images.signatures.der import timestamp_response

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
IDENTITY = "https://github.com/acme/pos/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT = "application/vnd.in-toto+json"
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_ISSUER_OLD = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_YEAR = datetime.timedelta(days=365)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Json = dict[str, Any]


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def spki(key: Any) -> bytes:
    public = key.public_key() if hasattr(key, "public_key") else key
    der: bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


def pem(key: Any) -> bytes:
    public = key.public_key() if hasattr(key, "public_key") else key
    text: bytes = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def sign(key: PrivateKey, message: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), algorithm or hashes.SHA256())
        case _:
            natural = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
            return key.sign(message, ec.ECDSA(algorithm or natural))


def pae(payload: bytes, kind: str) -> bytes:
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def statement(
    *digests: dict[str, str], predicate_type: str = "https://slsa.dev/provenance/v1", **more: Any
) -> bytes:
    value = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": digest} for digest in digests],
        "predicateType": predicate_type,
        "predicate": {},
    }
    return json.dumps({**value, **more}).encode()


@dataclass
class Chain:
    """A root and what stands under it, down to the key that signs."""

    certificates: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(
        cls,
        name: str,
        *,
        purpose: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        leaf: bool = False,
        window: tuple[datetime.datetime, datetime.datetime] = (NOW - _YEAR, NOW + _YEAR),
        path_length: int | None = 0,
        may_sign: bool = True,
    ) -> "Chain":
        """Make a root with one certificate under it: an authority, or with `leaf` one that signs times."""
        root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
        top = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root")])
        under = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

        def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(top)
                .public_key(public)
                .serial_number(x509.random_serial_number())
                .not_valid_before(window[0])
                .not_valid_after(window[1])
            )

        root = (
            builder(top, root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage(signs_certificates=True), critical=True)
            .sign(root_key, hashes.SHA384())
        )
        made = builder(under, key.public_key()).add_extension(x509.ExtendedKeyUsage([purpose]), critical=leaf)
        if leaf:
            made = made.add_extension(usage(signs_certificates=False), critical=True)
        else:
            made = made.add_extension(
                x509.BasicConstraints(ca=True, path_length=path_length), critical=True
            ).add_extension(usage(signs_certificates=may_sign), critical=True)
        return cls((made.sign(root_key, hashes.SHA384()), root), key)

    def json(self, start: datetime.datetime = NOW - _YEAR, end: datetime.datetime | None = None) -> Json:
        valid: Json = {"start": moment(start)}
        if end is not None:
            valid["end"] = moment(end)
        return {
            "subject": {"organization": "acme", "commonName": "acme"},
            "uri": "https://fulcio.acme.test",
            "certChain": {"certificates": [{"rawBytes": b64(der(each))} for each in self.certificates]},
            "validFor": valid,
        }


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def moment(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class TransparencyLog:
    """A log of either generation, with other people's entries around ours."""

    key: PrivateKey
    host: str
    old: bool
    leaves: list[bytes] = field(default_factory=lambda: [b"first", b"second", b"third"])

    @property
    def log_id(self) -> bytes:
        if self.old:
            return hashlib.sha256(spki(self.key)).digest()
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            public = self.key.public_key().public_bytes_raw()
            return hashlib.sha256(self.host.encode() + b"\n\x01" + public).digest()
        return hashlib.sha256(spki(self.key)).digest()

    @property
    def origin(self) -> str:
        return f"{self.host} - 2605736670972794746" if self.old else self.host

    def json(self, start: datetime.datetime = NOW - _YEAR, end: datetime.datetime | None = None) -> Json:
        valid: Json = {"start": moment(start)}
        if end is not None:
            valid["end"] = moment(end)
        kind = (
            "PKIX_ED25519" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "PKIX_ECDSA_P256_SHA_256"
        )
        return {
            "baseUrl": f"https://{self.host}",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {"rawBytes": b64(spki(self.key)), "keyDetails": kind, "validFor": valid},
            "logId": {"keyId": b64(self.log_id)},
        }

    def add(self, body: bytes, *, kind: tuple[str, str], at: datetime.datetime, promise: bool = True) -> Json:
        """Log an entry, and then another one after it."""
        index = len(self.leaves)
        self.leaves += [body, b"a later one"]
        entry: Json = {
            "logIndex": str(index + (1000 if self.old else 0)),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": kind[0], "version": kind[1]},
            "canonicalizedBody": b64(body),
            "inclusionProof": self.proof(index),
        }
        if self.old:
            entry["integratedTime"] = str(int(at.timestamp()))
            if promise:
                entry["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise(entry))}
        return entry

    def promise(self, entry: Json) -> bytes:
        signed = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logID": self.log_id.hex(),
            "logIndex": int(entry["logIndex"]),
        }
        return sign(self.key, json.dumps(signed, separators=(",", ":"), sort_keys=True).encode())

    def proof(self, index: int) -> Json:
        root = tree_hash(self.leaves)
        return {
            "logIndex": str(index),
            "rootHash": b64(root),
            "treeSize": str(len(self.leaves)),
            "hashes": [b64(each) for each in way(self.leaves, index)],
            "checkpoint": {"envelope": self.checkpoint(len(self.leaves), root)},
        }

    def checkpoint(self, size: int, root: bytes, *, origin: str = "", name: str = "") -> str:
        text = f"{origin or self.origin}\n{size}\n{b64(root)}\n"
        signature = b64(self.log_id[:4] + sign(self.key, text.encode()))
        return f"{text}\n— {name or self.host} {signature}\n"


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree, straight from RFC 9162's definition."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:left]) + tree_hash(leaves[left:])).digest()


def way(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion proof, straight from RFC 9162's definition."""
    if len(leaves) == 1:
        return []
    left = 1 << (len(leaves) - 1).bit_length() - 1
    if index < left:
        return [*way(leaves[:left], index), tree_hash(leaves[left:])]
    return [*way(leaves[left:], index - left), tree_hash(leaves[:left])]


@dataclass
class Options:
    """What a test changes of a signature before the logs and authorities see it."""

    at: datetime.datetime = NOW
    identity: x509.GeneralName = field(default_factory=lambda: x509.UniformResourceIdentifier(IDENTITY))
    issuer: str = ISSUER
    old_issuer: bool = False
    key: PrivateKey | None = None
    hash: hashes.HashAlgorithm | None = None
    log: str = "old"
    sct: bool = True
    ct_key: ec.EllipticCurvePrivateKey | None = None
    ct_at: datetime.datetime = NOW
    timestamp: datetime.datetime | None = None
    chain: Chain | None = None
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    digital_signature: bool = True
    critical_extra: bool = False
    authority: bool = False
    lifetime: datetime.timedelta = datetime.timedelta(minutes=10)
    body: Callable[[Json], Json] = lambda body: body
    envelope_kind: str = STATEMENT


class Service:
    """Authorities and logs that vouch for signatures, and the trusted root that says so."""

    def __init__(self) -> None:
        self.chain = Chain.make("acme signing")
        self.tsa = Chain.make("acme time", purpose=ExtendedKeyUsageOID.TIME_STAMPING, leaf=True)
        self.ct_key = ec.generate_private_key(ec.SECP256R1())
        self.old = TransparencyLog(ec.generate_private_key(ec.SECP256R1()), "rekor.acme.test", old=True)
        self.new = TransparencyLog(ed25519.Ed25519PrivateKey.generate(), "log.rekor.acme.test", old=False)

    def root(self) -> Json:
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.old.json(), self.new.json()],
            "certificateAuthorities": [self.chain.json()],
            "ctlogs": [
                {
                    "baseUrl": "https://ct.acme.test",
                    "hashAlgorithm": "SHA2_256",
                    "publicKey": {
                        "rawBytes": b64(spki(self.ct_key)),
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "validFor": {"start": moment(NOW - _YEAR)},
                    },
                    "logId": {"keyId": b64(hashlib.sha256(spki(self.ct_key)).digest())},
                }
            ],
            "timestampAuthorities": [self.tsa.json()],
        }

    def root_bytes(self) -> bytes:
        return json.dumps(self.root()).encode()

    def certificate(self, key: PrivateKey, options: Options) -> x509.Certificate:
        """Issue a signing certificate, with the word of the certificate log in it."""
        chain = options.chain or self.chain
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(chain.certificates[0].subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(options.at - datetime.timedelta(minutes=1))
            .not_valid_after(options.at + options.lifetime)
            .add_extension(
                x509.KeyUsage(
                    options.digital_signature, False, not options.digital_signature, *([False] * 6)
                ),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([options.purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName([options.identity]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(chain.key.public_key()), critical=False
            )
        )
        if options.authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if options.critical_extra:
            unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
            builder = builder.add_extension(unknown, critical=True)
        old = x509.UnrecognizedExtension(_ISSUER_OLD, options.issuer.encode())
        builder = builder.add_extension(old, critical=False)
        if not options.old_issuer:
            text = options.issuer.encode()
            new = x509.UnrecognizedExtension(_ISSUER, bytes([0x0C, len(text)]) + text)
            builder = builder.add_extension(new, critical=False)
        if not options.sct:
            return builder.sign(chain.key, hashes.SHA256())
        logged = builder.sign(chain.key, hashes.SHA256()).tbs_certificate_bytes
        ct_key = options.ct_key or self.ct_key
        issuer = hashlib.sha256(spki(chain.key)).digest()
        millis = int(options.ct_at.timestamp() * 1000)
        signed = (
            struct.pack("!BBQH", 0, 0, millis, 1) + issuer + len(logged).to_bytes(3, "big") + logged + b"\0\0"
        )
        signature = sign(ct_key, signed)
        log_id = hashlib.sha256(spki(ct_key)).digest()
        sct = struct.pack("!B32sQH", 0, log_id, millis, 0) + b"\x04\x03"
        sct += struct.pack("!H", len(signature)) + signature
        listed = struct.pack("!H", len(sct)) + sct
        value = struct.pack("!H", len(listed)) + listed
        octets = bytes([0x04, len(value)]) if len(value) < 0x80 else bytes([0x04, 0x81, len(value)])
        extension = x509.UnrecognizedExtension(_SCT_LIST, octets + value)
        return builder.add_extension(extension, critical=False).sign(chain.key, hashes.SHA256())

    def stamp(self, signature: bytes, at: datetime.datetime, **more: Any) -> Json:
        made = timestamp_response(
            signature, at=at, certificate=self.tsa.certificates[0], key=self.tsa.key, **more
        )
        return {"signedTimestamp": b64(made)}

    def sign(self, artifact: bytes, options: Options | None = None, *, keyless: bool = True) -> Json:
        """Sign content, as `sign-blob` does, and return the bundle."""
        options = options or Options()
        key = options.key or ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key, options) if keyless else None
        name, algorithm = _algorithm(key, options.hash)
        signature = sign(key, artifact, options.hash)
        digest = hashlib.new(name, artifact).digest()
        content = {
            "messageSignature": {
                "messageDigest": {"algorithm": algorithm, "digest": b64(digest)},
                "signature": b64(signature),
            }
        }
        body = self._hashedrekord(
            key=key,
            certificate=certificate,
            signature=signature,
            digest=digest,
            name=name,
            algorithm=algorithm,
            options=options,
        )
        return self._bundle(
            content, signature=signature, key=key, certificate=certificate, body=body, options=options
        )

    def attest(self, payload: bytes, options: Options | None = None, *, keyless: bool = True) -> Json:
        """Sign a statement in an envelope, and return the bundle."""
        options = options or Options()
        key = options.key or ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key, options) if keyless else None
        name, algorithm = _algorithm(key, options.hash)
        signed = pae(payload, options.envelope_kind)
        signature = sign(key, signed, options.hash)
        content = {
            "dsseEnvelope": {
                "payload": b64(payload),
                "payloadType": options.envelope_kind,
                "signatures": [{"sig": b64(signature), "keyid": ""}],
            }
        }
        if options.log in {"old", "none"}:
            verifier = certificate_pem(certificate) if certificate is not None else pem(key)
            kind, spec = (
                ("dsse", "0.0.1"),
                {
                    "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(b"?").hexdigest()},
                    "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
                    "signatures": [{"signature": b64(signature), "verifier": b64(verifier)}],
                },
            )
        elif options.log == "intoto":
            verifier = certificate_pem(certificate) if certificate is not None else pem(key)
            kind, spec = (
                ("intoto", "0.0.2"),
                {
                    "content": {
                        "envelope": {
                            "payloadType": options.envelope_kind,
                            "signatures": [{"sig": b64(b64(signature).encode()), "publicKey": b64(verifier)}],
                        },
                        "hash": {"algorithm": "sha256", "value": hashlib.sha256(b"?").hexdigest()},
                        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
                    }
                },
            )
        else:
            digest = hashlib.new(name, signed).digest()
            body = self._hashedrekord(
                key=key,
                certificate=certificate,
                signature=signature,
                digest=digest,
                name=name,
                algorithm=algorithm,
                options=options,
            )
            return self._bundle(
                content, signature=signature, key=key, certificate=certificate, body=body, options=options
            )
        return self._bundle(
            content, signature=signature, key=key, certificate=certificate, body=(kind, spec), options=options
        )

    def _hashedrekord(
        self,
        *,
        key: PrivateKey,
        certificate: x509.Certificate | None,
        signature: bytes,
        digest: bytes,
        name: str,
        algorithm: str,
        options: Options,
    ) -> tuple[tuple[str, str], Json]:
        if options.log in {"old", "none"}:
            verifier = certificate_pem(certificate) if certificate is not None else pem(key)
            return ("hashedrekord", "0.0.1"), {
                "data": {"hash": {"algorithm": name, "value": digest.hex()}},
                "signature": {"content": b64(signature), "publicKey": {"content": b64(verifier)}},
            }
        by: Json = {"keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        if certificate is not None:
            by["x509Certificate"] = {"rawBytes": b64(der(certificate))}
        else:
            by["publicKey"] = {"rawBytes": b64(spki(key))}
        return ("hashedrekord", "0.0.2"), {
            "hashedRekordV002": {
                "data": {"algorithm": algorithm, "digest": b64(digest)},
                "signature": {"content": b64(signature), "verifier": by},
            }
        }

    def _bundle(
        self,
        content: Json,
        *,
        signature: bytes,
        key: PrivateKey,
        certificate: x509.Certificate | None,
        body: tuple[tuple[str, str], Json],
        options: Options,
    ) -> Json:
        material: Json = {}
        if certificate is not None:
            material["certificate"] = {"rawBytes": b64(der(certificate))}
        else:
            material["publicKey"] = {"hint": b64(hashlib.sha256(spki(key)).digest())}
        if options.log != "none":
            kind, spec = body
            logged = options.body({"apiVersion": kind[1], "kind": kind[0], "spec": spec})
            text = json.dumps(logged, separators=(",", ":"), sort_keys=True).encode()
            log = self.new if options.log == "new" else self.old
            material["tlogEntries"] = [log.add(text, kind=kind, at=options.at)]
        stamped = options.timestamp or (options.at if options.log == "new" else None)
        if stamped is not None:
            stamps = [self.stamp(signature, stamped)]
            material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        return {"mediaType": BUNDLE, "verificationMaterial": material, **content}


def _algorithm(key: PrivateKey, chosen: hashes.HashAlgorithm | None) -> tuple[str, str]:
    natural = {"secp384r1": "sha384", "secp521r1": "sha512"}
    name = "sha256"
    if chosen is not None:
        name = chosen.name
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        name = natural.get(key.curve.name, "sha256")
    return name, {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}[name]
