"""An agent as `wayside agent` starts it, with the worker of `plain_worker`.

`WAYSIDE_TEST_DAYS_OFF` says how many days its clock is off.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import sys

from reconciler.agent import command
from reconciler.agent.clock import SystemClock
from reconciler.agent.loop import run_agent
from reconciler.errors import WaysideError


class WrongClock(SystemClock):
    """A clock that is some days off."""

    def __init__(self, days: float) -> None:
        self._off = datetime.timedelta(days=days)

    def now(self) -> datetime.datetime:
        return super().now() + self._off


def main() -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    try:
        settings = command.settings_of(parser.parse_args())
        worker = (sys.executable, "-m", "tests.agent.plain_worker")
        clock = WrongClock(float(os.environ.get("WAYSIDE_TEST_DAYS_OFF", "0")))
        return run_agent(dataclasses.replace(settings, worker_command=worker), clock=clock)
    except WaysideError as err:
        sys.stderr.write(f"error[{err.code}]: {err.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
