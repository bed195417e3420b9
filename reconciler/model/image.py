"""Image references, as the distribution project writes them.

Grammar: `[domain/]path[:tag][@digest]` (github.com/distribution/reference). What was written is kept; the
normalised name, with the default domain and the `library/` prefix, is for comparing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["ImageReference", "ImageReferenceError"]

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_PATH}(?:/{_PATH})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}))?\Z"
)
_LONGEST_NAME = 255
_DEFAULT_DOMAIN = "docker.io"


class ImageReferenceError(ValueError):
    """The text is not an image reference."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One image reference.

    Attributes:
        name: Repository as written, for example `nginx` or `ghcr.io/acme/pos`.
        tag: Tag as written, or "".
        digest: `sha256:...` as written, or "".
    """

    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse a reference.

        Raises:
            ImageReferenceError: The text is not an image reference.
        """
        return _parse(text)

    @property
    def normalized_name(self) -> str:
        """The repository with its domain: `nginx` is `docker.io/library/nginx`."""
        domain, _, rest = self.name.partition("/")
        if not rest:
            return f"{_DEFAULT_DOMAIN}/library/{self.name}"
        if domain == "index.docker.io":
            domain = _DEFAULT_DOMAIN
        elif not (domain == "localhost" or "." in domain or ":" in domain or domain != domain.lower()):
            return f"{_DEFAULT_DOMAIN}/{self.name}"
        if domain == _DEFAULT_DOMAIN and "/" not in rest:
            rest = f"library/{rest}"
        return f"{domain}/{rest}"

    @property
    def effective_tag(self) -> str:
        """The tag that is pulled: `latest` where neither tag nor digest is written."""
        return self.tag or ("" if self.digest else "latest")

    def pinned(self, digest: str) -> ImageReference:
        """Return the same reference with a digest beside its tag."""
        return ImageReference(self.name, self.tag, digest)

    def __str__(self) -> str:
        text = f"{self.name}:{self.tag}" if self.tag else self.name
        return f"{text}@{self.digest}" if self.digest else text


@lru_cache(maxsize=8192)
def _parse(text: str) -> ImageReference:
    match = _REFERENCE.match(text) if len(text) <= 1024 else None
    if match is None or len(match["name"]) > _LONGEST_NAME:
        raise ImageReferenceError(
            f"expected an image reference such as ghcr.io/acme/app:1.2, found {text[:120]!r}"
        )
    return ImageReference(match["name"], match["tag"] or "", match["digest"] or "")
