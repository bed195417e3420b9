"""The shell that carries out a plan."""

from reconciler.apply.execute import execute

__all__ = ["execute"]
