"""From `spec.images` of a Fleet that fits its schema to settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.documents.tree import FileTree, TreeError
from reconciler.documents.yaml import Positions, load
from reconciler.errors import DocumentError
from reconciler.fleet.explain import document_finding, finding, schema_finding
from reconciler.fleet.published import compiled
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding
from reconciler.model.location import Location
from reconciler.model.registry import ImageSettings, KeptTag, RegistrySettings

__all__ = ["build_images", "load_registries"]


def build_images(
    images: Mapping[str, Any], positions: Positions, *, tree: FileTree, index: int
) -> tuple[ImageSettings, list[Finding]]:
    """Return the settings of `spec.images`, and what is wrong with them beyond their schema.

    Args:
        images: The value of the field.
        positions: Of the file.
        tree: The fleet's files; certificates are read from it.
        index: The number of the document in the file.
    """
    findings: list[Finding] = []
    kept = [
        KeptTag(
            image=entry["image"],
            reason=entry["reason"],
            at=positions.locate(("spec", "images", "keepTags", number), index=index),
        )
        for number, entry in enumerate(images.get("keepTags", ()))
    ]
    registries, wrong = _registries(
        images.get("registries", ()), positions, tree=tree, at=("spec", "images", "registries"), index=index
    )
    findings += wrong
    return ImageSettings(keep_tags=tuple(kept), registries=registries), findings


def load_registries(
    data: bytes, path: str, *, tree: FileTree
) -> tuple[tuple[RegistrySettings, ...], tuple[Finding, ...]]:
    """Read a file of a user's own: `registries:` and a list as in `spec.images` of a Fleet.

    Args:
        data: The file.
        path: Its name, for findings.
        tree: Where its certificates are read from.
    """
    try:
        documents = load(data, path)
    except DocumentError as err:
        return (), (document_finding("registries", err, path),)
    value = documents[0].value if len(documents) == 1 else None
    if not isinstance(value, dict) or set(value) != {"registries"}:
        message = "expected one document with the field registries alone, found something else"
        return (), (finding("registries", message, Location(path)),)
    positions = Positions(data, path)
    fleet = {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Fleet",
        "metadata": {"name": "none"},
        "spec": {"images": value},
    }
    problems = compiled("fleet").problems(fleet)
    if problems:
        return (), tuple(
            schema_finding("registries", replace(each, path=each.path[2:]), positions, index=0)
            for each in problems
        )
    found, wrong = _registries(value["registries"], positions, tree=tree, at=("registries",), index=0)
    return found, tuple(wrong)


def _registries(
    entries: Sequence[Mapping[str, Any]],
    positions: Positions,
    *,
    tree: FileTree,
    at: FieldPath,
    index: int,
) -> tuple[tuple[RegistrySettings, ...], list[Finding]]:
    findings: list[Finding] = []
    registries: dict[str, RegistrySettings] = {}
    for number, entry in enumerate(entries):
        field = (*at, number)
        host = entry["host"].lower()
        if host in registries:
            place = positions.locate((*field, "host"), index=index)
            findings.append(
                finding("fleet-schema", f"expected each registry once, found {host} again", place)
            )
            continue
        ca = ""
        if "caFile" in entry:
            try:
                ca = tree.read(entry["caFile"]).decode("ascii")
            except (TreeError, UnicodeDecodeError) as err:
                place = positions.locate((*field, "caFile"), index=index)
                why = err.message if isinstance(err, TreeError) else "it is not PEM"
                message = f"expected PEM certificates in {entry['caFile']!r}: {why}"
                findings.append(finding("fleet-schema", message, place))
                continue
        registries[host] = RegistrySettings(
            host=host,
            mirrors=tuple(each.lower().rstrip("/") for each in entry.get("mirrors", ())),
            ca=ca,
            plain_http=entry.get("plainHTTP", False),
        )
    return tuple(registries.values()), findings
