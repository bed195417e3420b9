"""`wayside explain` says why a rule is there, and what uses a site's resources."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.main import main
from tests.cli.fleets import write_fleet


def test_a_rule_is_explained_with_an_example_of_each_sort(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "memory-budget"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("memory-budget: ")
    assert "what it finds:" in shown
    assert "what is fine:" in shown
    assert "surge (string, default 'none')" in shown


def test_a_site_is_explained_by_budgets_nodes_and_what_would_still_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "market", "--directory", str(write_fleet(tmp_path))]) == 0

    shown = capsys.readouterr().out
    assert "memory: 128Mi of 1Gi (budget), 12%, 896Mi left\n" in shown
    assert "  Deployment.apps/shop/pos  1 x 128Mi  128Mi  12%\n" in shown
    assert "node node-0: still free: cpu 3900m, memory 3968Mi, pods 109\n" in shown
    assert "  Deployment.apps/shop/pos  7 more  until memory of the budget ends\n" in shown


def test_a_site_that_has_a_rules_name_is_asked_for_as_a_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fleet(tmp_path)
    (root / "sites/market/site.yaml").write_text(
        (root / "sites/market/site.yaml").read_text().replace("name: market", "name: probes")
    )

    assert main(["explain", "probes", "--directory", str(root)]) == 0
    assert "readiness" in capsys.readouterr().out
    assert main(["explain", "probes", "--site", "--directory", str(root)]) == 0
    assert capsys.readouterr().out.startswith("probes: every pod finds room")


def test_a_check_that_is_no_rule_file_is_explained_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "render"]) == 0
    assert capsys.readouterr().out == "render: An overlay cannot be built.\n"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("memory-budge", "there is no rule and no site 'memory-budge'", "did you mean 'memory-budget'?"),
        ("markt", "there is no rule and no site 'markt'", "did you mean 'market'?"),
        ("xyzzy", "there is no rule and no site 'xyzzy'", "`wayside explain` lists the rules"),
    ],
)
def test_a_name_that_nothing_has_is_a_usage_error_with_the_nearest(
    name: str, message: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", name, "--directory", str(write_fleet(tmp_path))]) == 2

    shown = capsys.readouterr().err
    assert message in shown
    assert hint in shown


def test_a_site_whose_file_is_wrong_is_a_located_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fleet(tmp_path)
    file = root / "sites/market/site.yaml"
    file.write_text(file.read_text().replace("memory: 1Gi", "memory: 128 Mi"))

    assert main(["explain", "market", "--directory", str(root)]) == 2
    assert "sites/market/site.yaml:11:" in capsys.readouterr().err
