"""Draws the pictures of the documentation: `python -m tests.pictures.make`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser import pictures
from tests.pictures.terminal import DARK, LIGHT, draw

__all__ = ["check_pictures", "main"]

_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_SECONDS = re.compile(r"in \d+\.\d+ s")


def check_pictures() -> dict[str, str]:
    """Return pictures of a check that refuses a change: the till is put on the kiosk, a 32-bit board.

    Returns:
        The picture in dark and in light colours, by file name.
    """
    with tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder) / "fleet"
        _wayside("init", str(fleet), cwd=Path(folder))
        overlay = fleet / "sites" / "bremen-kiosk" / "kustomization.yaml"
        text = overlay.read_text(encoding="utf-8")
        overlay.write_text(
            text.replace("  - ../../bases/kiosk\n", "  - ../../bases/kiosk\n  - ../../bases/pos\n"),
            encoding="utf-8",
        )
        shown = _wayside("check", cwd=fleet)
    # How long it took differs from run to run; the picture must not.
    text = f"$ wayside check\n{_SECONDS.sub('in 0.15 s', shown)}"
    return {
        name: draw(text, title="wayside check", columns=80, theme=theme)
        for name, theme in (("check.svg", DARK), ("check-light.svg", LIGHT))
    }


def _wayside(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reconciler", *arguments],
        cwd=cwd,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout


def main() -> None:
    """Write every picture."""
    _IMAGES.mkdir(parents=True, exist_ok=True)
    for name, picture in check_pictures().items():
        (_IMAGES / name).write_text(picture, encoding="utf-8")
    pictures.main(_IMAGES)


if __name__ == "__main__":
    main()
