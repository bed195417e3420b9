"""What a site downloads: the trees, its own files and what they need, and nothing of other sites."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.git_source import GitSource
from tests.adapters.git_server import git_server

#: The size of the fleet: small in every run, as the promise has it on demand.
SITES = int(os.environ.get("WAYSIDE_PARTIAL_SITES", "60"))
COMMITS = int(os.environ.get("WAYSIDE_PARTIAL_COMMITS", "12"))


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def evidence(folder: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    place = folder / "evidence/sha256"
    place.mkdir(parents=True, exist_ok=True)
    (place / digest).write_bytes(content)
    return digest


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet of many sites, with random content that packs no better than real one."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    rng = random.Random(7)  # noqa: S311 - repeatable
    (folder / "fleet.yaml").write_text("kind: Fleet\n")
    (folder / "bases/web").mkdir(parents=True)
    (folder / "bases/web/kustomization.yaml").write_text("resources: [web.yaml]\n")
    (folder / "bases/web/web.yaml").write_text("image: registry.example/web\n")
    config = evidence(folder, b'{"config": 1}')
    used = evidence(folder, json.dumps({"config": {"digest": f"sha256:{config}"}}).encode())
    unused = evidence(folder, rng.randbytes(3000))
    images = [
        {"name": "registry.example/web", "digest": f"sha256:{used}"},
        {"name": "registry.example/other", "digest": f"sha256:{unused}"},
    ]
    (folder / "images.lock").write_text(json.dumps({"images": images}))
    for number in range(SITES):
        place = folder / f"sites/site-{number:04d}"
        place.mkdir(parents=True)
        (place / "site.yaml").write_text(f"kind: Site # {rng.randbytes(200).hex()}\n")
        (place / "kustomization.yaml").write_text("resources: [../../bases/web, own.yaml]\n")
        (place / "own.yaml").write_text(f"value: {rng.randbytes(400).hex()}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    for turn in range(COMMITS - 1):
        for _ in range(max(1, SITES // 50)):
            number = rng.randrange(SITES)
            text = f"value: {turn} {rng.randbytes(400).hex()}\n"
            (folder / f"sites/site-{number:04d}/own.yaml").write_text(text)
        git(folder, "commit", "-qam", f"turn {turn}")
    return folder


def test_a_site_downloads_what_it_needs_and_little_else(fleet: Path, tmp_path: Path) -> None:
    with git_server(fleet.parent) as (port, sent):
        url = f"http://127.0.0.1:{port}/fleet/.git"
        git(tmp_path, "clone", "-q", "--bare", url, "full.git")
        whole = sum(sent)
        del sent[:]
        source = GitSource(url, reference="main", clone=tmp_path / "part.git")
        head = source.fetch().commit
        with source.tree(head, site="site-0003") as tree:
            before = len(sent)
            for path in (
                "fleet.yaml",
                "images.lock",
                "sites/site-0003/own.yaml",
                "bases/web/web.yaml",
            ):
                assert tree.read(path) == (fleet / path).read_bytes()
            for name in tree.list("evidence/sha256"):
                content = (fleet / "evidence/sha256" / name).read_bytes()
                if len(content) < 3000:
                    assert tree.read(f"evidence/sha256/{name}") == content
            assert len(sent) == before, "everything had come before it was read"
            first = sum(sent)
            # What nobody thought of is fetched when it is read.
            other = "sites/site-0005/own.yaml"
            assert tree.read(other) == (fleet / other).read_bytes()
            assert len(sent) > before
        print(f"\n{SITES} sites, {COMMITS} commits: {first} of {whole} bytes, {first / whole:.1%}")  # noqa: T201 - the figure
        assert first < 0.4 * whole
        (fleet / "sites/site-0003/own.yaml").write_text("value: new\n")
        git(fleet, "commit", "-qam", "one file")
        del sent[:]
        later = source.fetch().commit
        with source.tree(later, site="site-0003") as tree:
            assert tree.read("sites/site-0003/own.yaml") == b"value: new\n"
        print(f"a later change of one file: {sum(sent)} bytes")  # noqa: T201 - the figure
        assert sum(sent) <= 20 * 1024
        assert source.descends(later, head)
        assert source.is_intact(later)


def test_a_server_without_filters_still_works(fleet: Path, tmp_path: Path) -> None:
    git(fleet, "config", "uploadpack.allowFilter", "false")
    with git_server(fleet.parent) as (port, _):
        source = GitSource(
            f"http://127.0.0.1:{port}/fleet/.git", reference="main", clone=tmp_path / "part.git"
        )
        head = source.fetch().commit
        with source.tree(head, site="site-0003") as tree:
            assert tree.read("sites/site-0004/own.yaml") == (fleet / "sites/site-0004/own.yaml").read_bytes()


def test_no_password_of_the_url_is_written_into_the_clone(fleet: Path, tmp_path: Path) -> None:
    with git_server(fleet.parent, password="hunter2") as (port, _):  # noqa: S106 - of this test alone
        url = f"http://agent:hunter2@127.0.0.1:{port}/fleet/.git"
        source = GitSource(url, reference="main", clone=tmp_path / "part.git")
        with source.tree(source.fetch().commit, site="site-0003") as tree:
            assert tree.read("fleet.yaml")
    for path in (tmp_path / "part.git").rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path


def test_credentials_are_read_from_files_that_rotate(fleet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "username").write_text("agent\n")
    (folder / "password").write_text("first\n")
    clone = tmp_path / "part.git"
    with git_server(fleet.parent, password="first") as (port, _):  # noqa: S106 - of this test alone
        url = f"http://127.0.0.1:{port}/fleet/.git"
        assert GitSource(url, reference="main", clone=clone, credentials=folder).fetch().commit
    with git_server(fleet.parent, password="second") as (port, _):  # noqa: S106 - of this test alone
        source = GitSource(
            f"http://127.0.0.1:{port}/fleet/.git", reference="main", clone=clone, credentials=folder
        )
        (folder / "password").write_text("second\n")
        assert source.fetch().commit
