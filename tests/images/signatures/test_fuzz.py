"""Whatever is changed of a right signature, it is refused or says the same; nothing ends the verifier.

`WAYSIDE_FUZZ_SECONDS=600` makes the same search long.
"""

import copy
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.images.signatures import SignatureRefused, Verified, verify
from reconciler.images.signatures.bundle import Bundle
from reconciler.images.signatures.checkpoint import Checkpoint
from reconciler.images.signatures.claim import verify_image
from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.layout import Broken, read_signatures
from reconciler.images.signatures.protojson import decode_base64
from reconciler.images.signatures.statement import STATEMENT_TYPE, Statement
from reconciler.images.signatures.trusted_root import TrustedRoot
from tests.images.signatures.cases import KEY_ALONE, RIGHT, Signed, as_bytes, p256
from tests.images.signatures.service import Json, Service, b64, pem
from tests.images.signatures.stored import Store
from tests.images.signatures.test_trust import DIGEST, simple

_VALUES: tuple[Any, ...] = (
    None,
    "",
    "0",
    "x",
    0,
    -1,
    1,
    2**63,
    1.5,
    1e400,
    True,
    [],
    {},
    [[]],
    [{}],
    "AAAA",
    "é",
)
_SECONDS = float(os.environ.get("WAYSIDE_FUZZ_SECONDS", "4"))


def places(document: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in a document but the whole."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for step, value in items:
        yield (*way, step)
        if isinstance(value, dict | list):
            yield from places(value, (*way, step))


def change(document: Json, chance: random.Random) -> None:
    """Change one thing of a document: a value, a bit of one, its place, or whether it is there."""
    if not document:
        return
    way = chance.choice(list(places(document)))
    place: Any = document
    for step in way[:-1]:
        place = place[step]
    last, value = way[-1], place[way[-1]]
    match chance.randrange(6):
        case 0:
            place[last] = copy.deepcopy(chance.choice(_VALUES))
        case 1:
            del place[last]
        case 2 if isinstance(value, str) and value:
            at = chance.randrange(len(value))
            place[last] = value[:at] + chance.choice("A0=/-\n é\x00") + value[at + 1 :]
        case 3 if isinstance(value, str):
            data = bytearray(decode_base64(value) or b"\0")
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            place[last] = b64(bytes(data))
        case 4 if isinstance(value, list) and value:
            value.append(copy.deepcopy(chance.choice(value)))
        case _:
            other = chance.choice(list(places(document)))
            found: Any = document
            for step in other:
                found = found[step]
            place[last] = copy.deepcopy(found)


def judge(signed: Signed, bundle: bytes, root: bytes) -> Verified:
    by_key = signed.key is not None
    return verify(
        bundle,
        signed.content,
        key=signed.key,
        certificate_identity=None if by_key else signed.identity,
        certificate_oidc_issuer=None if by_key else signed.issuer,
        trusted_root=root,
    )


def essence(document: Json) -> Any:
    """Return what a right bundle proves: content, signer and statement, in one form whatever the spelling."""
    bundle = Bundle.parse(as_bytes(document))
    return getattr(bundle.content, "payload", None), getattr(bundle.content, "payload_type", None)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_changed_bundle_is_refused_or_proves_the_same() -> None:
    seed = int(os.environ.get("WAYSIDE_FUZZ_SEED", "20260301"))
    chance, service = random.Random(seed), Service()  # noqa: S311  a seed that can be given again
    samples = [(case.name, case.make(service)) for case in (*RIGHT, *KEY_ALONE)]
    stranger, tried, accepted = pem(p256()), 0, 0
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        name, signed = chance.choice(samples)
        bundle, root = copy.deepcopy(signed.bundle), copy.deepcopy(signed.root)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            change(bundle, chance)
        if chance.random() < 0.2:
            change(root, chance)
        data = as_bytes(bundle)
        if chance.random() < 0.1:
            cut = chance.randrange(len(data))
            data = data[:cut] + bytes([chance.randrange(256)]) + data[cut + chance.randrange(3) :]
        tried += 1
        try:
            verified = judge(signed, data, as_bytes(root))
        except SignatureRefused:
            continue
        accepted += 1
        # Accepted: then it proves what the unchanged one did, of this content and nothing else.
        assert verified.identity == ("" if signed.key else signed.identity), name
        assert essence(json.loads(data)) == essence(signed.bundle), name
        with pytest.raises(SignatureRefused):
            judge(
                Signed(bundle, root, signed.key, b"other", signed.identity, signed.issuer),
                data,
                as_bytes(root),
            )
        if signed.key is not None:
            with pytest.raises(SignatureRefused):
                verify(data, signed.content, key=stranger, trusted_root=as_bytes(root))
    sys.stderr.write(f"{tried} changed bundles, {accepted} of them still right\n")
    assert tried > 100


@pytest.mark.parametrize(
    "parse",
    [
        Bundle.parse,
        TrustedRoot.parse,
        PublicKey.parse,
        lambda data: Checkpoint.parse(data.decode("utf-8", "replace")),
        lambda data: Statement.parse(data, STATEMENT_TYPE),
    ],
    ids=["bundle", "trusted root", "public key", "checkpoint", "statement"],
)
@given(data=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
@settings(max_examples=100, deadline=None)
def test_no_bytes_end_a_parser(parse: Callable[[bytes], object], data: bytes) -> None:
    try:
        parse(data)
    except SignatureRefused as err:
        assert err.code
        assert len(err.message) < 1000


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            ["layers", "subject", "digest", "mediaType", "annotations", "critical", "image", "type"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(document=_json)
@settings(max_examples=150, deadline=None)
def test_no_document_ends_the_reading_of_signatures(document: Any) -> None:
    store = Store()
    digest = store.add(json.dumps(document).encode())
    for found in read_signatures(digest, lambda _: store.files[next(iter(store.files))], image=DIGEST):
        if not isinstance(found, Broken):
            with pytest.raises(SignatureRefused):
                verify_image(found, DIGEST, wanted=PublicKey.of(p256().public_key()), root=None)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_payload_is_not_trusted(data: st.DataObject) -> None:
    key, store = p256(), Store()
    manifest = simple(key, store)
    path = next(path for path in store.files if b'"critical"' in store.files[path])
    content = bytearray(store.files[path])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    contents = {f"sha256:{name.rpartition('/')[2]}": value for name, value in store.files.items()}
    contents[f"sha256:{path.rpartition('/')[2]}"] = bytes(content)
    (found,) = read_signatures(manifest, contents.__getitem__, image=DIGEST)
    assert not isinstance(found, Broken)
    with pytest.raises(SignatureRefused):
        verify_image(found, DIGEST, wanted=PublicKey.of(key.public_key()), root=None)
