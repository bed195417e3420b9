"""`images.lock` is read strictly, and each mistake is on its line."""

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.errors import FleetError
from reconciler.fleet import load_lock, parse_site
from reconciler.model.finding import Finding
from reconciler.model.image import ImageReference
from reconciler.model.lock import ImagesLock

DIGEST = "sha256:" + "a" * 64
ENTRY = f"""  - name: ghcr.io/acme/pos
    tag: "1.4"
    digest: {DIGEST}
    platforms:
      - {{platform: linux/arm64, digest: {DIGEST}, size: 123}}
    signatures: [{DIGEST}]
    resolvedAt: 2026-01-15T08:00:00Z
"""


def read(text: str) -> tuple[ImagesLock | None, tuple[Finding, ...]]:
    return load_lock(MemoryTree({"images.lock": text.encode()}))


def test_an_entry_arrives_whole() -> None:
    lock, findings = read("images:\n" + ENTRY)
    assert findings == ()
    assert lock is not None
    image = lock.find(ImageReference.parse("ghcr.io/acme/pos:1.4"))
    assert image is not None
    assert (image.digest, image.signatures, image.resolved_at) == (DIGEST, (DIGEST,), "2026-01-15T08:00:00Z")
    assert [(each.platform, each.size) for each in image.platforms] == [("linux/arm64", 123)]
    assert str(image.at) == "images.lock:2:5"


def test_no_lock_is_no_lock() -> None:
    assert load_lock(MemoryTree({})) == (None, ())


def test_entries_by_digest_alone_stand_beside_each_other() -> None:
    other = "sha256:" + "b" * 64
    entries = "".join(f"  - {{name: a, digest: {each}, platforms: []}}\n" for each in (DIGEST, other))
    text = "images:\n" + entries
    lock, findings = read(text)
    assert findings == ()
    assert lock is not None
    assert len(lock.images) == 2


WRONG = {
    "tag without quotes": (
        "images:\n" + ENTRY.replace('"1.4"', "1.4"),
        "3:10: expected a string in images[0].tag, found the number 1.4",
    ),
    "digest": (
        "images:\n" + ENTRY.replace(f"digest: {DIGEST}\n    pl", "digest: sha256:12\n    pl"),
        "4:13: expected a digest: sha256: and 64 hexadecimal digits in images[0].digest, found 'sha256:12'",
    ),
    "twice": (
        "images:\n" + ENTRY + ENTRY,
        "9:5: expected ghcr.io/acme/pos:1.4 once, found it again",
    ),
    "documents": ("images: []\n---\nimages: []\n", "1:1: expected one document in images.lock, found 2"),
    "nothing": ("", "1:1: expected one document in images.lock, found 0"),
    "unknown field": (
        "images: []\nimage: []\n",
        "2:1: expected a known field, found 'image'",
    ),
    "no YAML": ("images: [", "2:1: expected valid YAML, but did not find expected node content"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told(text: str, expected: str) -> None:
    lock, findings = read(text)
    assert lock is None
    assert [f"{each.location}: {each.message}" for each in findings] == [f"images.lock:{expected}"]
    assert {each.rule for each in findings} <= {"lock-schema", "yaml"}


SPEC = {
    "platform": "k3s",
    "kubernetesVersion": "1.33",
    "nodes": [{"architecture": "linux/arm64", "allocatable": {"memory": "4Gi"}}],
}


def test_a_single_site_is_parsed() -> None:
    site = parse_site({"metadata": {"name": "a"}, "spec": SPEC}, "policies/a.test.yaml")
    assert (site.name, site.platform) == ("a", "k3s")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SPEC | {"vars": 1}, "expected a mapping in spec.vars, found the number 1"),
        ({"class": "box"}, "expected the field spec.platform, found none"),
        ({}, "expected the field spec.platform, found none"),
    ],
    ids=["type", "class alone", "nothing"],
)
def test_a_single_site_that_is_wrong_is_refused(spec: object, expected: str) -> None:
    with pytest.raises(FleetError) as caught:
        parse_site({"metadata": {"name": "a"}, "spec": spec}, "policies/a.test.yaml")
    assert caught.value.message == expected
    assert caught.value.code == "site-schema"
