"""How a fleet uses images and registries: `spec.images` of `fleet.yaml`, parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.image import ImageReference
from reconciler.model.location import Location

__all__ = ["ImageSettings", "KeptTag", "RegistrySettings", "kept_tag"]


@dataclass(frozen=True, slots=True)
class KeptTag:
    """Images that keep their tags, for a reason.

    Attributes:
        image: A glob pattern of repositories, compared with the name as written and with the whole one:
            `registry.local/dev/*`.
        reason: Why; never empty.
        at: Where it is written.
    """

    image: str
    reason: str
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How one registry is reached.

    Attributes:
        host: As image references name it, with its port: `registry.example.com:5000`.
        mirrors: Asked first, in this order: a host, and a path before repository names where there is one.
        ca: PEM certificates that vouch for this host and its mirrors, in place of the system's; "" for those.
        plain_http: Whether this host and its mirrors are spoken to without TLS.
    """

    host: str
    mirrors: tuple[str, ...] = ()
    ca: str = ""
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Settings of a fleet about images.

    Attributes:
        keep_tags: Images that are not pinned.
        registries: How registries are reached, where it is not the usual way.
    """

    keep_tags: tuple[KeptTag, ...] = ()
    registries: tuple[RegistrySettings, ...] = ()


def kept_tag(reference: ImageReference, keep_tags: Sequence[KeptTag]) -> KeptTag | None:
    """Return the entry by which a reference keeps its tag, or None."""
    for kept in keep_tags:
        if fnmatchcase(reference.name, kept.image) or fnmatchcase(reference.normalized_name, kept.image):
            return kept
    return None
