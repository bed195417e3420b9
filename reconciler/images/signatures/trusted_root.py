"""Trusted roots: whose word counts for keyless signatures (`sigstore_trustroot.proto`)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509

from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.protojson import Message
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.x509 import load_der

__all__ = ["Authority", "Log", "TrustedRoot", "Window"]

_CODE = "root-malformed"
_MEDIA_TYPES = frozenset(
    {
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
        "application/vnd.dev.sigstore.trustedroot.v0.1+json",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends in it; an open end is None."""

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None

    def holds(self, at: datetime.datetime) -> bool:
        """Return whether a time lies in it."""
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)


@dataclass(frozen=True, slots=True)
class Log:
    """A transparency log, or a certificate transparency log.

    Attributes:
        ids: The names that its entries and checkpoints may call it by.
        host: Of its address, which newer logs sign their checkpoints by; may be "".
        key: It signs with.
        window: When that key was in use.
    """

    ids: frozenset[bytes]
    host: str
    key: PublicKey
    window: Window


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, or a timestamp authority.

    Attributes:
        chain: Its certificates, from the lowest to the root.
        window: When it was in use.
    """

    chain: tuple[x509.Certificate, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """Everybody whose word counts."""

    logs: tuple[Log, ...]
    ct_logs: tuple[Log, ...]
    authorities: tuple[Authority, ...]
    timestamp_authorities: tuple[Authority, ...]

    @classmethod
    def parse(cls, data: bytes) -> TrustedRoot:
        """Read a trusted root. A log whose kind of key is unknown is left out: nobody is trusted by that.

        Raises:
            SignatureRefused: It is none (`root-malformed`).
        """
        message = Message.parse(data, what="a Sigstore trusted root", code=_CODE)
        if message.text("mediaType") not in _MEDIA_TYPES:
            found = repr(message.text("mediaType")[:80])
            message.refuse("mediaType", "a Sigstore trusted root of version 0.1 or 0.2", found)
        return cls(
            logs=tuple(_logs(message, "tlogs")),
            ct_logs=tuple(_logs(message, "ctlogs")),
            authorities=tuple(_authority(each) for each in message.messages("certificateAuthorities")),
            timestamp_authorities=tuple(
                _authority(each) for each in message.messages("timestampAuthorities")
            ),
        )

    def log(self, log_id: bytes) -> Log | None:
        """Return the transparency log of that name."""
        return next((log for log in self.logs if log_id in log.ids), None)


def _logs(message: Message, field: str) -> list[Log]:
    logs: list[Log] = []
    for each in message.messages(field):
        given = each.need("publicKey")
        try:
            key = PublicKey.parse(given.data("rawBytes"))
        except SignatureRefused:
            continue
        ids = {key.sha256}
        for name in ("logId", "checkpointKeyId"):
            said = each.message(name)
            if said is not None and len(said.data("keyId")) >= 4:
                ids.add(said.data("keyId"))
        host = _host(each.text("baseUrl"))
        if host:
            ids.add(key.note_id(host))
        logs.append(Log(frozenset(ids), host, key, _window(given)))
    return logs


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _authority(message: Message) -> Authority:
    chain = message.need("certChain")
    try:
        found = tuple(load_der(each.data("rawBytes")) for each in chain.messages("certificates"))
    except ValueError as err:
        raise SignatureRefused(
            f"expected certificates at {chain.at('certificates')}, found something else", code=_CODE
        ) from err
    if not found:
        chain.refuse("certificates", "at least one certificate", "none")
    return Authority(found, _window(message))


def _window(message: Message) -> Window:
    given = message.message("validFor")
    return Window() if given is None else Window(given.time("start"), given.time("end"))
