"""`wayside export`: schemas for editors, the CRD for clusters."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what", choices=("schemas", "crds"), help="JSON Schemas of all documents, or the Site CRD"
    )
    parser.add_argument("directory", nargs="?", help="where to write the files (default: standard output)")


def run(options: argparse.Namespace) -> int:
    """Write what was asked for."""
    files = _schemas() if options.what == "schemas" else _crds()
    if options.directory is None:
        for name, text in files.items():
            # A separator that both YAML and people understand.
            sys.stdout.write(f"---\n# {name}\n{text}" if options.what == "crds" else text)
        return 0
    directory = Path(options.directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
            print(directory / name)
    except OSError as err:
        raise UsageError(f"cannot write {err.filename or directory}: {err.strerror}", code="output") from err
    return 0


def _schemas() -> dict[str, str]:
    """Return every published schema by its file name."""
    from importlib import resources

    from reconciler.fleet import schemas

    found: dict[str, Mapping[str, Any]] = {f"{name}.json": schema for name, schema in schemas().items()}
    for package, name in (
        ("reconciler.report", "check-report.json"),
        ("reconciler.rules", "sitepolicy.json"),
    ):
        text = resources.files(package).joinpath("schemas", name).read_text(encoding="utf-8")
        found[name] = json.loads(text)
    return {name: json.dumps(found[name], indent=2) + "\n" for name in sorted(found)}


def _crds() -> dict[str, str]:
    from reconciler.adapters.kube.site_crd import site_crd
    from reconciler.render.emitter import to_yaml

    return {"sites.wayside.dev.yaml": to_yaml([site_crd()])}
