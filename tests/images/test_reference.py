"""Image references are read as the distribution project reads them."""

from __future__ import annotations

import pytest

from reconciler.model.image import ImageReference, ImageReferenceError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest", "normalized"),
    [
        pytest.param("nginx", "nginx", "", "", "docker.io/library/nginx", id="bare"),
        pytest.param("nginx:1.27", "nginx", "1.27", "", "docker.io/library/nginx", id="tag"),
        pytest.param("acme/pos:1", "acme/pos", "1", "", "docker.io/acme/pos", id="hub-user"),
        pytest.param("ghcr.io/acme/pos:1", "ghcr.io/acme/pos", "1", "", "ghcr.io/acme/pos", id="domain"),
        pytest.param("localhost/pos", "localhost/pos", "", "", "localhost/pos", id="localhost"),
        pytest.param("reg:5000/a/b:2", "reg:5000/a/b", "2", "", "reg:5000/a/b", id="port"),
        pytest.param("[::1]:5000/a:2", "[::1]:5000/a", "2", "", "[::1]:5000/a", id="ipv6"),
        pytest.param(
            f"nginx:1@{DIGEST}", "nginx", "1", DIGEST, "docker.io/library/nginx", id="tag-and-digest"
        ),
        pytest.param(
            "index.docker.io/nginx", "index.docker.io/nginx", "", "", "docker.io/library/nginx", id="index"
        ),
        pytest.param(
            "docker.io/nginx", "docker.io/nginx", "", "", "docker.io/library/nginx", id="hub-library"
        ),
    ],
)
def test_a_reference_is_taken_apart(text: str, name: str, tag: str, digest: str, normalized: str) -> None:
    reference = ImageReference.parse(text)
    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)
    assert reference.normalized_name == normalized
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nginx",
        "nginx:",
        "nginx@",
        "nginx@sha256:short",
        "a//b",
        "nginx:tag:tag",
        "-nginx",
        "http://reg/a",
        "a b",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ImageReferenceError, match="expected an image reference"):
        ImageReference.parse(text)


@pytest.mark.parametrize(
    ("text", "tag"),
    [("nginx", "latest"), ("nginx:1", "1"), (f"nginx@{DIGEST}", ""), (f"nginx:1@{DIGEST}", "1")],
)
def test_a_missing_tag_means_latest_unless_a_digest_is_there(text: str, tag: str) -> None:
    assert ImageReference.parse(text).effective_tag == tag
