"""The agent as an init system, a cron job and an operator meet it."""

from __future__ import annotations

import json
import signal
import stat
import subprocess

import pytest

from tests.agent.rig import SITE, Rig, assert_contiguous, config_map, eventually, stop

#: Each starts several real processes.
pytestmark = pytest.mark.slow


def test_one_sync_brings_the_site_to_the_revision_and_reports_it(rig: Rig) -> None:
    head = rig.repository.commit([config_map("a", "1"), config_map("b", "1")])
    assert rig.once() == 0
    assert rig.objects() == {"a": "1", "b": "1"}
    status = rig.status()
    assert (status.applied, status.attempted, status.attempt, status.pending) == (head, head, "applied", 0)
    # A folder does not tell health, so it is never called Ready.
    assert (status.state, status.reason) == ("Unknown", "HealthUnknown")
    assert rig.types() == ["agent.started", "sync.planned", "sync.applied"]
    applied = rig.events()[-1]["data"]
    assert applied["commit"] == head
    assert applied["counts"] == {"create": 2, "update": 0, "delete": 0}


def test_paths_may_be_relative(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    for value in ("1", "2"):
        rig.repository.commit([config_map("a", value)])
        command = rig.command("--once", "--repo", "fleet", "--state", "state", target="directory:manifests")
        subprocess.run(
            command, cwd=rig.folder, env=rig.environment, check=True, capture_output=True, timeout=60
        )
        assert rig.objects() == {"a": value}


def test_a_second_sync_changes_nothing(rig: Rig) -> None:
    rig.repository.commit([config_map("a")])
    assert rig.once() == 0
    before = {path: path.stat().st_mtime_ns for path in rig.manifests.iterdir()}
    assert rig.once() == 0
    assert {path: path.stat().st_mtime_ns for path in rig.manifests.iterdir()} == before
    assert rig.types()[3:] == ["agent.started"]


def test_a_push_to_a_local_repository_arrives_at_once_and_sigterm_ends_the_agent_cleanly(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    agent = rig.start("--interval", "3600")
    try:
        eventually(lambda: rig.objects() == {"a": "1"}, what="the first sync")
        # The watch begins beside the first sync; a push before it is seen by the poll that follows.
        head = rig.repository.commit([config_map("a", "2")])
        eventually(lambda: rig.objects() == {"a": "2"}, within=5, what="the push")
        rig.repository.git("pack-refs", "--all")
        rig.repository.commit([config_map("a", "3")])
        eventually(lambda: rig.objects() == {"a": "3"}, within=5, what="the push after packing")
        eventually(lambda: rig.types().count("sync.applied") == 3, what="the report")
    finally:
        code = stop(agent, within=10)
    assert code == 0
    assert head in {event["data"].get("commit") for event in rig.events()}
    assert_contiguous(rig.events())


def test_sighup_syncs_now(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    agent = rig.start("--interval", "3600", "--drift-interval", "3600")
    try:
        eventually(lambda: "sync.applied" in rig.types(), what="the first sync")
        for file in rig.manifests.glob("*.yaml"):
            file.unlink()
        agent.send_signal(signal.SIGHUP)
        eventually(lambda: rig.objects() == {"a": "1"}, what="the correction")
    finally:
        assert stop(agent) == 0


def test_drift_is_corrected_and_reported_while_the_repository_is_gone(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    rig.repository.path.rename(rig.folder / "elsewhere")
    for file in rig.manifests.glob("*.yaml"):
        file.unlink()
    assert rig.once() == 2
    assert rig.objects() == {"a": "1"}
    assert rig.types()[3:] == ["agent.started", "source.failed", "drift.detected", "drift.corrected"]
    assert set(rig.status().faults) == {"source"}
    assert rig.once() == 2
    assert rig.types()[7:] == ["agent.started"]
    (rig.folder / "elsewhere").rename(rig.repository.path)
    assert rig.once() == 0
    assert rig.types()[8:] == ["agent.started", "source.restored"]
    assert rig.status().faults == {}


def test_a_refused_revision_leaves_the_last_good_one_and_is_reported_once(rig: Rig) -> None:
    good = rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    bad = rig.repository.commit([config_map("a", "2")], site={"deny": ["needs 8Gi, the site has 4Gi"]})
    assert [rig.once(), rig.once()] == [1, 1]
    assert rig.objects() == {"a": "1"}
    status = rig.status()
    assert (status.state, status.reason, status.applied, status.attempted) == ("Held", "Denied", good, bad)
    assert "8Gi" in status.message
    assert rig.types().count("sync.denied") == 1
    fixed = rig.repository.commit([config_map("a", "3")])
    assert rig.once() == 0
    assert rig.objects() == {"a": "3"}
    assert rig.status().applied == fixed


def test_a_site_that_vanished_from_the_repository_is_held_and_never_pruned(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    rig.repository.git("rm", "-rq", f"sites/{SITE}")
    rig.repository.git("commit", "-qm", "gone")
    assert rig.once() == 1
    assert rig.objects() == {"a": "1"}
    assert (rig.status().state, rig.status().reason) == ("Held", "SiteRemoved")


def test_a_sync_that_would_delete_too_much_is_held_as_a_whole(rig: Rig) -> None:
    rig.repository.commit([config_map(f"c{number}") for number in range(12)])
    assert rig.once() == 0
    rig.repository.commit([config_map("c0", "2")])
    assert rig.once() == 1
    assert set(rig.objects().values()) == {"1"}
    assert len(rig.objects()) == 12
    assert rig.status().state == "Held"
    assert rig.types()[-1] == "sync.held"


def test_a_suspended_site_is_left_alone(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    rig.repository.commit([config_map("a", "2")], site={"suspend": True})
    for file in rig.manifests.glob("*.yaml"):
        file.unlink()
    assert [rig.once(), rig.once()] == [0, 0]
    assert rig.objects() == {}
    assert rig.status().state == "Suspended"
    assert rig.types().count("site.suspended") == 1


def test_a_rewound_branch_is_held_unless_it_is_allowed(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    rig.repository.commit([config_map("a", "2")])
    assert rig.once() == 0
    rig.repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert rig.once() == 1
    assert rig.objects() == {"a": "2"}
    assert rig.status().reason == "Rewound"
    assert rig.once("--allow-rewind") == 0
    assert rig.objects() == {"a": "1"}


def test_two_agents_never_work_on_one_state(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    agent = rig.start()
    try:
        eventually(lambda: "sync.applied" in rig.types(), what="the first sync")
        assert rig.once() == 2
        assert "state-in-use" in rig.told()
    finally:
        assert stop(agent) == 0


@pytest.mark.parametrize("shape", ["bare", "worktree", "file-url"])
def test_repositories_of_every_local_shape_are_watched(rig: Rig, shape: str) -> None:
    rig.repository.commit([config_map("a", "1")])
    place = rig.folder / "other"
    match shape:
        case "bare":
            rig.repository.git("clone", "--quiet", "--bare", ".", str(place))
            rig.repository.git("remote", "add", "other", str(place))
            url = str(place)
        case "worktree":
            rig.repository.git("worktree", "add", "--quiet", "--detach", str(place))
            url = str(place)
        case _:
            url = rig.repository.path.as_uri()
    agent = rig.start("--repo", url, "--interval", "3600")
    try:
        eventually(lambda: rig.objects() == {"a": "1"}, what="the first sync")
        rig.repository.commit([config_map("a", "2")])
        if shape == "bare":
            rig.repository.git("push", "--quiet", "other", "main")
        eventually(lambda: rig.objects() == {"a": "2"}, within=5, what="the push")
    finally:
        assert stop(agent) == 0


def test_logs_may_be_json_and_hold_no_credentials(rig: Rig) -> None:
    url = "https://user:hunter2@127.0.0.1:9/fleet.git"
    assert rig.once("--repo", url, "--log-format", "json") == 2
    lines = [json.loads(line) for line in rig.told().splitlines()]
    assert {"time", "level", "message", "site"} <= set(lines[0])
    assert "hunter2" not in rig.told()
    assert "hunter2" not in json.dumps(rig.events())
    assert "hunter2" not in rig.status().faults["source"]


def test_what_the_agent_keeps_is_for_its_owner_only(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    assert stat.S_IMODE(rig.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((rig.state / "state.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--target", "cloud:9"), "bad-target"),
        (("--sink", "http://hub.example"), "bad-sink"),
        (("--sink", "carrier-pigeon"), "bad-sink"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_wrong_arguments_are_refused_with_their_reason(
    rig: Rig, arguments: tuple[str, ...], code: str
) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once(*arguments) == 2
    assert f"error[{code}]" in rig.told()
