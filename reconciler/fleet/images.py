"""From `spec.images` of a Fleet that fits its schema to settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.documents.tree import FileTree, TreeError
from reconciler.documents.yaml import Positions
from reconciler.fleet.explain import finding
from reconciler.model.finding import Finding
from reconciler.model.registry import ImageSettings, KeptTag, RegistrySettings

__all__ = ["build_images"]


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
    registries: dict[str, RegistrySettings] = {}
    for number, entry in enumerate(images.get("registries", ())):
        field = ("spec", "images", "registries", number)
        host = entry["host"].lower()
        if host in registries:
            at = positions.locate((*field, "host"), index=index)
            findings.append(finding("fleet-schema", f"expected each registry once, found {host} again", at))
            continue
        ca = ""
        if "caFile" in entry:
            try:
                ca = tree.read(entry["caFile"]).decode("ascii")
            except (TreeError, UnicodeDecodeError) as err:
                at = positions.locate((*field, "caFile"), index=index)
                why = err.message if isinstance(err, TreeError) else "it is not PEM"
                message = f"expected PEM certificates in {entry['caFile']!r}: {why}"
                findings.append(finding("fleet-schema", message, at))
                continue
        registries[host] = RegistrySettings(
            host=host,
            mirrors=tuple(each.lower().rstrip("/") for each in entry.get("mirrors", ())),
            ca=ca,
            plain_http=entry.get("plainHTTP", False),
        )
    return ImageSettings(keep_tags=tuple(kept), registries=tuple(registries.values())), findings
