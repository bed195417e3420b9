"""DSSE envelopes: a payload with its type, signed together (github.com/secure-systems-lab/dsse)."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.images.signatures.protojson import Message

__all__ = ["Envelope"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and one signature of it.

    Attributes:
        payload: Its bytes.
        payload_type: Its media type; signed too.
        signature: Over `signed`.
    """

    payload: bytes
    payload_type: str
    signature: bytes

    @classmethod
    def read(cls, message: Message) -> Envelope:
        """Read an envelope; in a bundle it has exactly one signature.

        Raises:
            SignatureRefused: It has none or several, or is malformed.
        """
        signatures = [each.data("sig") for each in message.messages("signatures")]
        if len(signatures) != 1:
            message.refuse("signatures", "exactly one signature", str(len(signatures)))
        return cls(message.data("payload"), message.text("payloadType"), signatures[0])

    @property
    def signed(self) -> bytes:
        """The bytes that are signed: DSSE's pre-authentication encoding."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)
