"""The agent: one site, one small process, one loop."""
