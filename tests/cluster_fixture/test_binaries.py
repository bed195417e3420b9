"""Parts are built once a machine, from pinned sources, whoever asks first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.binaries import KUBERNETES_VERSION, MODULES, PARTS, binary
from tests.cluster.errors import PartMissing
from tests.cluster.process import free_port
from tests.cluster.toolchain import Go, find_go

ROOT = Path(__file__).parents[2]
GO = Go(path=Path("go"), version="go1.26.0", platform="linux/arm64")


def test_two_runs_that_need_the_same_part_build_it_once(crane: Path, tmp_path: Path) -> None:
    del crane  # so that Go's own cache is warm
    command = [sys.executable, "-m", "tests.cluster.binaries", "crane"]
    env = {**os.environ, "WAYSIDE_CACHE": str(tmp_path)}
    runs = [
        subprocess.Popen(
            command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300) for run in runs]
    assert len({found for found, _ in said}) == 1
    assert sum("building crane" in progress for _, progress in said) == 1
    assert Path(said[0][0].split()[1]).is_file()
    assert [path.name for path in (tmp_path / "bin" / "crane").iterdir() if path.is_dir()] == [
        Path(said[0][0].split()[1]).parent.name
    ]


def test_kubernetes_says_the_version_that_its_module_pins() -> None:
    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}\n" in (MODULES / "kubernetes" / "go.mod").read_text(
        "utf-8"
    )


def test_another_compiler_makes_another_build() -> None:
    other = Go(path=GO.path, version="go1.26.1", platform=GO.platform)
    assert PARTS["etcd"].digest(GO) != PARTS["etcd"].digest(other)
    assert len({part.digest(GO) for part in PARTS.values()}) == len(PARTS)


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that reaches no package index and has nothing cached."""
    monkeypatch.setenv("WAYSIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port()}/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@pytest.mark.usefixtures("no_index")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param('{"GOVERSION": "go1.21.3", "GOHOSTOS": "linux", "GOHOSTARCH": "arm64"}', id="too-old"),
        pytest.param("", id="does-not-answer"),
    ],
)
def test_a_go_that_will_not_do_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(PartMissing, match="no new enough Go on PATH"):
        find_go(say=said.append)
    assert "from PyPI" in said[0]


def test_sources_that_cannot_be_built_are_a_missing_part_with_the_compilers_reason(
    crane: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del crane
    monkeypatch.setenv("WAYSIDE_CACHE", str(tmp_path))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(PartMissing, match=r"(?s)crane cannot be built.*GOPROXY=off"):
        binary("crane")
    assert [path for path in (tmp_path / "bin" / "crane").iterdir() if path.is_dir()] == []
