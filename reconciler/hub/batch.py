"""Reading a batch of events as it came over the wire: nothing in it is believed before it was looked at."""

from __future__ import annotations

import datetime
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from reconciler.errors import WaysideError
from reconciler.events import data_schema
from reconciler.model.event import Event, EventType
from reconciler.model.fieldpath import FieldPath

__all__ = ["BatchError", "decompress", "parse_batch", "parse_time"]

_EPOCH = re.compile(r"[0-9a-zA-Z]{1,64}")
_TYPE = re.compile(r"dev\.wayside(\.[a-z]+){2}\.v[0-9]{1,3}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_LARGEST_BATCH = 5000
_DEEPEST = 32
#: Types that are known here; those of newer agents are kept, and change nothing of what is shown.
_KNOWN = {type_.value: type_ for type_ in EventType}
_SURROGATE = re.compile("[\ud800-\udfff]")


class BatchError(WaysideError):
    """A batch that is not taken.

    Args:
        message: What is wrong with it.
        status: The HTTP status that says so.
    """

    def __init__(self, message: str, *, status: int = 400, code: str = "bad-batch", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        body: As it came.
        encoding: The header `Content-Encoding`.
        limit: Bytes that the result may have.

    Raises:
        BatchError: It is larger, damaged, or compressed in another way.
    """
    if encoding in {"", "identity"}:
        content = body
    elif encoding == "gzip":
        reader = zlib.decompressobj(wbits=31)
        try:
            content = reader.decompress(body, limit + 1)
        except zlib.error as err:
            raise BatchError("expected a body in gzip, found one that is damaged") from err
        if len(content) <= limit and (not reader.eof or reader.unused_data):
            raise BatchError("expected one whole gzip member, found a part of one or more than one")
    else:
        raise BatchError(
            f"expected the Content-Encoding gzip or identity, found {encoding[:40]!r}",
            status=415,
            code="bad-encoding",
        )
    if len(content) > limit:
        raise BatchError(
            f"expected at most {limit} bytes of events, found more", status=413, code="too-large"
        )
    return content


def parse_batch(content: bytes, *, site: str) -> list[Event]:
    """Return the events of a batch in the JSON format of CloudEvents 1.0.

    Args:
        content: The JSON text.
        site: Whose batch it must be.

    Returns:
        Events of one epoch, numbered without gaps; none where the site only says that it is alive.

    Raises:
        BatchError: It is something else; nothing of it is taken.
    """
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as err:
        raise BatchError("expected a JSON list of CloudEvents, found something else") from err
    if not isinstance(document, list):
        raise BatchError("expected a list of events")
    if not document:
        return []
    if len(document) > _LARGEST_BATCH:
        raise BatchError(
            f"expected at most {_LARGEST_BATCH} events in a batch, found {len(document)}",
            status=413,
            code="too-large",
        )
    events = [_event(item, index, site) for index, item in enumerate(document)]
    first = events[0]
    for number, event in enumerate(events):
        if event.epoch != first.epoch or event.sequence != first.sequence + number:
            raise BatchError(
                f"expected events of one epoch numbered without gaps, found another at position {number}"
            )
    return events


def parse_time(text: str) -> datetime.datetime | None:
    """Return an RFC 3339 time, or None where a text is none."""
    if not 20 <= len(text) <= 40 or text[10:11] not in "Tt":
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _event(item: Any, index: int, site: str) -> Event:
    if not isinstance(item, dict):
        raise BatchError(f"expected an event at position {index}, found no mapping")
    if item.get("specversion") != "1.0":
        raise BatchError(f"expected specversion 1.0 at position {index}")
    if item.get("source") != f"/sites/{site}":
        raise BatchError(
            f"expected the source /sites/{site} at position {index}, found another",
            status=403,
            code="another-site",
            hint="a site writes only as itself",
        )
    id_ = item.get("id")
    epoch, _, number = id_.rpartition("-") if isinstance(id_, str) else ("", "", "")
    if not _EPOCH.fullmatch(epoch) or not _NUMBER.fullmatch(number):
        raise BatchError(f"expected an id such as 5f3c-17 at position {index}")
    type_ = item.get("type")
    if not isinstance(type_, str) or not _TYPE.fullmatch(type_) or len(type_) > 100:
        raise BatchError(f"expected a type such as dev.wayside.sync.applied.v1 at position {index}")
    time = item.get("time")
    if not isinstance(time, str) or parse_time(time) is None:
        raise BatchError(f"expected an RFC 3339 time at position {index}")
    data = item.get("data", {})
    if not isinstance(data, dict) or not _is_plain(data):
        raise BatchError(f"expected data of plain JSON at most {_DEEPEST} levels deep at position {index}")
    known = _KNOWN.get(type_)
    if known is not None and not data_schema(known).accepts(data):
        problem = data_schema(known).problems(data)[0]
        raise BatchError(
            f"expected {_field(problem.path)} of a {type_} at position {index} as its schema says"
            f" ({problem.keyword}), found otherwise",
            hint="`wayside export schemas` writes the schemas",
        )
    return Event(site=site, epoch=epoch, sequence=int(number), type=type_, time=time, data=data)


def _field(path: FieldPath) -> str:
    return ".".join(("data", *(str(step)[:60] for step in path)))[:200]


def _is_plain(value: Mapping[str, Any]) -> bool:
    """Tell whether data is shallow, and of text that any database can keep."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                if "\0" in item or _SURROGATE.search(item):
                    return False
            elif not -(1 << 63) <= (item or 0) < 1 << 63:
                return False
        if not below:
            return True
        level = below
    return False


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
