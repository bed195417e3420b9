"""CEL behind one interface: compile with a Kubernetes version's own environment, evaluate with either engine.

environment = Environment(kubernetes="1.36", variables={"object": "dyn"})
program = environment.compile("object.spec.replicas <= 5")
activation = environment.bind({"object": deployment})
program.evaluate(activation)
"""

from __future__ import annotations

from reconciler.rules.cel.environment import (
    Activation,
    Environment,
    Program,
    compiles_on,
    default_engine,
)
from reconciler.rules.cel.errors import (
    CelCompileError,
    CelEvaluationError,
    CelIssue,
    CelUnsupportedError,
    NeedsClusterError,
)
from reconciler.rules.cel.types import ObjectType
from reconciler.rules.cel.values import Uint, Value

__all__ = [
    "Activation",
    "CelCompileError",
    "CelEvaluationError",
    "CelIssue",
    "CelUnsupportedError",
    "Environment",
    "NeedsClusterError",
    "ObjectType",
    "Program",
    "Uint",
    "Value",
    "compiles_on",
    "default_engine",
]
