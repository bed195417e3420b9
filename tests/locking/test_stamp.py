"""What nobody has touched need not be read again; what anybody has touched must be."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.locking.stamp import Stamp, known_current, remember_current, settled_stamp, stamp_of


def fleet(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    for path in ("fleet.yaml", "images.lock", "sites/a/site.yaml", "evidence/sha256/aa", ".git/HEAD"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def stamp(root: Path) -> Stamp:
    found = settled_stamp(root)
    assert found is not None
    return found


def test_a_fleet_that_nobody_touched_is_known(tmp_path: Path) -> None:
    root, cache = fleet(tmp_path), tmp_path / "cache"
    assert known_current(cache, root, stamp(root)) is None
    remember_current(cache, root, stamp(root), 7)
    (root / ".git/index").write_text("git's own does not matter")
    assert known_current(cache, root, stamp(root)) == 7


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "sites/a/site.yaml").write_text("sites/a/site.yamL"),
        lambda root: (root / "sites/a/new").write_text(""),
        lambda root: (root / "evidence/sha256/aa").unlink(),
        lambda root: (root / "images.lock").write_text("images.locK"),
        lambda root: (root / "fleet.yaml").rename(root / "other.yaml"),
    ],
    ids=["same size", "new file", "evidence gone", "lock edited", "renamed"],
)
def test_any_change_is_noticed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root, cache = fleet(tmp_path), tmp_path / "cache"
    remember_current(cache, root, stamp(root), 7)
    change(root)
    assert known_current(cache, root, stamp(root)) is None


def test_a_change_that_keeps_the_modification_time_is_noticed(tmp_path: Path) -> None:
    root, cache = fleet(tmp_path), tmp_path / "cache"
    remember_current(cache, root, stamp(root), 7)
    file = root / "fleet.yaml"
    times = file.stat()
    file.write_text("fleet.yamL")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert known_current(cache, root, stamp(root)) is None


def test_files_that_were_just_written_are_not_remembered(tmp_path: Path) -> None:
    root, cache = fleet(tmp_path), tmp_path / "cache"
    (root / "fleet.yaml").write_text("again")
    found = stamp_of(root)
    assert found is not None
    remember_current(cache, root, found, 7)
    assert known_current(cache, root, stamp(root)) is None


def test_a_fleet_with_symlinks_is_read_every_time(tmp_path: Path) -> None:
    root = fleet(tmp_path)
    (root / "link").symlink_to("fleet.yaml")
    assert stamp_of(root) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stamp": 1}', "\x00"], ids=repr)
def test_a_cache_that_is_spoilt_is_no_knowledge(tmp_path: Path, text: str) -> None:
    root, cache = fleet(tmp_path), tmp_path / "cache"
    remember_current(cache, root, stamp(root), 7)
    (file,) = (cache / "wayside").iterdir()
    file.write_text(text)
    assert known_current(cache, root, stamp(root)) is None


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    root = fleet(tmp_path)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    remember_current(blocked, root, stamp(root), 7)
    assert known_current(blocked, root, stamp(root)) is None
