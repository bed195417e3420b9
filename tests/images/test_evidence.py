from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents.tree import MemoryTree, WorkingTree
from reconciler.images.evidence import Evidence, EvidenceError, digest_of, evidence_path

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = "sha256:bf1f1ff2b7d5b7f0b8f9b7a3f3e9b8b7c1f1c9cbd8b4ed2bd2a4b4a8f7b9a9c1"


def evidence(*contents: bytes) -> Evidence:
    return Evidence(MemoryTree({evidence_path(digest_of(content)): content for content in contents}))


@given(st.binary(max_size=300))
def test_content_is_found_by_its_digest(content: bytes) -> None:
    found = evidence(content)
    assert found.read(digest_of(content)) == content
    assert found.has(digest_of(content))
    assert found.digests() == (digest_of(content),)


def test_missing_content_is_an_error_that_names_the_file() -> None:
    with pytest.raises(EvidenceError) as caught:
        evidence(MANIFEST).read(DIGEST)
    assert caught.value.code == "evidence-missing"
    assert caught.value.path == f"evidence/sha256/{DIGEST[7:]}"
    assert not evidence(MANIFEST).has(DIGEST)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_content_is_hashed_on_every_read(written: bytes, named: bytes) -> None:
    digest = digest_of(named)
    found = Evidence(MemoryTree({evidence_path(digest): written}))
    if written == named:
        assert found.read(digest) == named
        return
    with pytest.raises(EvidenceError) as caught:
        found.read(digest)
    assert caught.value.code == "evidence-altered"
    assert digest_of(written) in caught.value.message


def test_a_file_that_changes_between_two_reads_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / evidence_path(digest_of(MANIFEST))
    file.parent.mkdir(parents=True)
    file.write_bytes(MANIFEST)
    found = Evidence(WorkingTree(tmp_path))
    assert found.read(digest_of(MANIFEST)) == MANIFEST
    file.write_bytes(MANIFEST + b"\n")
    with pytest.raises(EvidenceError, match="expected content with the digest"):
        found.read(digest_of(MANIFEST))


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        DIGEST[7:],
        DIGEST.upper(),
        DIGEST + "0",
        DIGEST + "\n",
        "sha512:" + "0" * 128,
        "sha256:../../../etc/passwd",
        "sha256:" + "0" * 61 + "/..",
        "sha256:" + "٣" * 64,
    ],
    ids=repr,
)
def test_what_is_no_digest_is_refused_before_a_path_is_made(digest: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        evidence(MANIFEST).read(digest)
    assert caught.value.code == "evidence-digest"


def test_evidence_that_is_a_symlink_out_of_the_repository_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(MANIFEST)
    link = tmp_path / "fleet" / evidence_path(digest_of(MANIFEST))
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    found = Evidence(WorkingTree(tmp_path / "fleet"))
    for attempt in (found.read, found.has):
        with pytest.raises(EvidenceError) as caught:
            attempt(digest_of(MANIFEST))
        assert caught.value.code == "evidence-unreadable"


def test_only_names_that_are_digests_are_listed() -> None:
    files = {
        evidence_path(digest_of(MANIFEST)): MANIFEST,
        "evidence/sha256/README": b"",
        "evidence/other": b"",
    }
    assert Evidence(MemoryTree(files)).digests() == (digest_of(MANIFEST),)
    assert Evidence(MemoryTree({})).digests() == ()
