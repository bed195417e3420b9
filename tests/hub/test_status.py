"""`wayside status --hub` against a real hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.model.event import EventType
from tests.hub.conftest import Hub
from tests.hub.events import COMMIT, applied, event

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def fleet(hub: Hub, tmp_path: Path) -> tuple[str, ...]:
    """Three sites: one is well, one is degraded, one has another label; and how to ask for them."""
    for site, region, state in (
        ("berlin", "north", "Ready"),
        ("bern", "south", "Degraded"),
        ("rome", "south", "Ready"),
    ):
        started = event(1, EventType.AGENT_STARTED, site=site, version="1.2.3", platform="k3s")
        labelled = {**started.data, "labels": {"region": region}, "link": {"sent": 10, "requests": 1}}
        health = event(
            3,
            EventType.HEALTH_CHANGED,
            site=site,
            state=state,
            reason="Unhealthy" if state == "Degraded" else "Applied",
            message="Deployment/shop/till: CrashLoopBackOff" if state == "Degraded" else "3 objects",
            unhealthy={"Deployment/shop/till": "CrashLoopBackOff"} if state == "Degraded" else {},
        )
        batch = [
            event(1, EventType.AGENT_STARTED, site=site, **labelled),
            applied(2, site=site, state="Ready"),
            health,
        ]
        answer = hub.report(hub.token(site=site), batch)
        assert answer.status == 200, answer.data
    token = tmp_path / "operator"
    token.write_text(hub.token(operator="ann") + "\n")
    return ("status", "--hub", hub.url, "--token-file", str(token))


def test_the_fleet_is_a_table_and_a_site_that_is_not_well_shows_in_the_exit_code(
    fleet: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(fleet)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["SITE", "STATE"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["berlin", "Ready"],
        ["bern", "Degraded"],
        ["rome", "Ready"],
    ]
    assert COMMIT[:10] in lines[1]
    assert "CrashLoopBackOff" in lines[2]
    assert lines[4] == "3 sites: 2 Ready, 1 Degraded"


def test_labels_choose_sites(fleet: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*fleet, "-l", "region=north"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["SITE", "berlin", "1"]
    assert main([*fleet, "-l", "region=nowhere"]) == 0
    assert capsys.readouterr().out == "no sites\n"
    assert main([*fleet, "-l", "region=="]) in (0, 2)
    capsys.readouterr()
    assert main([*fleet, "-l", "a b c"]) == 2
    assert "label selector" in capsys.readouterr().err


def test_it_is_json_for_programs(fleet: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*fleet, "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(site["name"], site["labels"]["region"]) for site in found] == [
        ("berlin", "north"),
        ("bern", "south"),
        ("rome", "south"),
    ]


def test_a_site_is_shown_with_all_that_is_known(
    fleet: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*fleet, "bern"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("bern: Degraded since ")
    for text in ("region=south", "1.2.3 on k3s", "unhealthy: Deployment/shop/till", "10 bytes sent"):
        assert text in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no site of this name"),
        (["bern", "-l", "a=b"], "either names of sites or --selector"),
        (["--state", "x"], "found both"),
        (["--ca-file", "/nowhere"], "found no file"),
    ],
)
def test_what_cannot_be_asked_is_said(
    fleet: tuple[str, ...], arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*fleet, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_site_s_own_token_may_not_look(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text(hub.token(site="a"))
    assert main(["status", "--hub", hub.url, "--token-file", str(token)]) == 2
    assert "operator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "gave no answer"),
        ("http://hub.example.com", "expected HTTPS"),
        ("hub.example.com", "expected a hub's URL"),
        ("https://user:hunter2@hub.example.com", "expected a hub's URL"),
    ],
)
def test_a_place_that_is_no_hub_is_told_apart(
    url: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSIDE_HUB_TOKEN", "wst_x")
    assert main(["status", "--hub", url]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "hunter2" not in err


def test_without_a_token_it_says_where_to_get_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAYSIDE_HUB_TOKEN", raising=False)
    assert main(["status", "--hub", "https://hub.example.com"]) == 2
    assert "--token-file" in capsys.readouterr().err
