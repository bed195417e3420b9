"""axe-core, which finds what people with other senses and tools could not use: pinned, from npm."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from tests.browser.chromium import Page
from tests.cluster.cache import cache_directory, exclusive
from tests.cluster.errors import PartMissing

__all__ = ["axe_source", "barriers"]

_VERSION: Final = "4.14.1"
_SHA512: Final = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_source() -> str:
    """Return the script, fetched on first use with npm, once a machine.

    Raises:
        PartMissing: It cannot be had here.
    """
    place = cache_directory() / "axe-core" / _VERSION / "axe.min.js"
    if not place.exists():
        with exclusive(place):
            if not place.exists():
                _fetch(place)
    return place.read_text(encoding="utf-8")


def _fetch(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PartMissing("axe-core needs npm: sudo apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"axe-core@{_VERSION}", "--silent", "--pack-destination", folder]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        packed = Path(folder) / f"axe-core-{_VERSION}.tgz"
        if done.returncode or not packed.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PartMissing(f"axe-core {_VERSION} cannot be had from the npm registry: {last}")
        found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if found != _SHA512:
            raise PartMissing(f"expected axe-core {_VERSION} with SHA-512 {_SHA512}, found {found}")
        with tarfile.open(packed) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            content = member.read()
    fresh = place.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.rename(place)


def barriers(page: Page, source: str) -> list[str]:
    """Return what axe finds wrong with a page as it is now: rule, element, what is expected."""
    # Given through the protocol, as the page's own policy lets no other script in.
    page.run(source + "\n;0")
    found = page.run(
        f"axe.run(document, {{runOnly: {json.dumps(_TAGS)}, resultTypes: ['violations']}})"
        ".then((r) => JSON.stringify(r.violations.flatMap((v) => v.nodes.map((n) =>"
        " `${v.id} (${v.impact}): ${n.html.slice(0, 160)}: ${n.failureSummary.replaceAll('\\n', ' ')}`))))"
    )
    lines: list[str] = json.loads(found)
    return lines
