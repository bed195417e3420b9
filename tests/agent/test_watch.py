"""Which repositories are on this machine, and where their references are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.agent.wakeup import Signal, wait
from reconciler.agent.watch import RepositoryWatch, git_directory, local_path, watched_paths


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/srv/fleet.git", "/srv/fleet.git"),
        ("fleet", "fleet"),
        ("./a:b", "a:b"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("https://host/fleet", None),
        ("ssh://git@host/fleet", None),
        ("git@host:fleet", None),
        ("host:fleet", None),
    ],
)
def test_a_url_is_a_local_path_where_git_takes_it_for_one(url: str, path: str | None) -> None:
    assert local_path(url) == (None if path is None else Path(path))


def git(*arguments: str, at: Path) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=at, check=True, capture_output=True)


def test_work_trees_and_bare_repositories_are_found(tmp_path: Path) -> None:
    git("init", "--quiet", "work", at=tmp_path)
    git("init", "--quiet", "--bare", "bare", at=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=x", at=tmp_path / "work")
    git("worktree", "add", "--quiet", "--detach", "../linked", at=tmp_path / "work")
    assert git_directory(tmp_path / "work") == tmp_path / "work/.git"
    assert git_directory(tmp_path / "bare") == tmp_path / "bare"
    assert git_directory(tmp_path / "linked") == (tmp_path / "work/.git").resolve()
    assert git_directory(tmp_path) is None
    assert git_directory(tmp_path / "nothing") is None


def test_the_folders_of_a_reference_are_watched_and_none_outside(tmp_path: Path) -> None:
    git("init", "--quiet", "--bare", ".", at=tmp_path)
    (tmp_path / "refs/heads/release").mkdir()
    found = watched_paths(tmp_path, "release/2026")
    assert set(found) == {
        tmp_path,
        tmp_path / "refs",
        tmp_path / "refs/heads",
        tmp_path / "refs/heads/release",
    }


def test_a_branch_in_a_folder_that_does_not_exist_yet_is_seen(tmp_path: Path) -> None:
    git("init", "--quiet", "--initial-branch=main", ".", at=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=x", at=tmp_path)
    changed = Signal()
    watch = RepositoryWatch(tmp_path, "release/2026", changed)
    watch.start()
    try:
        for number in range(3):
            git("branch", "--force", "release/2026", at=tmp_path)
            git("commit", "--quiet", "--allow-empty", f"--message={number}", at=tmp_path)
            assert wait([changed], 10)
            changed.clear()
    finally:
        watch.stop()


def test_a_repository_that_comes_back_is_seen_without_a_poll(tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    git("init", "--quiet", "--initial-branch=main", ".", at=tmp_path / "away")
    changed = Signal()
    watch = RepositoryWatch(tmp_path / "here", "main", changed)
    watch.start()
    try:
        assert not wait([changed], 0.5)
        (tmp_path / "away").rename(tmp_path / "here")
        assert wait([changed], 15)
    finally:
        watch.stop()
