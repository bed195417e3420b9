"""`python -m reconciler` is `wayside`."""

from reconciler.cli.main import run

run()
