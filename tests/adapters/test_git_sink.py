"""The status branch: one commit without history, pushed to its own branch and to no other."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.git_sink import GitSink
from reconciler.errors import UsageError
from reconciler.model.event import Event, EventType, Receipt
from reconciler.ports.sink import SinkError
from tests.adapters.git_server import git_server

SITE = "corner-shop"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(path: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(path), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def now() -> datetime.datetime:
    return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def events(first: int, last: int, *, epoch: str = "e1", state: str = "Ready") -> list[Event]:
    return [
        Event(
            SITE,
            epoch,
            number,
            EventType.HEALTH_CHANGED.value,
            f"2026-01-01T00:00:{number % 60:02}.000Z",
            {"state": state, "reason": "Applied", "message": "ü\u2028" * 20, "n": number},
        )
        for number in range(first, last + 1)
    ]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "--quiet", str(path), str(work)], check=True, capture_output=True)
    (work / "fleet.yaml").write_text("a: b\n")
    git(work, "checkout", "--quiet", "-B", "main")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "x")
    git(work, "push", "--quiet", "origin", "main")
    return path


@pytest.fixture
def new_sink(remote: Path, tmp_path: Path) -> Callable[..., GitSink]:
    def make(*, folder: str = "status.git", branch: str = f"status/{SITE}", reads: str = "main") -> GitSink:
        return GitSink(str(remote), branch=branch, site=SITE, folder=tmp_path / folder, reads=reads, now=now)

    return make


def told(remote: Path, branch: str = f"status/{SITE}") -> list[int]:
    lines = git(remote, "show", f"{branch}:events.ndjson").split("\n")
    return [json.loads(line)["data"]["n"] for line in lines]


def test_the_branch_is_one_commit_that_says_how_the_site_is(
    remote: Path, new_sink: Callable[..., GitSink]
) -> None:
    sink = new_sink()
    main = git(remote, "rev-parse", "main")
    assert sink.deliver(events(1, 3)) == Receipt("e1", 3)
    assert sink.deliver(events(4, 5, state="Degraded")) == Receipt("e1", 5)
    assert told(remote) == [1, 2, 3, 4, 5]
    status = json.loads(git(remote, "show", f"status/{SITE}:status.json"))
    assert (status["kind"], status["site"], status["record"]["state"]) == ("SiteStatus", SITE, "Degraded")
    assert git(remote, "rev-list", "--count", f"status/{SITE}") == "1"
    assert git(remote, "rev-parse", "main") == main
    assert set(git(remote, "for-each-ref", "--format=%(refname:short)").split()) == {"main", f"status/{SITE}"}
    assert sink.use.requests == 2
    assert sink.use.payload > 0


def test_a_batch_that_comes_again_is_stored_once_also_after_the_loss_of_the_folder(
    remote: Path, new_sink: Callable[..., GitSink]
) -> None:
    new_sink().deliver(events(1, 3))
    assert new_sink(folder="another").deliver(events(2, 5)) == Receipt("e1", 5)
    assert new_sink().deliver(events(1, 5)) == Receipt("e1", 5)
    assert told(remote) == [1, 2, 3, 4, 5]


def test_a_new_epoch_begins_at_one_again(remote: Path, new_sink: Callable[..., GitSink]) -> None:
    sink = new_sink()
    sink.deliver(events(1, 3))
    assert sink.deliver(events(1, 2, epoch="e2")) == Receipt("e2", 2)
    assert told(remote) == [1, 2, 3, 1, 2]


def test_another_event_under_a_number_that_is_taken_is_a_conflict(new_sink: Callable[..., GitSink]) -> None:
    sink = new_sink()
    sink.deliver(events(1, 3))
    with pytest.raises(SinkError) as caught:
        sink.deliver(events(3, 4, state="Degraded"))
    assert caught.value.code == "sequence-conflict"


def test_a_sign_of_life_renews_the_commit_and_nothing_else(
    remote: Path, new_sink: Callable[..., GitSink], tmp_path: Path
) -> None:
    new_sink().deliver(events(1, 3))
    later = GitSink(
        str(remote),
        branch=f"status/{SITE}",
        site=SITE,
        folder=tmp_path / "status.git",
        reads="main",
        now=lambda: now() + datetime.timedelta(minutes=5),
    )
    later.beat(SITE)
    assert json.loads(git(remote, "show", f"status/{SITE}:status.json"))["asOf"] == "2026-01-01T00:05:00.000Z"
    assert told(remote) == [1, 2, 3]


def test_old_events_are_let_go_and_counted_and_the_folder_stays_small(
    remote: Path, new_sink: Callable[..., GitSink], tmp_path: Path
) -> None:
    sink = new_sink()
    for first in range(1, 1501, 500):
        sink.deliver(events(first, first + 499))
    assert told(remote) == list(range(501, 1501))
    assert json.loads(git(remote, "show", f"status/{SITE}:status.json"))["dropped"] == 500
    objects = git(tmp_path / "status.git", "count-objects")
    assert int(objects.split()[0]) <= 8


@pytest.mark.parametrize(
    ("branch", "reads"),
    [
        ("main", "main"),
        ("release", "main"),
        ("status/corner-shop", "status/corner-shop"),
        ("status/corner-shop", "refs/heads/status/corner-shop"),
        ("refs/heads/main", "main"),
        ("status/../main", "main"),
        ("status/", "main"),
        ("status/a b", "main"),
        ("status/a:refs/heads/main", "main"),
        ("status/a.lock", "main"),
        ("-status/a", "main"),
    ],
)
def test_a_branch_that_is_not_one_for_status_is_refused(
    new_sink: Callable[..., GitSink], branch: str, reads: str
) -> None:
    with pytest.raises(UsageError, match="expected a branch"):
        new_sink(branch=branch, reads=reads)


def test_a_default_branch_is_refused_whatever_its_name_is(
    remote: Path, new_sink: Callable[..., GitSink]
) -> None:
    git(remote, "symbolic-ref", "HEAD", f"refs/heads/status/{SITE}")
    git(remote, "branch", f"status/{SITE}", "main")
    with pytest.raises(SinkError, match="default branch"):
        new_sink().deliver(events(1, 1))
    assert git(remote, "rev-parse", f"status/{SITE}") == git(remote, "rev-parse", "main")


def test_a_branch_of_somebody_else_is_never_replaced(remote: Path, new_sink: Callable[..., GitSink]) -> None:
    git(remote, "branch", f"status/{SITE}", "main")
    with pytest.raises(SinkError) as caught:
        new_sink().deliver(events(1, 1))
    assert caught.value.code == "sink-not-ours"
    assert git(remote, "rev-parse", f"status/{SITE}") == git(remote, "rev-parse", "main")


def test_a_branch_that_moved_meanwhile_is_not_replaced(
    remote: Path, new_sink: Callable[..., GitSink]
) -> None:
    first, second = new_sink(), new_sink(folder="another")
    first.deliver(events(1, 1))
    tip = second._remote_tip()
    content = second._read(tip)
    first.deliver(events(2, 2))
    with pytest.raises(SinkError):
        second._push(tip, content)
    assert told(remote) == [1, 2]


def test_a_remote_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    sink = GitSink(
        "http://user:hunter2@127.0.0.1:1/fleet.git",
        branch="status/a",
        site="a",
        folder=tmp_path / "status.git",
        reads="main",
        now=now,
    )
    with pytest.raises(SinkError) as caught:
        sink.deliver(events(1, 1))
    assert "hunter2" not in caught.value.message


def test_a_server_over_http_takes_pushes_with_a_password_from_a_file(remote: Path, tmp_path: Path) -> None:
    git(remote, "config", "http.receivepack", "true")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "username").write_text("agent")
    secret = "".join(reversed("terc3s"))
    (credentials / "password").write_text(secret)
    with git_server(remote.parent, password=secret) as (port, _):
        sink = GitSink(
            f"http://127.0.0.1:{port}/fleet.git",
            branch=f"status/{SITE}",
            site=SITE,
            folder=tmp_path / "status.git",
            reads="main",
            now=now,
            credentials=credentials,
        )
        sink.deliver(events(1, 2))
        sink.deliver(events(3, 3))
    assert told(remote) == [1, 2, 3]
