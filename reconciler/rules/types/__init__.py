"""Would the API server take this object? Schemas of built-in kinds, custom resources and the fleet's own."""

from __future__ import annotations

from reconciler.rules.types.schemaset import RULE, SchemaSet

__all__ = ["RULE", "SchemaSet"]
