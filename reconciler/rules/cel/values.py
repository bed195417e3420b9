"""Plain Python values of CEL, and the types that plain Python lacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

__all__ = ["Uint", "Value"]


class Uint(int):
    """An unsigned integer of CEL: an int that says it is a `uint`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


#: What goes into and comes out of an evaluation.
Value: TypeAlias = (
    "bool | int | float | str | bytes | datetime | timedelta | list[Value] | Mapping[Value, Value] | None"
)
