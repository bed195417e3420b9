"""`wayside init`: a new fleet repository from the template."""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.errors import UsageError

__all__ = ["add_arguments", "run", "write_template"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("directory", help="where to make it; must be empty, or not there yet")
    parser.add_argument("--name", default="", help="the fleet's name (default: the directory's name)")


def run(options: argparse.Namespace) -> int:
    """Make the repository and say what to do next."""
    directory = Path(options.directory)
    count = write_template(directory, name=options.name)
    print(f"made a fleet in {directory}: {count} files, three sites")
    print("next:")
    print(f"  cd {directory}")
    print("  git init && git add . && git commit -m 'A fleet'")
    print("  wayside check")
    return 0


def write_template(directory: Path, *, name: str = "") -> int:
    """Write the template into a directory and return how many files it has.

    Args:
        directory: Empty, or not there yet.
        name: The fleet's name; "" takes the directory's.

    Raises:
        UsageError: The directory has something in it, the name is no name, or a file cannot be written.
    """
    import re

    from reconciler.documents.bundled import bundled_tree
    from reconciler.documents.tree import walk

    fleet = name or directory.absolute().name.lower()
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fleet):
        raise UsageError(
            f"expected a fleet name of lower-case letters, digits and dashes, found {fleet!r}",
            code="fleet-name",
            hint="give one with --name",
        )
    tree = bundled_tree("repo-template")
    count = 0
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(
                f"{directory} is there already and is not empty",
                code="directory-not-empty",
                hint="choose a new directory; nothing was written",
            )
        for path in walk(tree):
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            data = tree.read(path)
            if path == "fleet.yaml":
                data = re.sub(rb"(?m)^(metadata:\n  name: ).*$", rb"\g<1>" + fleet.encode(), data, count=1)
            target.write_bytes(data)
            count += 1
    except OSError as err:
        raise UsageError(f"cannot write {err.filename or directory}: {err.strerror}", code="output") from err
    return count
