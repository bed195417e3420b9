"""Arguments, wiring, and errors turned into exit codes."""
