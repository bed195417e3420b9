"""Every page of the hub, in a real browser, after a night in a fleet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.event import EventType
from tests.browser.axe import barriers
from tests.browser.chromium import Chromium
from tests.browser.conftest import NewPage
from tests.browser.local_hub import LocalHub
from tests.browser.pictures import PICTURES, take
from tests.browser.story import FIRST, NEWEST, Reporter

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240)]

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
Night = tuple[LocalHub, dict[str, Reporter]]
PHONE_DARK = {"width": 390, "height": 844, "dark": True}
DESK = {"width": 1440, "height": 900}
PAGES = {
    "fleet": "#/",
    "fleet in groups": "#/?by=region",
    "fleet with nothing in it": "#/?search=nowhere",
    "fleet with a bad filter": "#/?labels=%3D%3D",
    "site that went back": "#/sites/leipzig-messe",
    "site that is silent": "#/sites/kiel-hafen",
    "site that refused": "#/sites/ulm-markt",
    "site that nobody knows": "#/sites/nowhere",
    "revisions": "#/revisions",
    "revision": f"#/revisions/{NEWEST}",
}
NUMBER_OF_CELLS = "document.querySelectorAll('.cells a').length"
OPEN_DETAILS = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


@pytest.mark.parametrize("look", [DESK, PHONE_DARK], ids=["desk and light", "phone and dark"])
@pytest.mark.parametrize("address", PAGES.values(), ids=list(PAGES))
def test_a_page_is_for_everybody_fits_and_asks_nobody_else(
    night: Night, open_page: NewPage, axe: str, address: str, look: dict[str, Any]
) -> None:
    page = open_page(night[0], address, **look)
    page.run(OPEN_DETAILS)
    assert barriers(page, axe) == []
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.hosts() == {night[0].url}
    # A site that nobody knows is a 404, which the browser notes.
    assert [line for line in page.complaints() if "404" not in line] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_to_sign_in_is_for_everybody(
    local_hub: LocalHub, chromium: Chromium, axe: str, dark: bool
) -> None:
    page = chromium.page(dark=dark)
    page.go(f"{local_hub.url}/login#wrong")
    page.until("document.querySelector('#token')")
    assert barriers(page, axe) == []
    page.close()


def test_people_sign_in_and_out_by_keys(local_hub: LocalHub, chromium: Chromium) -> None:
    page = chromium.page()
    page.go(f"{local_hub.url}/")
    page.until("document.activeElement.id === 'token'")
    page.write("wst_0_nonsense")
    page.press("Enter")
    page.until(
        "location.hash === '#wrong' && getComputedStyle(document.querySelector('#wrong')).display !== 'none'"
    )
    page.run("document.querySelector('#token').focus()")
    page.write(local_hub.reader)
    page.press("Enter")
    page.until("document.getElementById('live')?.textContent === 'live'")
    assert "No site has reported yet." in page.text()
    assert page.run("document.cookie") == ""
    page.run("document.querySelector('header button').focus()")
    page.press("Enter")
    page.until("location.pathname === '/login'")
    page.close()


def test_the_fleet_page_counts_and_says_what_needs_a_look(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0])
    assert page.text(".headline") == "13 of 64 sites need a look"
    counts = page.run(
        "Object.fromEntries([...document.querySelectorAll('.states button')]"
        ".map((b) => [b.lastChild.textContent, Number(b.querySelector('strong').textContent)]))"
    )
    assert counts == {
        "Degraded": 1,
        "Offline": 6,
        "RolledBack": 1,
        "Held": 4,
        "Unknown": 0,
        "OutOfSync": 1,
        "Suspended": 1,
        "Progressing": 4,
        "Ready": 46,
    }
    assert page.run(NUMBER_OF_CELLS) == 64
    first = page.run("document.querySelector('.cells a').getAttribute('aria-label')")
    assert first == "dresden-markt: Degraded"
    looks = page.text(".looks")
    # One cause that has hit several sites is told once, and so is one outage.
    assert looks.count("has no linux/arm/v7 image") == 1
    assert "3 sites" in looks
    outage = next(part for part in looks.split("\n\n") if "rostock-messe" in part)
    assert "4 sites" in looks
    assert "rostock-hafen" in outage
    assert "4 hours ago" in looks
    assert "They were Ready when last heard." in looks
    revisions = page.text(".revisions")
    assert "45 sites have it, 5 refused it or went back" in revisions
    assert "Till 4.3.1" in revisions


def test_states_are_told_apart_without_colours(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0])
    marks = page.run(
        "Object.fromEntries([...document.querySelectorAll('.states .mark')].map((mark) =>"
        " [mark.className, getComputedStyle(mark, '::before').content"
        " + (getComputedStyle(mark).backgroundImage === 'none' ? '' : ' hatched')]))"
    )
    assert len(marks) == 9
    assert len(set(marks.values())) == 9, marks


def test_sites_are_found_by_name_label_and_state(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0])
    page.press("/")
    page.until("document.activeElement.type === 'search'")
    page.write("messe")
    page.until(f"{NUMBER_OF_CELLS} === 16")
    page.press("Tab")
    page.write("region in (north, south), ring!=canary")
    page.until(f"{NUMBER_OF_CELLS} === 8")
    assert page.run("location.hash").startswith("#/?search=messe&labels=region+in")
    assert page.text(".headline") == "1 of 8 sites that fit needs a look"
    page.run(
        "[...document.querySelectorAll('.states button')]"
        ".find((b) => b.innerText.includes('Offline')).focus()"
    )
    page.press("Enter")
    page.until(f"{NUMBER_OF_CELLS} === 1")
    assert page.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert page.run("document.querySelector('.cells a').textContent") == "rostock-messe"
    again = page.run("location.href")
    page.go("about:blank")
    page.go(again)
    page.until(f"{NUMBER_OF_CELLS} === 1")
    page.run("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Clear').click()")
    page.until(f"{NUMBER_OF_CELLS} === 64")


def test_a_filter_that_cannot_be_read_is_said_and_hides_nothing(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], "#/?labels=region%3D%3D%3Dnorth")
    assert "Write labels as region=north" in page.text("#labels-wrong")
    assert page.run("document.querySelector('[aria-invalid=true]').value") == "region===north"
    assert page.run(NUMBER_OF_CELLS) == 64


def test_a_group_is_as_bad_as_its_worst_site(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], "#/?by=region")
    heads = page.run(
        "[...document.querySelectorAll('.group h3')].map((head) => head.innerText.replace(/\\s+/g, ' '))"
    )
    assert heads == [
        "east Degraded 14 of 16 ready",
        "north Offline 10 of 16 ready",
        "west Offline 10 of 16 ready",
        "south Held 12 of 16 ready",
    ]


def test_the_grid_is_walked_by_keys(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], **DESK)
    name = "document.activeElement.dataset.site"
    page.press("/")
    for _ in range(100):
        if page.run("Boolean(document.activeElement.closest('.cells'))"):
            break
        page.press("Tab")
    assert page.run(name) == "dresden-markt"
    assert "dresden-markt · Degraded since 4" in page.text(".readout")
    page.press("ArrowRight")
    assert page.run(name) == "aachen-markt"
    page.press("ArrowDown", "ArrowUp", "ArrowLeft", "End")
    assert page.run(name) == "ulm-messe"
    page.press("Home", "ArrowDown")
    below = page.run(name)
    assert below not in {"dresden-markt", "aachen-markt"}
    # The grid is one stop: the next Tab leaves it.
    page.press("Tab")
    assert not page.run("Boolean(document.activeElement.closest('.cells'))")
    page.run(f"document.querySelector('[data-site={below}]').focus()")
    page.press("Enter")
    page.until(f"document.querySelector('h1')?.textContent === '{below}'")
    assert page.run("document.activeElement.id") == "main"


def test_a_site_s_page_tells_all_of_it(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], "#/sites/leipzig-messe")
    page.run(OPEN_DETAILS)
    shown = page.text()
    for words in (
        "RolledBack",
        "did not become healthy within 5m",
        "region=east",
        "Menu board: two replicas at the larger sites",
        "1 newer revision since",
        "Why e07d2b94c1 was taken back",
        "exit code 78: config key receipts.mode is unknown",
        "Went back to a83f5d1e07 from e07d2b94c1",
        "Plan: 3 updated",
        "registry.example/till:4.2.0 → registry.example/till:4.3.1",
        "verdict sha256:a83f5d1e07c94b6f92d",
        "Agent started, version 0.1.0",
        "every 5 minutes",
        "4.2 kB",
    ):
        assert words in shown, words


def test_a_silent_site_s_page_claims_no_health(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], "#/sites/kiel-hafen")
    shown = page.text()
    assert "Offline" in shown
    assert re.search(r"silent since \d+ \w+ \d+, [\d:]+ \(5 hours ago\)", shown)
    assert "It was Ready when it was last heard. What follows is what it said then." in shown
    assert page.run("document.querySelectorAll('.cards .m-Ready').length") == 0


def test_a_site_that_does_not_tell_its_health_is_not_shown_as_healthy(
    local_hub: LocalHub, open_page: NewPage, tmp_path: Path
) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a")
    site.apply(FIRST, create=9)
    site.beat("Unknown", "Applied", "applied; this kind of target does not tell health")
    site.send()
    local_hub.site_token("b")
    local_hub.core.guard.reload()
    page = open_page(local_hub, "#/sites/a")
    assert "9" in page.text(".cards")
    assert page.run("document.querySelectorAll('.cards .m-Ready').length") == 0
    page.go(f"{local_hub.url}/#/sites/b")
    page.until("document.querySelector('.lede')?.innerText === 'no report yet'")
    assert "never" in page.text(".cards")
    page.go(f"{local_hub.url}/#/")
    page.until("document.querySelector('.headline')?.innerText === '2 of 2 sites need a look'")


def test_health_and_drift_are_on_the_page(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], "#/sites/dresden-markt")
    assert "8 of 9" in page.text(".cards")
    assert "the node is short of memory" in page.text()
    drifted = open_page(night[0], "#/sites/koeln-messe").text()
    assert "Changed by hand" in drifted
    assert "ConfigMap/shop/prices" in drifted


def test_a_revision_s_page_says_who_has_it_and_who_not_and_why(night: Night, open_page: NewPage) -> None:
    page = open_page(night[0], f"#/revisions/{NEWEST}")
    legend = page.run("document.querySelector('.legend').textContent.replace(/(\\d+)/g, ' $1 ')").split()
    assert " ".join(legend) == "45 have it 5 turned it down 4 are at it 10 have an older one"
    causes = page.run("[...document.querySelectorAll('.findings > li')].map((cause) => cause.innerText)")
    assert len(causes) == 3
    assert causes[0].startswith("3 sites")
    assert "image-platforms" in causes[0]
    assert "ulm-bahnhof, ulm-hafen, ulm-markt" in causes[0]
    assert page.run(NUMBER_OF_CELLS) == 45
    page.go(f"{night[0].url}/#/revisions")
    page.until("document.querySelectorAll('tbody tr').length === 3")
    assert "Pin the till to 4.2.0" in page.text()


def test_the_pictures_of_the_documentation_are_of_these_pages(
    night: Night, chromium: Chromium, tmp_path: Path
) -> None:
    take(chromium, night[0], tmp_path)
    for name in PICTURES:
        made, kept = (tmp_path / name).read_bytes(), (IMAGES / name).read_bytes()
        assert made[:8] == b"\x89PNG\r\n\x1a\n"
        # Of one size, and about as much to see; the hours in them differ.
        assert made[16:24] == kept[16:24]
        assert 0.6 < len(made) / len(kept) < 1.6, "run `make pictures`, and look at them"


def test_every_kind_of_event_has_words(local_hub: LocalHub, open_page: NewPage, tmp_path: Path) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a")
    whatever_any_type_wants = {
        "commit": FIRST,
        "version": "0.1.0",
        "code": "a-code",
        "state": "Ready",
        "resource": "Deployment/shop/till",
        "reasons": [{"message": "a reason"}],
        "differences": ["a difference"],
        "dropped": {"dev.wayside.agent.heartbeat.v1": 2},
    }
    for type_ in EventType:
        site.emit(type_, **whatever_any_type_wants)
    site.send()
    timeline = open_page(local_hub, "#/sites/a").text(".timeline")
    assert "dev.wayside" not in timeline
    assert "undefined" not in timeline
