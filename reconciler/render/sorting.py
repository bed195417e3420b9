"""The order of the output."""

from __future__ import annotations

from functools import cache

from reconciler.errors import RenderError
from reconciler.render.fieldspec import KIND_FIRST, KIND_LAST
from reconciler.render.item import Gvk, Item
from reconciler.render.kustomization import SortOptions

__all__ = ["sorted_items"]


@cache
def _texts(gvk: Gvk) -> tuple[str, str]:
    """Return by what a kind is compared, and how it is shown in names."""
    return f"{gvk.group or '~G'}_{gvk.version or '~V'}_{gvk.kind or '~K'}", str(gvk)


def sorted_items(items: list[Item], options: SortOptions | None) -> list[Item]:
    """Return resources in the order that `sortOptions` asks for; without it, in kustomize's legacy order.

    Raises:
        RenderError: The options are not valid.
    """
    if options is not None:
        if options.order not in ("fifo", "legacy"):
            raise RenderError(
                f"expected sortOptions.order to be fifo or legacy, found {options.order!r}",
                code="sort-options",
            )
        if options.order == "fifo":
            if options.first is not None or options.last is not None:
                raise RenderError(
                    "expected no legacySortOptions with the order fifo, found some", code="sort-options"
                )
            return items
    first, last = KIND_FIRST, KIND_LAST
    if options is not None and options.first is not None:
        first, last = list(options.first), list(options.last or ())
    ranks = {kind: number - len(first) for number, kind in enumerate(first)}
    ranks.update({kind: number + 1 for number, kind in enumerate(last)})
    groups = {item.gvk.group for item in items if item.kind == "Namespace"}
    first_namespaces = "" in groups and len(groups) > 1

    def order(item: Item) -> tuple[int, str, str]:
        gvk = item.gvk
        text, shown = _texts(gvk)
        if gvk.kind == "Namespace" and first_namespaces:
            # Built-in namespaces stand before namespaces of other groups.
            text = "" if not gvk.group else text
        name = f"{shown}|{item.namespace or '~X'}|{item.name or '~N'}"
        return ranks.get(gvk.kind, 0), text, name

    return sorted(items, key=order)
