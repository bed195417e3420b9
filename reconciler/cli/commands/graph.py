"""`wayside graph`: which sites use which bases and components."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.documents.tree import FileTree

__all__ = ["add_arguments", "run"]

_Edges = Mapping[str, tuple[str, ...]]
#: More sites than this of one and the same use are drawn as one box with their number.
_MOST_SITES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="only sites with these labels")
    parser.add_argument(
        "--revision", default="", metavar="REV", help="of a commit instead of the working tree"
    )
    parser.add_argument(
        "--format", choices=("mermaid", "dot"), default="mermaid", help="how to draw it (default: mermaid)"
    )
    parser.add_argument("--all", action="store_true", help="draw each site singly, however many there are")


def run(options: argparse.Namespace) -> int:
    """Print the graph."""
    from reconciler.cli.labels import parse_selector
    from reconciler.cli.repository import open_repository
    from reconciler.fleet import load_fleet

    fits = parse_selector(options.selector)
    with open_repository(options.directory, options.revision) as repository:
        load = load_fleet(repository.tree)
        sites = [site for site in (load.fleet.sites.values() if load.fleet else ()) if fits(site.labels)]
        edges = _edges(repository.tree, [site.directory for site in sites])
    names = {site.directory: site.name for site in sites}
    groups = _groups(names, edges, one_by_one=options.all)
    lines = _mermaid(groups, edges) if options.format == "mermaid" else _dot(groups, edges)
    print("\n".join(lines))
    return 0


def _edges(tree: FileTree, directories: list[str]) -> dict[str, tuple[str, ...]]:
    """Return, for every directory that is reached, the directories that its kustomization builds upon."""
    from reconciler.documents.tree import EntryType, TreeError, normalize
    from reconciler.errors import InputError
    from reconciler.render.sources import Sources

    sources = Sources(tree)
    found: dict[str, tuple[str, ...]] = {}
    waiting = list(directories)
    while waiting:
        directory = waiting.pop()
        if directory in found:
            continue
        targets = []
        try:
            built = sources.kustomization(directory)
        except (InputError, TreeError):
            found[directory] = ()  # `wayside check` says what is wrong with it
            continue
        for entry in (*built.resources, *built.components):
            try:
                path = normalize(directory, entry)
                is_directory = tree.entry_type(path) is EntryType.DIRECTORY
            except TreeError:
                continue
            if is_directory:
                targets.append(path)
        found[directory] = tuple(dict.fromkeys(targets))
        waiting += targets
    return found


def _groups(names: Mapping[str, str], edges: _Edges, *, one_by_one: bool) -> dict[str, tuple[str, ...]]:
    """Return what stands for sites, and what each builds upon: many sites of one use stand together."""
    by_use: dict[tuple[str, ...], list[str]] = {}
    for directory, name in sorted(names.items(), key=lambda item: item[1]):
        by_use.setdefault(edges[directory], []).append(name)
    groups = {}
    for use, members in by_use.items():
        if one_by_one or len(members) <= _MOST_SITES:
            groups.update(dict.fromkeys(members, use))
        else:
            groups[f"{len(members):,} sites: {members[0]}, {members[1]} ..."] = use
    return groups


def _below(edges: _Edges, groups: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the edges between directories that are reached from sites."""
    waiting = [target for use in groups.values() for target in use]
    seen: set[str] = set()
    while waiting:
        directory = waiting.pop(0)
        if directory in seen:
            continue
        seen.add(directory)
        for target in edges.get(directory, ()):
            yield directory, target
            waiting.append(target)


def _mermaid(groups: Mapping[str, tuple[str, ...]], edges: _Edges) -> Iterator[str]:
    ids: dict[str, str] = {}

    def node(kind: str, text: str) -> str:
        key = f"{kind}:{text}"
        known = key in ids
        name = ids.setdefault(key, f"{kind}{len(ids)}")
        label = re.sub(r'["#;]', " ", text)
        return name if known else f'{name}(["{label}"])' if kind == "s" else f'{name}["{label}"]'

    yield "graph LR"
    for group, use in groups.items():
        if not use:
            yield f"  {node('s', group)}"
        for target in use:
            yield f"  {node('s', group)} --> {node('b', target)}"
    for source, target in _below(edges, groups):
        yield f"  {node('b', source)} --> {node('b', target)}"


def _dot(groups: Mapping[str, tuple[str, ...]], edges: _Edges) -> Iterator[str]:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    yield "digraph fleet {"
    yield "  rankdir=LR; node [shape=box];"
    for group, use in groups.items():
        yield f"  {quoted(f'site {group}')} [shape=oval];"
        for target in use:
            yield f"  {quoted(f'site {group}')} -> {quoted(target)};"
    for source, target in _below(edges, groups):
        yield f"  {quoted(source)} -> {quoted(target)};"
    yield "}"
