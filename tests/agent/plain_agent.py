"""An agent as `wayside agent` starts it, with the worker of `plain_worker`."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from reconciler.agent import command
from reconciler.agent.loop import run_agent
from reconciler.errors import WaysideError


def main() -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    try:
        settings = command.settings_of(parser.parse_args())
        worker = (sys.executable, "-m", "tests.agent.plain_worker")
        return run_agent(dataclasses.replace(settings, worker_command=worker))
    except WaysideError as err:
        sys.stderr.write(f"error[{err.code}]: {err.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
