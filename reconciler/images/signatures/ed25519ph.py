"""Verifying Ed25519ph signatures (RFC 8032, section 5.1), which the library for the rest does not offer.

Sigstore signs digests with it where the key is Ed25519, because plain Ed25519 needs the whole message.
Only public values are computed with, so nothing here has to run in constant time.
"""

from __future__ import annotations

import hashlib

__all__ = ["verify_prehashed"]

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_DOMAIN = b"SigEd25519 no Ed25519 collisions\x01\x00"

_Point = tuple[int, int, int, int]
_IDENTITY: _Point = (0, 1, 1, 0)


def verify_prehashed(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    """Return whether a signature is right.

    Args:
        public_key: 32 bytes, as the key is encoded.
        signature: Of any length; only 64 bytes can be right.
        digest: SHA-512 of the message.
    """
    if len(signature) != 64 or len(public_key) != 32 or len(digest) != 64:
        return False
    key, commitment = _decode(public_key), _decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _ORDER:
        return False
    if _is_small(key) or _is_small(commitment):
        return False
    challenge = hashlib.sha512(_DOMAIN + signature[:32] + public_key + digest).digest()
    factor = int.from_bytes(challenge, "little") % _ORDER
    left = _multiply(scalar, _BASE)
    right = _add(commitment, _multiply(factor, key))
    return _equal(left, right)


def _x_of(y: int, sign: int) -> int | None:
    squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    if squared == 0:
        return None if sign else 0
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - squared) % _P:
        return None
    return _P - x if x & 1 != sign else x


def _decode(encoded: bytes) -> _Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _add(first: _Point, second: _Point) -> _Point:
    a = (first[1] - first[0]) * (second[1] - second[0]) % _P
    b = (first[1] + first[0]) * (second[1] + second[0]) % _P
    c = 2 * first[3] * second[3] * _D % _P
    d = 2 * first[2] * second[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    result = _IDENTITY
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _equal(first: _Point, second: _Point) -> bool:
    return (first[0] * second[2] - second[0] * first[2]) % _P == 0 and (
        first[1] * second[2] - second[1] * first[2]
    ) % _P == 0


def _is_small(point: _Point) -> bool:
    """Return whether the point's order divides eight: such a key accepts signatures of anything."""
    return _equal(_multiply(8, point), _IDENTITY)


def _base() -> _Point:
    y = 4 * pow(5, _P - 2, _P) % _P
    x = _x_of(y, 0) or 0
    return x, y, 1, x * y % _P


_BASE = _base()
