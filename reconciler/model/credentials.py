"""Credentials that people write into places which are no place for them."""

import re

__all__ = ["without_credentials"]

# RFC 3986, section 3.2.1: `//user:password@host`. An image reference has no scheme before it, but a path
# after it; what follows a tag in `app:1.2@sha256:...` is a digest and no host.
_OF_URL = re.compile(r"(//[^\s:/@'\"]*):[^\s/@'\"]+@")
_OF_IMAGE = re.compile(r"((?<![\w/])[\w.%+-]+):[^\s:/@'\"]+@(?!sha\d+:)(?=[\w.-]+(?::\d+)?/)")


def without_credentials(text: str) -> str:
    """Return a text with `***` for the password of each `user:password@host` in it."""
    if "@" not in text:
        return text
    return _OF_IMAGE.sub(r"\1:***@", _OF_URL.sub(r"\1:***@", text))
