"""Kustomize overlays built in process, exactly, with the origin of every value."""

from reconciler.render.origins import Origin, OriginStep
from reconciler.render.renderer import Renderer, build
from reconciler.render.result import ResourceSet

__all__ = ["Origin", "OriginStep", "Renderer", "ResourceSet", "build"]
