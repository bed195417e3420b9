"""The wheel is whole: it works from any folder, without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", str(directory), str(ROOT)),
        ],
        check=True,
        timeout=120,
        capture_output=True,
    )
    (file,) = directory.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def wayside(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command; it must not find the source tree."""
    program = (
        "import sys, reconciler; assert reconciler.__file__.startswith(sys.argv[1]), reconciler.__file__;"
        "sys.argv[0:2] = ['wayside']; from reconciler.cli.main import run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(installed), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_carries_rules_and_template_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "reconciler/_data/policies/memory-budget.yaml" in names
    assert "reconciler/_data/repo-template/fleet.yaml" in names
    assert "reconciler/_data/repo-template/.github/workflows/wayside.yaml" in names
    assert "reconciler/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_makes_and_checks_a_fleet_from_any_folder(installed: Path, tmp_path: Path) -> None:
    made = wayside(installed, "init", "fleet", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = wayside(installed, "check", cwd=tmp_path / "fleet")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "3 sites checked" in checked.stdout


def test_it_renders_tests_and_exports(installed: Path, tmp_path: Path) -> None:
    wayside(installed, "init", "fleet", cwd=tmp_path)
    fleet = tmp_path / "fleet"
    assert "kind: Deployment" in wayside(installed, "render", "berlin-mitte", cwd=fleet).stdout
    tested = wayside(installed, "test", cwd=fleet)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    exported = wayside(installed, "export", "schemas", "out", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "site.json").is_file()
