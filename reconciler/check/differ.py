"""What a change does to every site of a fleet: the rendered difference."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.check.baseline import Base, choose_sites
from reconciler.check.spread import spread
from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError, UsageError
from reconciler.fleet.loading import FleetLoad, load_fleet
from reconciler.fleet.lock import load_lock
from reconciler.images.pin import Pinner
from reconciler.model.difference import FleetDifference, Footprint, SiteDifference, SiteStatus
from reconciler.model.fleet import Fleet
from reconciler.model.kinds import workload_kinds
from reconciler.model.site import Site
from reconciler.pipeline.desired import Desired, build_desired
from reconciler.pipeline.footprint import FootprintMeter, SiteImages, footprint
from reconciler.planning.comparison import compare
from reconciler.render import Renderer

__all__ = ["DiffSettings", "diff_fleet"]

_WORTH_PROCESSES = 60


@dataclass(frozen=True, slots=True)
class DiffSettings:
    """How a comparison runs.

    Attributes:
        base: The commit that is compared with.
        revision: The commit with the change, or "" for a working tree.
        sites: Names of the sites to compare; empty means all.
        processes: How many processes may work; 0 means one for each processor.
    """

    base: str
    revision: str = ""
    sites: tuple[str, ...] = ()
    processes: int = 0


@dataclass(frozen=True, slots=True)
class _Pair:
    """One site before and after; None where it is not there."""

    before: Site | None
    after: Site | None

    @property
    def name(self) -> str:
        site = self.after or self.before
        assert site is not None  # noqa: S101 - a pair of nothing is never made
        return site.name


@dataclass(frozen=True, slots=True)
class _State:
    """One of the two revisions."""

    tree: FileTree
    fleet: Fleet
    pinner: Pinner
    meter: FootprintMeter


def diff_fleet(
    tree: FileTree,
    base: Base,
    *,
    settings: DiffSettings,
    before_fork: Callable[[], None] = lambda: None,
) -> FleetDifference:
    """Compare what every site of a fleet renders to before and after a change.

    Args:
        tree: The files after the change.
        base: The files before it, and what differs.
        settings: How the comparison runs.
        before_fork: Ends what must not be shared between processes.

    Raises:
        UsageError: There is no fleet, it cannot be read, or a named site does not exist.
    """
    load = load_fleet(tree, choose=choose_sites(tree, base.change))
    wanted = {*(site.at.path for site in _sites(load)), *(broken.path for broken in load.broken)}

    def choose(paths: tuple[str, ...], _: Mapping[str, Any]) -> set[str]:
        return {path for path in paths if path in wanted or path not in load.site_paths}

    earlier = load_fleet(base.tree, choose=choose)
    after, before = _state(tree, load, "with the change"), _state(base.tree, earlier, "of the base")
    pairs, missing = _pairs(load, earlier)
    if settings.sites:
        known = {pair.name for pair in pairs} | {site.name for site in missing}
        unread = {path.rpartition("/")[0].rpartition("/")[2] for path in load.site_paths}
        unknown = [name for name in settings.sites if name not in known | unread]
        if unknown:
            raise UsageError(f"there is no site {unknown[0]!r} in this fleet", code="unknown-site")
        pairs = [pair for pair in pairs if pair.name in settings.sites]
        missing = [site for site in missing if site.name in settings.sites]
    processes = settings.processes or os.cpu_count() or 1
    if len(pairs) < _WORTH_PROCESSES:
        processes = 1
    if processes > 1:
        before_fork()

    def work(share: Sequence[_Pair]) -> list[SiteDifference]:
        return _compared(share, before, after, base)

    found = [each for share in spread(work, pairs, processes) for each in share]
    differing = [each for each in found if each.status is not SiteStatus.CHANGED or _differs(each)]
    return FleetDifference(
        base=settings.base,
        revision=settings.revision,
        sites=tuple(sorted([*differing, *missing], key=lambda each: each.name)),
        unchanged=len(load.site_paths)
        - sum(e.status is not SiteStatus.REMOVED for e in (*differing, *missing)),
    )


def _differs(site: SiteDifference) -> bool:
    return bool(site.changes) or site.before.memory != site.after.memory or bool(site.after.download)


def _sites(load: FleetLoad) -> Sequence[Site]:
    return tuple(load.fleet.sites.values()) if load.fleet is not None else ()


def _state(tree: FileTree, load: FleetLoad, which: str) -> _State:
    if load.fleet is None:
        first = load.findings[0]
        raise UsageError(
            f"the fleet {which} cannot be read: {first.location}: {first.message}",
            code="no-fleet",
            hint="`wayside check` lists everything that is wrong",
        )
    lock, wrong = load_lock(tree)
    if wrong:
        raise UsageError(
            f"the image lock {which} cannot be read: {wrong[0].location}: {wrong[0].message}", code="lock"
        )
    fleet = load.fleet
    pinner = Pinner(lock, kinds=workload_kinds(fleet.manifest), keep_tags=fleet.images.keep_tags)
    return _State(tree, fleet, pinner, FootprintMeter(fleet, lock))


def _pairs(after: FleetLoad, before: FleetLoad) -> tuple[list[_Pair], list[SiteDifference]]:
    """Match sites by name, then renamed ones by what they are; and list those that cannot be read."""
    new = {site.name: site for site in _sites(after)}
    old = {site.name: site for site in _sites(before)}
    broken = {site.name for site in (*after.broken, *before.broken)}
    pairs = [_Pair(old.pop(name), new.pop(name)) for name in sorted(new.keys() & old.keys())]
    for is_twin in (_stays, _is_alike):
        for site in [*old.values()]:
            twins = [each for each in new.values() if is_twin(site, each)]
            # Of several that are alike, nobody knows which it is.
            if len(twins) == 1 and site.name not in broken:
                pairs.append(_Pair(old.pop(site.name), new.pop(twins[0].name)))
    pairs += [_Pair(site, None) for site in old.values() if site.name not in broken]
    pairs += [_Pair(None, site) for site in new.values() if site.name not in broken]
    problems = [
        SiteDifference(
            name, SiteStatus.BROKEN, problem="its site file is not valid: `wayside check` says why"
        )
        for name in sorted(broken)
    ]
    return pairs, problems


def _stays(before: Site, after: Site) -> bool:
    return before.directory == after.directory


def _is_alike(before: Site, after: Site) -> bool:
    return before.manifest.get("spec") == after.manifest.get("spec")


def _compared(pairs: Sequence[_Pair], before: _State, after: _State, base: Base) -> list[SiteDifference]:
    renderer = Renderer(after.tree)
    built: list[tuple[_Pair, Desired | str | None]] = [
        (pair, _built(pair.after, after, renderer)) for pair in pairs
    ]
    earlier = renderer.at(before.tree, base.change.paths if base.change.exact else None)
    return [_one(pair, _built(pair.before, before, earlier), now, before, after) for pair, now in built]


def _built(site: Site | None, state: _State, renderer: Renderer) -> Desired | str | None:
    """Return a site's desired set, None where there is no site, or why it cannot be built."""
    if site is None:
        return None
    try:
        return build_desired(site=site, renderer=renderer, pinner=state.pinner)
    except InputError as err:
        return str(err)
    except TreeError as err:
        return err.message


def _one(
    pair: _Pair, was: Desired | str | None, now: Desired | str | None, before: _State, after: _State
) -> SiteDifference:
    problem = was if isinstance(was, str) else now if isinstance(now, str) else ""
    if problem or isinstance(was, str) or isinstance(now, str):
        when = "before the change" if isinstance(was, str) else "with the change"
        return SiteDifference(pair.name, SiteStatus.BROKEN, problem=f"it cannot be built {when}: {problem}")
    old = was.resources if was is not None else ()
    new = now.resources if now is not None else ()
    hashed = {each for side in (was, now) if side is not None for each in side.rendered.hashed}
    status, renamed = SiteStatus.CHANGED, ""
    match pair:
        case _Pair(before=None):
            status = SiteStatus.ADDED
        case _Pair(after=None):
            status = SiteStatus.REMOVED
        case _Pair(before=Site(name=name)) if name != pair.name:
            status, renamed = SiteStatus.RENAMED, name
    nothing = SiteImages({})
    had = before.meter.images(pair.before, was.resources) if pair.before and was else nothing
    has = after.meter.images(pair.after, now.resources) if pair.after and now else nothing
    memory_before = before.meter.memory(pair.before, was.resources) if pair.before and was else 0
    memory_after = after.meter.memory(pair.after, now.resources) if pair.after and now else 0
    return SiteDifference(
        pair.name,
        status,
        compare(old, new, hashed=hashed),
        before=Footprint(memory_before),
        after=footprint(memory_after, has, had) if pair.after else Footprint(),
        renamed_from=renamed,
    )
