"""What every test may use."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Time says nothing about an example on a machine that does other things too; hangs have limits of their own.
settings.register_profile("wayside", deadline=None)
settings.load_profile("wayside")

pytest_plugins = ["tests.cluster.fixtures"]


@pytest.fixture(autouse=True, scope="session")
def plain_terminal() -> Iterator[None]:
    """Say nothing of a terminal: runners of tests, and people, set widths and colours of their own."""
    kept = {name: os.environ.pop(name, None) for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    yield
    os.environ.update({name: value for name, value in kept.items() if value is not None})
