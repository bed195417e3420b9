"""`wayside doctor`: is everything here that Wayside needs?"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.style import Style
from reconciler.errors import WaysideError

__all__ = ["add_arguments", "run"]

_OLDEST_GIT = (2, 30)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One thing that was looked at: `ok`, `note` (works, but less) or `bad`, and what to do."""

    state: str
    what: str
    hint: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Look at everything, and say what is missing and how to get it."""
    style = Style.for_stream(sys.stdout, os.environ)
    paint = {"ok": style.good, "note": style.warning, "bad": style.error}
    answers = [*_installation(), *_git(), *_engines(), *_extras(), *_fleet(options.directory)]
    for answer in answers:
        print(f"{paint[answer.state](answer.state.ljust(4))} {answer.what}")
        if answer.hint:
            print(f"     {style.strong('hint')}: {answer.hint}")
    return 1 if any(answer.state == "bad" for answer in answers) else 0


def _installation() -> Iterator[_Answer]:
    from reconciler import __version__

    machine = f"{platform.system()} {platform.machine()}"
    yield _Answer("ok", f"wayside {__version__} on Python {platform.python_version()}, {machine}")


def _git() -> Iterator[_Answer]:
    path = shutil.which("git")
    if path is None:
        yield _Answer(
            "bad", "git is not on the PATH", "install git: --base, --revision and the agent need it"
        )
        return
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - a fixed command
    text = done.stdout.strip().removeprefix("git version ").split(" ")[0]
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST_GIT:
        yield _Answer("bad", f"git {text} is too old", "install git 2.30 or later")
    else:
        yield _Answer("ok", f"git {text}")


def _engines() -> Iterator[_Answer]:
    from reconciler.rules.cel import Environment, default_engine

    engine = default_engine()
    if Environment(kubernetes="1.33", engine=engine).compile("1 + 1 == 2").evaluate({}) is not True:
        yield _Answer("bad", f"the CEL engine {engine} gives a wrong answer", "reinstall wayside")
    elif engine == "native":
        yield _Answer("ok", "CEL engine: native")
    else:
        yield _Answer(
            "note",
            "CEL engine: pure, many times slower than the native one",
            "there is a native wheel for Linux on x86-64 and arm64: pip install cel-expr-python",
        )


def _extras() -> Iterator[_Answer]:
    for module, what in (
        ("watchfiles", "check --watch"),
        ("kubernetes", "the agent's cluster targets and diff --live"),
        ("urllib3", "the agent's reports and images lock"),
    ):
        if importlib.util.find_spec(module) is None:
            yield _Answer("note", f"{module} is not installed: no {what}", 'pip install "wayside[all]"')
        else:
            yield _Answer("ok", f"{module} {importlib.metadata.version(module)}: {what}")


def _fleet(directory: str) -> Iterator[_Answer]:
    from reconciler.cli.repository import open_repository
    from reconciler.fleet import load_fleet

    try:
        with open_repository(directory) as repository:
            load = load_fleet(repository.tree)
            yield from _clone(repository.root)
    except WaysideError as err:
        yield _Answer("note", err.message, err.hint)
        return
    if load.fleet is None:
        yield _Answer("bad", "fleet.yaml is not valid", "`wayside check` says what is wrong")
        return
    yield _Answer("ok", f"fleet {load.fleet.name}: {len(load.fleet.sites):,} sites in {repository.root}")
    if load.broken:
        yield _Answer(
            "bad", f"{len(load.broken)} site files are not valid", "`wayside check` says what is wrong"
        )
    if load.fleet.requires:
        from reconciler import __version__
        from reconciler.fleet.version import satisfies

        if not satisfies(__version__, load.fleet.requires):
            yield _Answer(
                "bad",
                f"this fleet requires wayside {load.fleet.requires}",
                f"pip install 'wayside{load.fleet.requires}'",
            )


def _clone(root: Path) -> Iterator[_Answer]:
    top = next((place for place in (root, *root.parents) if (place / ".git").exists()), None)
    if top is None:
        yield _Answer(
            "note",
            "the fleet is not in a git repository: no --base and no --revision",
            "git init && git add .",
        )
    elif (top / ".git" / "shallow").exists():
        yield _Answer(
            "note", "this clone is shallow: --base may not find the merge base", "git fetch --unshallow"
        )
