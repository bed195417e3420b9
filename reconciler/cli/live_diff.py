"""What applying a site would change at its cluster, asked by dry-run: nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import TargetRefused
from reconciler.model.plan import Action, Change, FieldChange, Inventory, Plan
from reconciler.planning import plan as make_plan
from reconciler.planning.difference import field_changes
from reconciler.planning.digest import same_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.style import Style
    from reconciler.model.resource import Resource
    from reconciler.model.site import SyncSettings
    from reconciler.ports.target import Target

__all__ = ["LiveChange", "compare", "lines"]


@dataclass(frozen=True, slots=True)
class LiveChange:
    """What would happen to one object.

    Attributes:
        change: As planned; an update that changes nothing is left out.
        fields: What would change in it.
        refusal: The API server's "no", or "".
    """

    change: Change
    fields: tuple[FieldChange, ...] = ()
    refusal: str = ""


def compare(
    resources: Sequence[Resource],
    target: Target,
    sync: SyncSettings,
    *,
    site: str,
    former: Sequence[str] = (),
) -> tuple[Plan, tuple[LiveChange, ...]]:
    """Ask the target what applying the resources would change.

    Raises:
        TargetError: It cannot be asked.
    """
    observed = target.observe(resources, Inventory(), newest=True)
    plan = make_plan(resources, observed, Inventory(), sync, site=site, former_sites=former)
    return plan, tuple(_asked(plan, target))


def _asked(plan: Plan, target: Target) -> Iterator[LiveChange]:
    for change in plan.changes:
        match change.action:
            case Action.DELETE:
                yield LiveChange(change, field_changes(change.live, None))
            case Action.CREATE | Action.UPDATE if change.resource is not None:
                if change.after:
                    yield LiveChange(change, field_changes(change.live, change.resource.manifest))
                    continue
                try:
                    result = target.dry_run(change.resource, force=change.force)
                except TargetRefused as err:
                    yield LiveChange(change, refusal=err.message)
                    continue
                result = change.resource.manifest if result is None else result
                if change.live is None or not same_object(change.live, result):
                    yield LiveChange(change, field_changes(change.live, result))
            case _:
                continue


def lines(plan: Plan, changes: Sequence[LiveChange], style: Style) -> Iterator[str]:
    """Yield the result for people."""
    for hold in plan.holds:
        yield style.error(f"held[{hold.code}]") + f": {hold.message}"
        if hold.hint:
            yield f"  = {style.strong('hint')}: {hold.hint}"
    for found in changes:
        change = found.change
        match change.action:
            case Action.CREATE:
                yield style.good(f"+ {change.id}")
            case Action.DELETE:
                yield style.error(f"- {change.id}") + f"  ({change.reason})"
                continue
            case _:
                reason = f"  ({change.reason})" if change.reason else ""
                yield style.warning(f"~ {change.id}") + reason
        if found.refusal:
            yield "    " + style.error("refused") + f": {found.refusal}"
        if change.after:
            yield f"    not dry-run: it needs {', '.join(str(id_) for id_ in change.after)} of the same sync"
        for field in found.fields:
            if change.action is Action.UPDATE:
                yield f"    {field.path}: {_value(field.before)} -> {_value(field.after)}"
    told = [found.change.action for found in changes]
    yield (
        f"{told.count(Action.CREATE)} to create, {told.count(Action.UPDATE)} to update,"
        f" {told.count(Action.DELETE)} to delete"
    )


def _value(text: str | None) -> str:
    return "(none)" if text is None else text
