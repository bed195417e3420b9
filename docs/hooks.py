"""Hooks of the documentation's generator: links that lead out of the documentation are shown as paths."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace links to files of the repository that are no pages: the site does not have them."""
    folder = posixpath.dirname(page.file.src_uri)

    def shown(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/") and not path.endswith((".py", "/")) and "." in posixpath.basename(path):
            return match[0]
        return f"{match['text']} (`{path}`)"

    return _LINK.sub(shown, markdown)
