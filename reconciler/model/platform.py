"""OCI platforms (`linux/arm64`, `linux/arm/v7`): which of them a node runs.

Names and variants are normalised, and older variants accepted, as `github.com/containerd/platforms` does
it (`normalizeArch`, `platformVector`), with one difference that is made on purpose: containerd lets an arm64
node pull a 32-bit arm image, although many arm64 processors cannot run one. Here `linux/arm/v7` is not
`linux/arm64`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Platform", "accepts", "parse_platform"]

_ARCHITECTURES = {
    "i386": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}


@dataclass(frozen=True, slots=True)
class Platform:
    """A normalised platform: `variant` is "" where it is the architecture's usual one."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def wasm(self) -> bool:
        """Whether this is WebAssembly, which runs on any processor, by a runtime class."""
        return self.architecture in {"wasm", "wasm32"}


@lru_cache(maxsize=1024)
def parse_platform(text: str) -> Platform:
    """Parse `os/architecture[/variant]`; an architecture alone means Linux."""
    parts = text.strip().lower().split("/")
    if len(parts) == 1:
        parts = ["linux", parts[0]]
    os, architecture = parts[0], parts[1]
    variant = parts[2] if len(parts) > 2 else ""
    if architecture in _ARCHITECTURES:
        architecture, implied = _ARCHITECTURES[architecture]
        variant = variant or implied
    if architecture == "arm":
        variant = variant or "v7"
        variant = variant if variant.startswith("v") else f"v{variant}"
    elif (architecture == "arm64" and variant in {"8", "v8", "v8.0"}) or (
        architecture == "amd64" and variant == "v1"
    ):
        variant = ""
    elif architecture == "arm64" and variant in {"9", "v9.0"}:
        variant = "v9"
    return Platform(os, architecture, variant)


def _level(variant: str, default: tuple[int, int]) -> tuple[int, int]:
    if not variant:
        return default
    major, _, minor = variant.removeprefix("v").partition(".")
    try:
        return int(major), int(minor or 0)
    except ValueError:
        return default


@lru_cache(maxsize=4096)
def accepts(node: Platform, image: Platform) -> bool:
    """Tell whether a node of one platform runs an image of another.

    A node runs its own architecture in its own variant and older ones; an amd64 node runs 386 too.
    arm64 v9.x runs v8.(x+5), as Arm defines it.
    """
    if node.os != image.os:
        return False
    if node.architecture == "amd64" and image.architecture == "386":
        return True
    if node.architecture != image.architecture:
        return False
    match node.architecture:
        case "amd64":
            return _level(image.variant, (1, 0)) <= _level(node.variant, (1, 0))
        case "arm":
            return _level(image.variant, (7, 0)) <= _level(node.variant, (7, 0))
        case "arm64":
            have, want = _level(node.variant, (8, 0)), _level(image.variant, (8, 0))
            if have[0] == 9 and want[0] == 8:
                return want[1] <= have[1] + 5
            return want[0] == have[0] and want[1] <= have[1]
        case _:
            return node.variant == image.variant or not image.variant
