"""What a site's resources are used for, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.model.explanation import BudgetUse, NodeRoom, SiteExplanation
from reconciler.report.ink import Ink

__all__ = ["format_explanation"]

_VERDICTS = {
    "fits": "every pod finds room, whatever the order",
    "depends": "there is room for every pod; whether each finds it depends on the order in which they come",
    "unschedulable": "some pods find no room",
}


def format_explanation(explanation: SiteExplanation, *, ink: Ink) -> str:
    """Write a site's budgets, nodes and pods without room.

    Args:
        explanation: What was found.
        ink: Colours or not.
    """
    paint = {"fits": ink.good, "depends": ink.warning}.get(explanation.verdict, ink.error)
    lines = [f"{ink.strong(explanation.site)}: {paint(_VERDICTS[explanation.verdict])}", ""]
    for budget in explanation.budgets:
        lines += [*_budget(budget, ink), ""]
    for node in explanation.nodes:
        lines += [*_node(node, ink), ""]
    if explanation.room_for:
        lines.append(ink.strong("what would still fit, of one workload alone:"))
        lines += _table(
            [(r.workload, f"{r.pods} more", f"until {r.bound} ends") for r in explanation.room_for]
        )
        lines.append("")
    for item in explanation.without_room:
        lines.append(f"{ink.error('no room')} for {item.pods} of {ink.strong(item.workload)}: {item.reason}")
    return "\n".join(lines).rstrip("\n") + "\n"


def _budget(budget: BudgetUse, ink: Ink) -> Iterator[str]:
    of = {True: "budget", False: "nodes"}[budget.declared]
    limit = f" of {budget.budget} ({of})" if budget.budget else ", the site does not say how much there is"
    text = f"{budget.asked}{limit}"
    if budget.percent >= 0:
        text += f", {budget.percent}%, {budget.left} left"
    yield f"{ink.strong(budget.resource)}: {ink.error(text) if budget.percent > 100 else text}"
    rows = [
        (c.workload, f"{c.pods} x {c.each}", c.total, f"{c.share}%" if c.share >= 0 else "")
        for c in budget.consumers
    ]
    yield from _table(rows)


def _node(node: NodeRoom, ink: Ink) -> Iterator[str]:
    free = ", ".join(f"{name} {amount}" for name, amount in node.free)
    yield f"{ink.strong(f'node {node.name}')}: still free: {free}"
    yield from _table(
        [(workload, f"{count} pod{'' if count == 1 else 's'}") for workload, count in node.pods]
    )


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        yield "  nothing"
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = row
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()
