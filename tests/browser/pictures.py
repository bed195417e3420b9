"""The pictures of the hub in the documentation: taken of the real pages after the night of `story`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from tests.browser.chromium import Chromium
from tests.browser.local_hub import LocalHub, Moment
from tests.browser.story import tell

__all__ = ["PICTURES", "take"]

#: File name: address, size of the window, dark or light.
PICTURES: Final = {
    "hub-fleet.png": ("#/", (1440, 1000), False),
    "hub-site.png": ("#/sites/leipzig-messe", (1440, 1000), True),
}


def take(chromium: Chromium, hub: LocalHub, folder: Path) -> None:
    """Take every picture of a hub that was told the story."""
    for name, (address, (width, height), dark) in PICTURES.items():
        page = chromium.page(width=width, height=height, dark=dark)
        page.cookie(hub.url, "wayside_token", hub.reader)
        page.go(f"{hub.url}/{address}")
        page.until("document.getElementById('live')?.textContent === 'live'")
        page.until("!document.body.innerText.includes('Loading')")
        page.run("document.querySelectorAll('details')[1]?.setAttribute('open', '')")
        page.picture(folder / name)
        page.close()


def main(folder: Path) -> None:
    """Tell the story to a hub of its own, and take every picture.

    Raises:
        PartMissing: There is no Chromium.
    """
    with tempfile.TemporaryDirectory() as text:
        place = Path(text)
        (place / "browser").mkdir()
        chromium = Chromium(place / "browser")
        hub = LocalHub(place, Moment())
        try:
            tell(hub, place)
            take(chromium, hub, folder)
        finally:
            hub.stop()
            chromium.stop()
