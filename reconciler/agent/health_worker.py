"""Judges health by the fleet's own CEL checks, in a process that ends with the sync: one JSON line each way.

The first line it reads is the list of checks; each further one is an object, and answered by its health.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from reconciler.model.health_check import HealthCheck
from reconciler.rules.cel import default_engine
from reconciler.rules.health_checks import HealthChecks

__all__ = ["main"]


def main() -> NoReturn:
    """Answer until standard input ends."""
    first = json.loads(sys.stdin.readline())
    checks = HealthChecks((HealthCheck(**row) for row in first), engine=default_engine())
    for line in sys.stdin:
        health = checks.assess(json.loads(line))
        answer = None if health is None else {"status": health.status.value, "message": health.message}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    sys.exit(0)


if __name__ == "__main__":
    main()
