"""Write the pages of `docs/rules/` from the built-in rules: `python docs/rules/generate.py`."""

from __future__ import annotations

from pathlib import Path

from reconciler.rules.builtin import builtin_policies
from reconciler.rules.catalogue import pages


def main() -> None:
    """Write every page, and remove pages of rules that are gone."""
    directory = Path(__file__).resolve().parent
    wanted = pages(builtin_policies())
    for file in directory.glob("*.md"):
        if file.name not in wanted and file.name != "writing-rules.md":
            file.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
