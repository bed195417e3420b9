"""Build the real parts from pinned sources, each on first use, once a machine.

`python -m tests.cluster.binaries [NAME...]` builds ahead of the tests and prints where each part is.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from tests.cluster.cache import cache_directory, exclusive
from tests.cluster.errors import PartMissing
from tests.cluster.process import bound_to_this_process
from tests.cluster.toolchain import SETTINGS, Go, find_go

MODULES: Final = Path(__file__).parent / "go"
KUBERNETES_VERSION: Final = "v1.36.3"  # what go.mod pins; a plain `go build` leaves it out of the programs

_STRIP: Final = "-s -w"
_VERSION: Final = "k8s.io/component-base/version"
_KUBERNETES: Final = " ".join(
    (
        _STRIP,
        f"-X {_VERSION}.gitVersion={KUBERNETES_VERSION}",
        f"-X {_VERSION}.gitMajor=1",
        f"-X {_VERSION}.gitMinor=36",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A program that tests use, and how it is built."""

    name: str
    module: str
    package: str
    ldflags: str = _STRIP

    def digest(self, go: Go) -> str:
        """Return what names this very build: sources, flags and compiler."""
        made_of = hashlib.sha256()
        for file in ("go.mod", "go.sum"):
            made_of.update(hashlib.sha256((MODULES / self.module / file).read_bytes()).digest())
        for word in (self.package, self.ldflags, *sorted(SETTINGS.values()), go.version, go.platform):
            made_of.update(word.encode() + b"\0")
        return made_of.hexdigest()[:16]


PARTS: Final = {
    part.name: part
    for part in (
        *(
            Part(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", ldflags=_KUBERNETES)
            for name in ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        Part(name="etcd", module="kubernetes", package="go.etcd.io/etcd/server/v3"),
        Part(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),
        Part(
            name="registry", module="registry", package="github.com/distribution/distribution/v3/cmd/registry"
        ),
        Part(name="crane", module="crane", package="github.com/google/go-containerregistry/cmd/crane"),
        Part(name="cosign", module="cosign", package="github.com/sigstore/cosign/v3/cmd/cosign"),
    )
}


def binary(name: str, *, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the path of a part, building it if this machine has not yet.

    Safe to call from several processes: one builds, the others wait for it.

    Args:
        name: One of `PARTS`.
        say: Told, in a line each, what takes long.

    Raises:
        PartMissing: It cannot be built here: no Go, or no sources.
    """
    part = PARTS[name]
    go = find_go(say=say)
    place = cache_directory() / "bin" / name / part.digest(go)
    if not place.exists():
        with exclusive(place):
            if not place.exists():
                _build(part, go, place, say)
    return place / name


def _build(part: Part, go: Go, place: Path, say: Callable[[str], None]) -> None:
    """Build aside and move it into place whole, so that no half-written program is ever run."""
    say(f"building {part.name} with {go.version} (minutes the first time, seconds from Go's build cache)")
    started = monotonic()
    for left_over in place.parent.glob(f"{place.name}.[0-9]*"):  # by a run that was killed: we hold the lock
        shutil.rmtree(left_over)
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        done = subprocess.run(
            bound_to_this_process(
                [go.path, "build", "-ldflags", part.ldflags, "-o", fresh / part.name, part.package]
            ),
            cwd=MODULES / part.module,
            env=go.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise PartMissing(f"{part.name} cannot be built with {go.version}:\n{last}")
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"built {part.name} in {monotonic() - started:.0f} s")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(names: list[str]) -> int:
    """Build the named parts, or all, and print where each is."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.stderr.write(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}\n")
        return 2
    missing = 0
    for name in names or PARTS:
        try:
            path = binary(name, say=_say)
        except PartMissing as err:
            sys.stderr.write(f"{err}\n")
            missing = 1
        else:
            sys.stdout.write(f"{name} {path}\n")
        sys.stdout.flush()
    return missing


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
