"""`wayside export`: schemas for editors, the CRD and the fleet's admission policies for clusters."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.model.finding import Finding

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        choices=("schemas", "crds", "policies"),
        help="JSON Schemas of all documents, the Site CRD, or the fleet's admission policies with the CRD",
    )
    parser.add_argument("directory", nargs="?", help="where to write the files (default: standard output)")
    parser.add_argument("--fleet", default=".", help="whose policies (default: the fleet that we are in)")


def run(options: argparse.Namespace) -> int:
    """Write what was asked for."""
    match options.what:
        case "schemas":
            files = _schemas()
        case "crds":
            files = _crds()
        case _:
            files = _policies(options.fleet)
    if options.directory is None:
        for name, text in files.items():
            # A separator that both YAML and people understand.
            sys.stdout.write(text if options.what == "schemas" else f"---\n# {name}\n{text}")
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

    from reconciler.events import event_schemas
    from reconciler.fleet import schemas

    found: dict[str, Mapping[str, Any]] = {
        f"{name}.json": schema for name, schema in {**schemas(), **event_schemas()}.items()
    }
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


def _policies(directory: str) -> dict[str, str]:
    """Return the admission policies of a fleet, which must be right, and the CRD that they may need."""
    import yaml

    from reconciler.cli.repository import open_repository
    from reconciler.fleet import load_fleet
    from reconciler.pipeline.rulebook import policy_documents
    from reconciler.rules.admission.export import exported_policies
    from reconciler.rules.admission.pack import AdmissionPack

    with open_repository(directory) as repository:
        findings: list[Finding] = []
        fleet = load_fleet(repository.tree).fleet
        paths = fleet.policy_paths if fleet is not None else ("policies",)
        documents = list(policy_documents(repository.tree, paths, findings))
        findings += AdmissionPack.load(documents, read=repository.tree.read).findings
        if findings:
            first = findings[0]
            raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
    found = exported_policies(document.value for document in documents)
    files = {name: yaml.safe_dump(manifest, sort_keys=False) for name, manifest in found.items()}
    return {**_crds(), **files}
