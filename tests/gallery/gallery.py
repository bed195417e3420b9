"""The gallery of mistakes: the template's fleet with each of them, checked; and the page that shows it.

`python -m tests.gallery.gallery` writes `docs/gallery.md`.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.cli.main import main as wayside
from tests.gallery.mistakes import MISTAKES, Edit, Mistake

__all__ = ["PAGE", "apply", "checked", "document", "page", "template"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gallery.md"


def template(folder: Path) -> Path:
    """Make the template's fleet, and return its root."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert wayside(["init", str(folder)]) == 0
    return folder


def apply(root: Path, edits: Iterable[Edit]) -> None:
    """Edit files of a fleet; a text that is not there is an error of the test."""
    for edit in edits:
        file = root / edit.path
        if not edit.old:
            file.write_text(edit.new, encoding="utf-8")
            continue
        text = file.read_text(encoding="utf-8")
        assert edit.old in text, f"{edit.path} has no {edit.old!r}"
        file.write_text(text.replace(edit.old, edit.new, 1), encoding="utf-8")


def checked(root: Path, *arguments: str) -> tuple[int, str]:
    """Check a fleet, and return the exit code and what was printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = wayside(["check", str(root), *arguments])
    return code, out.getvalue()


def document(root: Path) -> dict[str, Any]:
    """Return the check's JSON document."""
    found: dict[str, Any] = json.loads(checked(root, "--format", "json")[1])
    return found


def page() -> str:
    """Return the page that shows what is said of every mistake."""
    lines = [
        "<!-- Made by `python -m tests.gallery.gallery`. -->",
        "# Gallery of mistakes",
        "",
        f"{len(MISTAKES)} mistakes in the fleet of `wayside init`, and what `wayside check` says of them.",
        "The tests make every one of them, and hold that it is reported once, in this file and on this line,",
        "and that the hint's fix lets the check pass.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        clean = template(Path(folder) / "clean")
        for number, mistake in enumerate(MISTAKES, 1):
            root = Path(folder) / f"m{number}"
            shutil.copytree(clean, root)
            lines += _entry(number, mistake, root)
    return "\n".join(lines)


def _entry(number: int, mistake: Mistake, root: Path) -> list[str]:
    apply(root, mistake.edits)
    shown = checked(root)[1].partition("\n\n")[0]  # the one finding; what follows is about the whole fleet
    return [f"## {number}. {mistake.title}", "", "```text", shown.rstrip(), "```", ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
