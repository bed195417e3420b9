"""Commits are believed only from those whom the installation names: with the real ssh-keygen and gpg."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.git_source import GitSource
from reconciler.errors import SourceError

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None or shutil.which("gpg") is None, reason="needs ssh-keygen and gpg"
)


class Author:
    """Somebody with a key, who commits."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.key = folder / f"key-{name}"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.key], check=True
        )

    @property
    def line(self) -> str:
        return f'{self.name}@example.org namespaces="git" {self.key.with_suffix(".pub").read_text()}'


def git(folder: Path, *arguments: str, **environment: str) -> str:
    import os

    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stdout.strip()


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.upstream = folder / "upstream"
        self.upstream.mkdir()
        git(self.upstream, "init", "-q", "-b", "main")
        self.trust = folder / "trust"
        self.trust.mkdir()

    def commit(self, author: Author | None = None, *signing: str, **environment: str) -> str:
        how = ["commit", "-q", "--allow-empty", "-m", "x"]
        if author is not None:
            signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={author.key}")
        git(self.upstream, *signing, *how, *(["-S"] if signing else []), **environment)
        return git(self.upstream, "rev-parse", "HEAD")

    def problem(self) -> str:
        source = GitSource(
            str(self.upstream), reference="main", clone=self.folder / "clone.git", trust=self.trust
        )
        return source.signature_problem(source.fetch().commit)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_keys_nobody_asks_for_a_signature(place: Place) -> None:
    place.commit()
    assert place.problem() == ""


def test_a_commit_of_an_allowed_signer_is_believed_and_no_other(place: Place) -> None:
    alice, mallory = Author(place.folder, "alice"), Author(place.folder, "mallory")
    (place.trust / "allowed_signers").write_text(alice.line)
    place.commit(alice)
    assert place.problem() == ""
    place.commit(mallory)
    assert place.problem() != ""
    place.commit()
    assert place.problem() != ""
    place.commit(alice)
    assert place.problem() == ""
    (place.trust / "allowed_signers").write_text("")
    assert place.problem() != ""
    (place.trust / "allowed_signers").write_text(mallory.line + alice.line)
    assert place.problem() == ""


def test_a_key_that_is_valid_for_something_else_only_does_not_sign_commits(place: Place) -> None:
    alice = Author(place.folder, "alice")
    (place.trust / "allowed_signers").write_text(alice.line.replace('"git"', '"file"'))
    place.commit(alice)
    assert place.problem() != ""


def test_a_changed_commit_keeps_no_signature(place: Place) -> None:
    alice = Author(place.folder, "alice")
    (place.trust / "allowed_signers").write_text(alice.line)
    place.commit(alice)
    content = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=place.upstream, check=True, capture_output=True
    ).stdout.replace(b"\n\nx", b"\n\ny")
    forged = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=place.upstream,
        input=content,
        check=True,
        capture_output=True,
        text=False,
    ).stdout.decode()
    git(place.upstream, "update-ref", "refs/heads/main", forged.strip())
    assert place.problem() != ""


@pytest.mark.slow
def test_gpg_keys_of_the_installation_are_believed_and_no_other(place: Place) -> None:
    home = place.folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    for name in ("alice", "mallory"):
        made = [*gpg, "--passphrase", "", "--quick-generate-key", f"{name}@example.org", "ed25519", "sign"]
        subprocess.run(made, check=True, capture_output=True)
    exported = subprocess.run(
        [*gpg, "--armor", "--export", "alice@example.org"], check=True, capture_output=True
    )
    (place.trust / "signers.asc").write_bytes(exported.stdout)
    try:
        place.commit(None, "-c", "user.signingkey=alice@example.org", GNUPGHOME=str(home))
        assert place.problem() == ""
        place.commit(None, "-c", "user.signingkey=mallory@example.org", GNUPGHOME=str(home))
        assert place.problem() != ""
        (place.trust / "signers.asc").write_text("no key at all")
        with pytest.raises(SourceError, match="cannot be read"):
            place.problem()
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
