"""Text in, values with positions out: YAML, JSON Schema and trees of files."""
