"""All trees answer alike: memory, a directory, and a git revision."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.git_tree import GitTree
from reconciler.documents.tree import (
    EntryType,
    FileTree,
    MemoryTree,
    TreeError,
    WorkingTree,
    blob_id,
    find_root,
    walk,
)
from reconciler.errors import SourceError

FILES = {
    "fleet.yaml": b"a: 1\n",
    "sites/one/site.yaml": b"b: 2\n",
    "sites/one/\xc3\xa4 x.txt": b"",
    "bases/b.yaml": b"c",
}


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name, content in FILES.items():
        file = root / name.encode("latin-1").decode()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (root / "sites/two").symlink_to("one")
    (root / "sites/three").mkdir()
    (root / "sites/three/site.yaml").symlink_to("../two/site.yaml")
    (root / "loop").symlink_to("loop")
    (root / "outside").symlink_to("../elsewhere")
    (root / "absolute").symlink_to("/etc/hostname")
    (root / "sneaky").symlink_to("sites/../../repository/fleet.yaml")
    (root / "dangling").symlink_to("sites/none")
    (tmp_path / "elsewhere").write_text("secret")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=first")
    return root


@pytest.fixture(params=["memory", "directory", "git"])
def plain(request: pytest.FixtureRequest, repository: Path) -> Iterator[FileTree]:
    match request.param:
        case "memory":
            yield MemoryTree({name.encode("latin-1").decode(): content for name, content in FILES.items()})
        case "directory":
            yield WorkingTree(repository)
        case _:
            with GitTree(repository, "HEAD") as tree:
                yield tree


@pytest.fixture(params=["directory", "git"])
def linked(request: pytest.FixtureRequest, repository: Path) -> Iterator[FileTree]:
    if request.param == "directory":
        yield WorkingTree(repository)
    else:
        with GitTree(repository, "main") as tree:
            yield tree


def test_files_and_directories_are_told_apart(plain: FileTree) -> None:
    assert plain.entry_type("") is EntryType.DIRECTORY
    assert plain.entry_type("sites/one") is EntryType.DIRECTORY
    assert plain.entry_type("sites/one/site.yaml") is EntryType.FILE
    assert plain.entry_type("sites/nine") is None
    assert plain.entry_type("fleet.yaml/below") is None


def test_content_is_read_and_names_are_listed(plain: FileTree) -> None:
    assert plain.read("sites/one/site.yaml") == b"b: 2\n"
    assert plain.read("sites/one/ä x.txt") == b""
    assert plain.list("sites/one") == ("site.yaml", "ä x.txt")
    assert "fleet.yaml" in plain.list("")
    assert ".git" not in plain.list("")


def test_what_is_missing_raises(plain: FileTree) -> None:
    for path in ("none", "sites/none/x", "fleet.yaml/below"):
        with pytest.raises(TreeError) as caught:
            plain.read(path)
        assert caught.value.code == "file-missing"
        with pytest.raises(TreeError):
            plain.list(path)
        with pytest.raises(TreeError):
            plain.content_id(path)


def test_the_content_id_follows_the_content(repository: Path) -> None:
    with GitTree(repository, "HEAD") as tree:
        assert tree.content_id("fleet.yaml") == blob_id(FILES["fleet.yaml"])
        assert tree.content_id("sites/one/site.yaml") == tree.content_id("sites/two/site.yaml")
    working = WorkingTree(repository)
    before = working.content_id("fleet.yaml")
    assert working.content_id("fleet.yaml") == before
    (repository / "fleet.yaml").write_text("a: 22\n")
    assert working.content_id("fleet.yaml") != before


def test_symlinks_inside_are_followed(linked: FileTree) -> None:
    assert linked.entry_type("sites/two") is EntryType.DIRECTORY
    assert linked.read("sites/two/site.yaml") == b"b: 2\n"
    assert linked.read("sites/three/site.yaml") == b"b: 2\n"
    assert linked.list("sites/two") == linked.list("sites/one")
    assert linked.entry_type("dangling") is None


def test_a_link_that_leaves_git_by_its_text_is_refused(repository: Path) -> None:
    """The name of the checkout's directory is no fact of the repository."""
    with GitTree(repository, "HEAD") as tree, pytest.raises(TreeError, match="leaves the repository"):
        tree.read("sneaky")
    assert WorkingTree(repository).read("sneaky") == b"a: 1\n"


@pytest.mark.parametrize("path", ["outside", "absolute", "loop", "../elsewhere", "sites/../../elsewhere"])
def test_what_leaves_the_tree_is_refused(linked: FileTree, path: str) -> None:
    for act in (linked.entry_type, linked.read, linked.content_id, linked.list):
        with pytest.raises(TreeError) as caught:
            act(path)
        assert caught.value.code == "path-outside"


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    tree = WorkingTree(tmp_path)
    for name in ("pipe", "directory"):
        with pytest.raises(TreeError, match="expected a file at"):
            tree.read(name)
        with pytest.raises(TreeError, match="expected a file at"):
            tree.content_id(name)


def test_large_files_are_refused_and_reading_goes_on(repository: Path) -> None:
    (repository / "large").write_bytes(b"x" * 300_000)
    git(repository, "add", "large")
    git(repository, "commit", "--quiet", "--message=large")
    with GitTree(repository, "HEAD", limit=200_000) as tree:
        for each in (tree, WorkingTree(repository, limit=200_000)):
            with pytest.raises(TreeError, match="expected at most 200000 bytes in 'large', found 300000"):
                each.read("large")
            assert each.read("bases/b.yaml") == b"c"
    with GitTree(repository, "HEAD") as tree:
        assert tree.read("large") == b"x" * 300_000
        assert tree.read("bases/b.yaml") == b"c"


def test_an_old_revision_is_read_without_a_checkout(repository: Path) -> None:
    (repository / "fleet.yaml").write_text("a: 2\n")
    git(repository, "rm", "--quiet", "-r", "bases")
    git(repository, "commit", "--quiet", "--all", "--message=second")
    with GitTree(repository, "HEAD~1") as old, GitTree(repository / "sites", "HEAD") as new:
        assert old.read("fleet.yaml") == b"a: 1\n"
        assert new.read("fleet.yaml") == b"a: 2\n"
        assert old.entry_type("bases/b.yaml") is EntryType.FILE
        assert new.entry_type("bases/b.yaml") is None
        assert old.commit != new.commit


def test_a_directory_of_the_repository_can_be_the_root(repository: Path) -> None:
    with GitTree(repository, "HEAD", directory="sites") as tree:
        assert tree.read("one/site.yaml") == b"b: 2\n"
        assert tree.entry_type("../fleet.yaml".removeprefix("../")) is None


def test_one_process_serves_all_reads_and_ends_with_the_tree(repository: Path) -> None:
    with GitTree(repository, "HEAD") as tree:
        tree.read("fleet.yaml")
        process = tree._batch
        tree.read("bases/b.yaml")
        assert process is not None
        assert tree._batch is process
    assert process.returncode is not None
    assert tree.read("fleet.yaml") == b"a: 1\n"
    tree.close()


@pytest.mark.parametrize("revision", ["nope", "--help", "HEAD:fleet.yaml", ""])
def test_a_revision_that_is_not_there_is_an_error(repository: Path, revision: str) -> None:
    with pytest.raises(SourceError) as caught:
        GitTree(repository, revision)
    assert caught.value.code == "revision-missing"


def test_a_directory_that_is_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected a git repository"):
        GitTree(tmp_path, "HEAD")


def test_a_submodule_is_refused_by_name(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "--message=x")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    git(repository, "commit", "--quiet", "--message=sub")
    with GitTree(repository, "HEAD") as tree:
        assert "sub" in tree.list("")
        for path in ("sub", "sub/x"):
            with pytest.raises(TreeError, match="is in the submodule 'sub'"):
                tree.entry_type(path)


def test_a_partial_clone_fetches_what_it_lacks(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = tmp_path / "clone"
    git(
        tmp_path,
        "clone",
        "--quiet",
        "--no-checkout",
        "--filter=blob:none",
        f"file://{repository}",
        str(clone),
    )
    with GitTree(clone, "HEAD") as tree:
        assert tree.read("sites/two/site.yaml") == b"b: 2\n"
    (repository.parent / "repository").rename(tmp_path / "gone")
    with GitTree(clone, "HEAD") as tree:
        assert tree.read("sites/one/site.yaml") == b"b: 2\n", "what was read once is there"
        with pytest.raises((TreeError, SourceError)):
            tree.read("bases/b.yaml")


def test_a_git_that_hangs_is_left_in_time(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    stub = tmp_path / "bin/git"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\ncase "$*" in *cat-file*) exec sleep 60;; esac\nexec {real} "$@"\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(stub.parent), prepend=os.pathsep)
    tree = GitTree(repository, "HEAD", timeout=0.3)
    began = time.perf_counter()
    with pytest.raises(SourceError) as caught:
        tree.read("fleet.yaml")
    assert caught.value.code == "git-timeout"
    assert time.perf_counter() - began < 5


def test_the_environment_of_a_git_hook_does_not_lead_elsewhere(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    with GitTree(repository, "HEAD") as tree:
        assert tree.read("fleet.yaml") == b"a: 1\n"


def test_a_missing_object_is_said_and_reading_goes_on(repository: Path) -> None:
    name = blob_id(FILES["bases/b.yaml"])
    (repository / ".git/objects" / name[:2] / name[2:]).unlink()
    with GitTree(repository, "HEAD") as tree:
        with pytest.raises(TreeError, match="git has no object"):
            tree.read("bases/b.yaml")
        assert tree.read("fleet.yaml") == b"a: 1\n"


def test_a_walk_sees_every_file_once_and_notices_a_circle(repository: Path) -> None:
    tree = WorkingTree(repository)
    assert list(walk(tree, "sites/one")) == ["sites/one/site.yaml", "sites/one/ä x.txt"]
    (repository / "sites/one/up").symlink_to("..")
    with pytest.raises(TreeError, match="expected at most 64 directories"):
        list(walk(tree, "sites/one"))


def test_the_root_is_the_fleet_before_the_repository(repository: Path) -> None:
    assert find_root(repository / "sites/one") == repository
    (repository / "sites/fleet.yaml").touch()
    assert find_root(repository / "sites/one/site.yaml") == repository / "sites"
