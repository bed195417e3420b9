"""What the published schemas say of events that an agent made, and that nothing else is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jsonschema

from reconciler.events import event_schema
from reconciler.model.event import EventType

__all__ = ["assert_published"]


@cache
def _strict(type_: EventType) -> jsonschema.Draft202012Validator:
    """Return the schema as published, but refusing every field of `data` that it does not name."""

    def closed(schema: Any) -> Any:
        if isinstance(schema, list):
            return [closed(each) for each in schema]
        if not isinstance(schema, Mapping):
            return schema
        found = {name: closed(each) for name, each in schema.items()}
        if "properties" in found and isinstance(found.get("type"), str):
            found.setdefault("additionalProperties", False)
        return found

    return jsonschema.Draft202012Validator(
        closed(event_schema(type_)), format_checker=jsonschema.FormatChecker()
    )


def assert_published(events: Iterable[Mapping[str, Any]]) -> None:
    """Fail where a CloudEvent is not exactly what is published of its type."""
    for event in events:
        problems = [
            f"{error.json_path}: {error.message}"
            for error in _strict(EventType(event["type"])).iter_errors(event)
        ]
        assert not problems, (event["type"], problems)
