"""The commands under `wayside images`."""
