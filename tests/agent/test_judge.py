"""What a site's agent makes of a revision besides the verdict."""

from __future__ import annotations

import datetime

import pytest

from reconciler.agent.assessment import Allowed
from reconciler.agent.judge import judge_site
from reconciler.agent.revision import SiteRevision
from reconciler.documents.tree import MemoryTree
from reconciler.ports.source import Revision
from tests.cli.fleets import FILES

_AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def judged(link: str, replicas: int = 1) -> SiteRevision:
    site = FILES["sites/market/site.yaml"] + link
    pods = FILES["bases/pos/deployment.yaml"].replace("spec:\n", f"spec:\n  replicas: {replicas}\n", 1)
    files = {**FILES, "sites/market/site.yaml": site, "bases/pos/deployment.yaml": pods}
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    assessment = judge_site(tree, Revision("a" * 40, _AT), "market")
    assert isinstance(assessment, Allowed), assessment
    return assessment.revision


def test_layers_take_their_time_over_the_declared_link() -> None:
    revision = judged("  link: {bandwidth: 1k}\n")  # bits in a second; the layer has 1,000 bytes
    assert list(revision.pulls.values()) == [8.0]
    assert revision.patience(None) == revision.sync.timeout + 8
    assert SiteRevision.from_bytes(revision.to_bytes()) == revision


@pytest.mark.parametrize("link", ["", "  link: {metered: true}\n"], ids=["no link", "no bandwidth"])
def test_a_link_of_unknown_bandwidth_takes_no_time(link: str) -> None:
    revision = judged(link)
    assert revision.pulls == {}
    assert revision.patience(None) == revision.sync.timeout


def test_layers_that_the_last_good_revision_has_take_no_time() -> None:
    revision = judged("  link: {bandwidth: 1k}\n")
    assert revision.patience(revision) == revision.sync.timeout
