"""The git source against real repositories and a real git server."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.git_source import GitSource, redact
from reconciler.errors import SourceError
from reconciler.ports.source import Revision
from tests.adapters.git_server import git_server


class Upstream:
    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(path)], check=True)
        self.count = 0

    def git(self, *arguments: str, when: str = "") -> str:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.path)}
        if when:
            environment |= {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
        return subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=self.path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, message: str = "x", *, when: str = "") -> str:
        self.count += 1
        (self.path / "file").write_text(f"{self.count}")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message, when=when)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream")


def source(upstream: Upstream, *, reference: str = "main", url: str = "") -> GitSource:
    return GitSource(
        url or str(upstream.path), reference=reference, clone=upstream.path.parent / "clone.git", timeout=20
    )


def test_a_revision_has_its_commit_time_in_utc_and_its_subject(upstream: Upstream) -> None:
    commit = upstream.commit("Raise the price: ä\n\nBecause.", when="2026-03-01T12:00:00+02:00")
    assert source(upstream).fetch() == Revision(
        commit, datetime.datetime(2026, 3, 1, 10, tzinfo=datetime.UTC), "Raise the price: ä"
    )


def test_files_of_a_fetched_revision_are_read_without_a_checkout(upstream: Upstream) -> None:
    first = upstream.commit()
    reader = source(upstream)
    reader.fetch()
    second = upstream.commit()
    reader.fetch()
    for commit, content in ((first, b"1"), (second, b"2")):
        with reader.tree(commit) as tree:
            assert tree.read("file") == content
    assert not (upstream.path.parent / "clone.git/file").exists()


def test_the_first_fetch_is_shallow_and_later_ones_keep_what_lies_between(upstream: Upstream) -> None:
    commits = [upstream.commit() for _ in range(5)]
    reader = source(upstream, url=upstream.path.as_uri())
    reader.fetch()
    clone = upstream.path.parent / "clone.git"
    have = subprocess.run(["git", "rev-list", "--all"], cwd=clone, check=True, capture_output=True, text=True)
    assert have.stdout.split() == [commits[-1]]
    later = [upstream.commit() for _ in range(3)]
    reader.fetch()
    assert reader.descends(later[-1], commits[-1])
    have = subprocess.run(["git", "rev-list", "--all"], cwd=clone, check=True, capture_output=True, text=True)
    assert set(have.stdout.split()) == {commits[-1], *later}


def test_descent_is_told_also_where_it_lies_before_the_first_fetch(upstream: Upstream) -> None:
    old = upstream.commit()
    for _ in range(3):
        head = upstream.commit()
    reader = source(upstream, url=upstream.path.as_uri())
    reader.fetch()
    assert reader.descends(head, old)
    assert not reader.descends(head, "0123456789" * 4)


def test_a_rewritten_branch_does_not_descend_from_what_it_was(upstream: Upstream) -> None:
    upstream.commit()
    before = upstream.commit()
    reader = source(upstream)
    assert reader.fetch().commit == before
    upstream.git("reset", "--quiet", "--hard", "HEAD~1")
    after = upstream.commit("another history")
    assert reader.fetch().commit == after
    assert not reader.descends(after, before)


@pytest.mark.parametrize(
    ("reference", "annotated"),
    [("refs/tags/v1", False), ("refs/tags/v1", True), ("v1", False), ("v1", True), ("release/2026.1", False)],
    ids=["full tag", "full annotated tag", "tag", "annotated tag", "branch with a slash"],
)
def test_tags_and_branches_name_revisions(upstream: Upstream, reference: str, annotated: bool) -> None:
    commit = upstream.commit()
    if reference.endswith("v1"):
        upstream.git("tag", *(["-a", "-m", "one"] if annotated else []), "v1")
    else:
        upstream.git("branch", reference)
    upstream.commit()
    reader = source(upstream, reference=reference)
    assert reader.remote_commit() == commit
    assert reader.fetch().commit == commit


def test_a_branch_goes_before_a_tag_of_its_name(upstream: Upstream) -> None:
    upstream.commit()
    upstream.git("tag", "v1")
    commit = upstream.commit()
    upstream.git("branch", "v1")
    assert source(upstream, reference="v1").fetch().commit == commit


def test_a_commit_is_named_by_its_id_and_needs_no_remote_once_it_is_here(upstream: Upstream) -> None:
    wanted = upstream.commit("this one")
    upstream.commit("and another")
    with git_server(upstream.path.parent) as (port, sent):
        url = f"http://127.0.0.1:{port}/upstream/.git"
        reader = source(upstream, reference=wanted, url=url)
        assert reader.remote_commit() == wanted
        assert reader.fetch().subject == "this one"
        with reader.tree(wanted) as tree:
            assert tree.read("file") == b"1"
        count = len(sent)
        assert source(upstream, reference=wanted, url=url).fetch().commit == wanted
        assert len(sent) == count
        # Newer and older ones are told apart as those of branches are.
        newer = source(upstream, reference=upstream.commit("a third"), url=url)
        assert newer.descends(newer.fetch().commit, wanted)
        assert not newer.descends(wanted, newer.fetch().commit)


@pytest.mark.parametrize(
    ("reference", "hint"), [("0" * 40, ""), ("abcdef0", "full id")], ids=["not there", "short"]
)
def test_a_commit_that_is_not_there_is_an_error(upstream: Upstream, reference: str, hint: str) -> None:
    upstream.commit()
    with pytest.raises(SourceError) as caught:
        source(upstream, reference=reference).fetch()
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(shutil.rmtree, "git-failed", id="gone"),
        pytest.param(lambda path: shutil.rmtree(path / ".git/objects"), "git-failed", id="broken"),
        pytest.param(
            lambda path: subprocess.run(["git", "branch", "-m", "trunk"], cwd=path, check=True),
            "reference-missing",
            id="another branch",
        ),
    ],
)
def test_a_repository_that_cannot_be_read_is_an_error_and_the_clone_stays(
    upstream: Upstream, change: object, code: str
) -> None:
    commit = upstream.commit()
    reader = source(upstream)
    reader.fetch()
    assert callable(change)
    change(upstream.path)
    with pytest.raises(SourceError) as caught:
        reader.fetch()
    assert caught.value.code == code
    assert reader.revision(commit).commit == commit


def test_an_empty_repository_is_not_an_empty_revision(upstream: Upstream) -> None:
    with pytest.raises(SourceError) as caught:
        source(upstream).fetch()
    assert caught.value.code == "reference-missing"


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("--upload-pack=touch x", "main"),
        ("/x", "-main"),
        ("/x", "a..b"),
        ("/x", "a b"),
        ("/x", "@{-1}"),
        ("", "main"),
        ("/x", ""),
    ],
)
def test_what_could_be_taken_for_an_option_is_refused(tmp_path: Path, url: str, reference: str) -> None:
    with pytest.raises(SourceError) as caught:
        GitSource(url, reference=reference, clone=tmp_path / "clone")
    assert caught.value.code in {"bad-url", "bad-reference"}


def test_a_url_cannot_name_a_program(tmp_path: Path) -> None:
    reader = GitSource(
        f"ext::touch {tmp_path / 'run'}", reference="main", clone=tmp_path / "clone", timeout=10
    )
    with pytest.raises(SourceError):
        reader.fetch()
    assert not (tmp_path / "run").exists()


def test_a_damaged_object_is_noticed_and_a_new_clone_mends_it(upstream: Upstream) -> None:
    commit = upstream.commit()
    reader = source(upstream)
    reader.fetch()
    assert reader.is_intact(commit)
    clone = upstream.path.parent / "clone.git"
    blob = upstream.git("rev-parse", "HEAD:file")
    place = clone / "objects" / blob[:2] / blob[2:]
    if place.exists():
        place.chmod(0o600)
        place.write_bytes(b"rubbish")
    else:
        for pack in clone.glob("objects/pack/*.pack"):
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:-30] + b"\0" * 30)
    assert not reader.is_intact(commit)
    reader.clone_again()
    assert reader.is_intact(commit)


def test_a_clone_that_cannot_be_made_leaves_the_old_one(upstream: Upstream) -> None:
    commit = upstream.commit()
    reader = source(upstream)
    reader.fetch()
    shutil.rmtree(upstream.path)
    with pytest.raises(SourceError):
        reader.clone_again()
    assert reader.revision(commit).commit == commit
    assert [path.name for path in upstream.path.parent.iterdir()] == ["clone.git"]


def test_a_repository_on_a_server_is_fetched_shallow_first_and_cheap_when_nothing_is_new(
    upstream: Upstream,
) -> None:
    for _ in range(4):
        upstream.commit("x" * 2000)
    with git_server(upstream.path.parent) as (port, sent):
        reader = source(upstream, url=f"http://127.0.0.1:{port}/upstream/.git")
        first = reader.fetch()
        assert first.commit == upstream.git("rev-parse", "HEAD")
        del sent[:]
        assert reader.remote_commit() == first.commit
        assert sum(sent) < 2000
        upstream.git("reset", "--quiet", "--hard", "HEAD~2")
        rewound = upstream.commit()
        assert reader.fetch().commit == rewound
        assert not reader.descends(rewound, first.commit)


def test_a_server_that_wants_a_password_gets_it_and_nobody_is_asked_for_one(upstream: Upstream) -> None:
    commit = upstream.commit()
    with git_server(upstream.path.parent, password="hunter2") as (port, _):  # noqa: S106 - of this test alone
        place = f"127.0.0.1:{port}/upstream/.git"
        assert source(upstream, url=f"http://agent:hunter2@{place}").fetch().commit == commit
        for url in (f"http://{place}", f"http://agent:letmein@{place}"):
            with pytest.raises(SourceError) as caught:
                source(upstream, url=url).fetch()
            assert caught.value.code == "git-failed"
            assert "letmein" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://user:secret@host/x", "https://***@host/x"),
        ("fatal: 'https://token@host:8443/x' is away", "fatal: 'https://***@host:8443/x' is away"),
        ("ssh://git@host/x", "ssh://***@host/x"),
        ("git@host:x", "git@host:x"),
        ("https://host/a@b", "https://host/a@b"),
        ("no url", "no url"),
    ],
)
def test_credentials_in_urls_are_never_shown(text: str, redacted: str) -> None:
    assert redact(text) == redacted
