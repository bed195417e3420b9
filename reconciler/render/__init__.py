"""Kustomize overlays built in process, exactly, with the origin of every value."""
