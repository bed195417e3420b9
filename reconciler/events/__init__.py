"""The published form of events: a JSON Schema for each type, for agents, hubs and everybody who reads."""

from __future__ import annotations

from reconciler.events.contract import BASE, data_schema, event_schema, event_schemas, file_name

__all__ = ["BASE", "data_schema", "event_schema", "event_schemas", "file_name"]
