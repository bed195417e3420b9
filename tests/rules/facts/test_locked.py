"""An image is found in the lock by the name that a runtime would resolve."""

from __future__ import annotations

import pytest

from reconciler.model.image import ImageReference
from reconciler.model.lock import ImagesLock, LockedImage, LockedPlatform
from reconciler.rules.facts.locked import LockIndex

INDEX, ARM, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
LOCK = ImagesLock(
    {
        (name, tag): LockedImage(name, tag, INDEX, (LockedPlatform("linux/arm64", ARM, 1),))
        for name, tag in (("nginx", "1.27"), ("ghcr.io/acme/pos", "2"), ("busybox", "latest"))
    }
)


@pytest.mark.parametrize(
    ("reference", "found", "mismatch"),
    [
        ("nginx:1.27", True, ""),
        ("docker.io/library/nginx:1.27", True, ""),
        ("index.docker.io/nginx:1.27", True, ""),
        ("nginx:1.28", False, ""),
        ("busybox", True, ""),
        ("ghcr.io/acme/pos:2", True, ""),
        ("quay.io/acme/pos:2", False, ""),
        (f"nginx:1.27@{INDEX}", True, ""),
        (f"nginx@{INDEX}", True, ""),
        (f"nginx@{ARM}", True, ""),
        (f"nginx:1.27@{OTHER}", False, INDEX),
        (f"nginx@{OTHER}", False, ""),
    ],
)
def test_a_reference_is_found_by_tag_and_by_digest(reference: str, found: bool, mismatch: str) -> None:
    locked = LockIndex(LOCK).find(ImageReference.parse(reference))

    assert (locked.image is not None) is found
    assert locked.mismatch == mismatch


def test_without_a_lock_nothing_is_found() -> None:
    assert LockIndex(None).find(ImageReference.parse("nginx:1.27")).image is None
