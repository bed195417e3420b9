"""The rules that come with Wayside."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reconciler.documents.yaml import Document, load
from reconciler.errors import RuleError
from reconciler.rules.parsing import parse_policy
from reconciler.rules.policy import SitePolicy

__all__ = ["builtin_documents", "builtin_policies", "builtin_root", "read_builtin"]

#: Places in built-in rules are shown with this prefix, so that they are not taken for files of the fleet.
PREFIX = "wayside/policies/"


def builtin_root() -> Path:
    """Return the directory of the built-in rules: in the package of a wheel, at the top of a work tree."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_data" / "policies"
    return packaged if packaged.is_dir() else package.parent / "policies"


@cache
def builtin_documents() -> tuple[Document, ...]:
    """Return the documents of the built-in rules, in the order of their names."""
    found: list[Document] = []
    for file in sorted(builtin_root().glob("*.yaml")):
        if not file.name.endswith(".test.yaml"):
            found += load(file.read_bytes(), PREFIX + file.name)
    return tuple(found)


def read_builtin(path: str) -> bytes:
    """Return the content of a built-in rule's file, by the path that its documents carry."""
    return (builtin_root() / path.removeprefix(PREFIX)).read_bytes()


def builtin_policies() -> tuple[SitePolicy, ...]:
    """Return the built-in rules, parsed.

    Raises:
        RuleError: One of them is not valid, which only a broken installation can cause.
    """
    found = []
    for document in builtin_documents():
        policy, problems = parse_policy(document.value, path=document.path, index=document.index)
        if policy is None:
            raise RuleError(f"{document.path}: {problems[0]}", code="rule-error")
        found.append(policy)
    return tuple(found)
