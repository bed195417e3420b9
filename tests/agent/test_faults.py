"""What goes wrong around an agent: repository, disk, state and sink."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.agent.assessment import Allowed, Unavailable, Unchanged
from reconciler.agent.wakeup import Signal
from reconciler.agent.worker import Request
from reconciler.agent.worker_process import Worker
from tests.agent.rig import ROOT, Rig, assert_contiguous, config_map, eventually, stop

#: Each starts several real processes.
pytestmark = pytest.mark.slow


def test_a_repository_that_was_never_reached_leaves_an_empty_site_and_a_reason(rig: Rig) -> None:
    shutil.rmtree(rig.repository.path)
    assert rig.once() == 2
    assert rig.objects() == {}
    assert rig.types() == ["agent.started", "source.failed"]
    assert rig.status().state == "Unknown"


def test_a_broken_clone_heals_itself(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    clone = rig.state / "repository.git"
    rng = random.Random(7)  # noqa: S311 - repeatable by its seed
    for turn, damage in enumerate(("objects", "refs", "HEAD", "everything", "lock", "gone")):
        match damage:
            case "objects":
                for path in clone.glob("objects/**/*"):
                    if path.is_file():
                        path.chmod(0o600)
                        path.write_bytes(rng.randbytes(64))
            case "refs":
                shutil.rmtree(clone / "refs")
            case "HEAD":
                (clone / "HEAD").write_bytes(b"\0\0\0")
            case "everything":
                for path in clone.rglob("*"):
                    if path.is_file():
                        path.chmod(0o600)
                        path.write_bytes(b"")
            case "lock":
                (clone / "shallow.lock").touch()
                (clone / "refs/wayside").mkdir(parents=True, exist_ok=True)
                (clone / "refs/wayside/head.lock").touch()
            case _:
                shutil.rmtree(clone)
        head = rig.repository.commit([config_map("a", f"{turn}-{damage}")])
        assert rig.once() == 0, f"{damage}: {rig.told()[-1500:]}"
        assert rig.objects() == {"a": f"{turn}-{damage}"}
        assert rig.status().applied == head
    assert not list(rig.state.glob("repository.git.new-*"))


def test_a_damaged_state_is_begun_anew_and_nothing_at_the_site_is_lost(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1"), config_map("b", "1")])
    assert rig.once() == 0
    (rig.state / "state.db").write_bytes(b"\0" * 5000)
    rig.repository.path.rename(rig.folder / "elsewhere")
    assert rig.once() == 2
    assert rig.objects() == {"a": "1", "b": "1"}
    (rig.folder / "elsewhere").rename(rig.repository.path)
    # The inventory is kept at the site too, so what left the repository meanwhile is still pruned.
    rig.repository.commit([config_map("a", "2")])
    assert rig.once() == 0
    assert rig.objects() == {"a": "2"}
    events = rig.events()
    assert_contiguous(events)
    assert len({event["epoch"] for event in events}) == 2
    assert "damaged" in next(
        e["data"]["stateLoss"] for e in events if "state.db" in e["data"].get("stateLoss", "")
    )


def test_a_state_that_is_taken_away_from_a_running_agent_is_begun_anew(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    agent = rig.start("--interval", "0.5")
    try:
        eventually(lambda: rig.types().count("sync.applied") == 1, what="the first sync")
        for path in rig.state.glob("state.db*"):
            path.unlink()
        eventually(lambda: rig.types().count("agent.started") == 2, what="the new beginning")
        rig.repository.commit([config_map("a", "2")])
        eventually(lambda: rig.objects() == {"a": "2"}, what="the next sync")
    finally:
        assert stop(agent) == 0
    assert_contiguous(rig.events())


def test_events_wait_for_a_sink_that_is_away_and_come_in_one_batch(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "0")])
    agent = rig.start("--interval", "3600")
    try:
        eventually(lambda: "sync.applied" in rig.types(), what="the first report")
        before = len(rig.batches())
        rig.mailbox.rename(rig.folder / "unplugged")
        for turn in range(1, 4):
            rig.repository.commit([config_map("a", str(turn))])
            eventually(lambda turn=turn: rig.objects() == {"a": str(turn)}, what="a sync without a sink")  # type: ignore[misc]
        eventually(lambda: rig.status().pending >= 6, what="the queue")
        (rig.folder / "unplugged").rename(rig.mailbox)
        eventually(lambda: len(rig.batches()) > before, within=30, what="the delivery")
        assert len(rig.batches()) == before + 1
        assert [event["type"].split(".")[3] for event in rig.batches()[-1]] == ["planned", "applied"] * 3
    finally:
        assert stop(agent) == 0
    assert_contiguous(rig.events())


def test_heartbeats_do_not_pile_up_while_the_sink_is_away(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "0")])
    agent = rig.start("--interval", "3600", "--heartbeat-interval", "0.2")
    try:
        eventually(lambda: "agent.heartbeat" in rig.types(), what="a heartbeat")
        rig.mailbox.rename(rig.folder / "unplugged")
        rig.repository.commit([config_map("a", "1")])
        eventually(lambda: rig.told().count("events wait") >= 2, what="two tries")
        # What was planned, what was applied, and at most one heartbeat.
        assert rig.status().pending <= 3
        (rig.folder / "unplugged").rename(rig.mailbox)
    finally:
        assert stop(agent) == 0
    assert_contiguous(rig.events())


def test_a_full_disk_stops_a_sync_before_it_begins_and_passes(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    rig.repository.commit([config_map("a", "2" * 50_000)])

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))

    with rig.log.open("a") as log:
        code = subprocess.run(
            [sys.executable, "-m", "tests.agent.plain_agent", *rig.command("--once")[3:]],
            cwd=ROOT,
            env=rig.environment,
            stderr=log,
            preexec_fn=little_room,
            check=False,
            timeout=60,
        ).returncode
    assert code in {1, 2}, rig.told()[-2000:]
    assert rig.objects() == {"a": "1"}
    assert rig.once() == 0
    assert rig.objects() == {"a": "2" * 50_000}
    assert_contiguous(rig.events())


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A git server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"git://127.0.0.1:{server.getsockname()[1]}/fleet.git"


def processes_with(text: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in words and "pytest" not in words:
                found.append(words)
    return found


def test_a_server_that_hangs_costs_its_timeout_and_no_process_stays(rig: Rig, silent_server: str) -> None:
    assert rig.once("--repo", silent_server, "--git-timeout", "1") == 2
    assert rig.status().faults["source"].startswith("git-timeout")
    assert processes_with(silent_server) == []


def test_sigterm_ends_the_agent_at_once_while_git_hangs(rig: Rig, silent_server: str) -> None:
    agent = rig.start("--repo", silent_server)
    try:
        eventually(lambda: any("ls-remote" in words for words in processes_with(silent_server)), what="git")
    finally:
        assert stop(agent, within=10) == 0
    assert processes_with(silent_server) == []


def test_kill_9_of_the_agent_ends_its_worker_and_git_too(rig: Rig, silent_server: str) -> None:
    agent = rig.start("--repo", silent_server)
    try:
        eventually(lambda: any("ls-remote" in words for words in processes_with(silent_server)), what="git")
    finally:
        agent.kill()
        agent.wait()
    eventually(lambda: processes_with(silent_server) == [], within=5, what="the end of git")


def test_sigterm_ends_the_agent_at_once_while_the_target_hangs(rig: Rig, silent_server: str) -> None:
    rig.repository.commit([config_map("a", "1")])
    kubeconfig = rig.folder / "kubeconfig"
    server = silent_server.replace("git://", "https://").removesuffix("/fleet.git")
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    agent = rig.start(target=f"kubeconfig:{kubeconfig}")
    try:
        eventually((rig.state / "repository.git/refs/wayside").exists, what="the fetch")
        eventually(lambda: not processes_with("plain_worker"), what="the end of the worker")
    finally:
        assert stop(agent, within=10) == 0
    assert "Traceback" not in rig.told()
    assert rig.once() == 0
    assert rig.objects() == {"a": "1"}


def test_a_worker_that_takes_too_long_is_ended_and_said(tmp_path: Path) -> None:
    answer = Worker(("sh", "-c", "sleep 61.7 & sleep 61.7")).ask(
        Request(url="x", reference="main", clone=str(tmp_path), site="a"), timeout=0.3, stop=Signal()
    )
    assert isinstance(answer, Unavailable)
    assert answer.code == "worker-timeout"
    eventually(lambda: not processes_with("sleep 61.7"), what="the end of what it started")


@pytest.mark.parametrize(
    "program",
    ["read line; exit 3", "echo '{}'", "echo no json", 'echo \'{"kind": "Allowed", "revision": {}}\''],
    ids=["nothing", "empty", "no JSON", "no revision"],
)
def test_a_worker_that_dies_or_talks_rubbish_tells_nothing_of_the_repository(
    tmp_path: Path, program: str
) -> None:
    worker = Worker(("sh", "-c", f"echo 'Traceback' >&2; echo 'MemoryError' >&2; {program}"))
    answer = worker.ask(
        Request(url="x", reference="main", clone=str(tmp_path), site="a"), timeout=10, stop=Signal()
    )
    assert isinstance(answer, Unavailable)
    assert answer.code == "worker-failed"
    assert "MemoryError" in answer.message


def test_a_ready_worker_stays_while_nothing_is_new_and_ends_with_its_judgement(rig: Rig) -> None:
    head = rig.repository.commit([config_map("a", "1")])
    worker = Worker((sys.executable, "-m", "tests.agent.plain_worker"), ready=True)
    request = Request(
        url=str(rig.repository.path),
        reference="main",
        clone=str(rig.folder / "clone"),
        site=rig.site,
        known=head,
    )
    stop_ = Signal()
    try:
        worker.prepare()
        first = children()
        assert len(first) == 1
        for _ in range(3):
            assert worker.ask(request, timeout=30, stop=stop_) == Unchanged(head)
            worker.prepare()
            assert children() == first
        rig.repository.commit([config_map("a", "2")])
        assert isinstance(worker.ask(request, timeout=30, stop=stop_), Allowed)
        assert children() == set()
        worker.prepare()
        (second,) = children()
        assert {second} != first
        # One that somebody killed, or that ran out of memory while it waited, is no reason for a fault.
        os.kill(second, signal.SIGKILL)
        eventually(lambda: not children(), what="its end")
        assert isinstance(worker.ask(request, timeout=30, stop=stop_), Allowed)
    finally:
        worker.close()
    assert children() == set()


def children() -> set[int]:
    """Return the processes that this one has started and that have not ended, but for those of fixtures."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = place.read_text().rpartition(")")[2].split()[:2]
            command = place.with_name("cmdline").read_bytes()
            if int(parent) == os.getpid() and state != "Z" and b"plain_worker" in command:
                found.add(int(place.parent.name))
    return found


@pytest.mark.parametrize("content", [b"no json\n", b'{"a": 1}\n'])
def test_a_sink_file_that_is_not_ours_is_left_alone(rig: Rig, content: bytes) -> None:
    rig.sink_file.write_bytes(content)
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    assert rig.sink_file.read_bytes() == content
    assert rig.status().pending == 3
    assert "sink-not-ours" in rig.told()


def test_a_torn_line_in_the_sink_is_cut_off_and_sent_again(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    with rig.sink_file.open("ab") as file:
        file.write(b'[{"specversion":"1.0","id"')
    assert rig.once() == 0
    assert_contiguous(rig.events())


def test_an_agent_keeps_its_status_in_a_branch_of_the_fleets_repository(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    main = rig.repository.git("rev-parse", "main")
    assert rig.once("--sink", "git") == 0, rig.told()[-2000:]
    text = rig.repository.git("show", f"status/{rig.site}:status.json")
    status = json.loads(text)["record"]
    assert (status["applied"], status["attempt"]) == (main, "applied")
    lines = rig.repository.git("show", f"status/{rig.site}:events.ndjson").split("\n")
    assert_contiguous([json.loads(line) for line in lines])
    assert rig.repository.git("rev-parse", "main") == main
    assert rig.status().pending == 0


def test_a_sink_that_is_the_branch_that_is_read_is_refused_in_words(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once("--sink", "git#main") == 2
    assert "which the site reads from" in rig.told()
    assert rig.once("--sink", "git#release") == 2
    assert "expected a branch below status/" in rig.told()
