"""Chromium, axe and a hub with a story to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.axe import axe_source
from tests.browser.chromium import Chromium, Page
from tests.browser.local_hub import LocalHub, Moment
from tests.browser.story import Reporter, tell
from tests.cluster.errors import PartMissing
from tests.cluster.fixtures import missing

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The browser, one for all tests."""
    try:
        browser = Chromium(tmp_path_factory.mktemp("chromium"))
    except PartMissing as err:
        missing(str(err))
    yield browser
    browser.stop()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    try:
        return axe_source()
    except PartMissing as err:
        missing(str(err))


@pytest.fixture
def local_hub(tmp_path: Path) -> Iterator[LocalHub]:
    """A hub that nobody has reported to."""
    hub = LocalHub(tmp_path, Moment())
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalHub, dict[str, Reporter]]]:
    """A hub after a night in a fleet of 64 sites; tests that look at it change nothing."""
    folder = tmp_path_factory.mktemp("night")
    hub = LocalHub(folder, Moment())
    try:
        yield hub, tell(hub, folder)
    finally:
        hub.stop()


@pytest.fixture
def open_page(chromium: Chromium) -> Iterator[NewPage]:
    """Call it with a hub and an address for a page that is signed in and has loaded."""
    pages: list[Page] = []

    def open_(hub: LocalHub, address: str = "#/", *, token: str = "", **look: object) -> Page:
        page = chromium.page(**look)  # type: ignore[arg-type] # width, height, scale, dark
        pages.append(page)
        page.cookie(hub.url, "wayside_token", token or hub.reader)
        page.go(f"{hub.url}/{address}")
        page.until("document.getElementById('live')?.textContent === 'live'")
        page.until("!document.body.innerText.includes('Loading')")
        return page

    yield open_
    for page in pages:
        page.close()
