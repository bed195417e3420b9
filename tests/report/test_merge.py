"""One cause that hits many sites is one finding; two causes stay two."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.location import Location
from reconciler.report.merge import merge_findings, merge_not_checked


def finding(site: str, *, line: int = 1, rule: str = "r", message: str = "m") -> Finding:
    return Finding(rule, Severity.ERROR, message, Location("base.yaml", line, 1), sites=(site,))


def test_one_line_that_breaks_three_sites_is_one_finding() -> None:
    merged = merge_findings([finding("c"), finding("a"), finding("b")])
    assert [f.sites for f in merged] == [("a", "b", "c")]


def test_messages_that_name_their_site_do_not_split_a_cause() -> None:
    merged = merge_findings([finding("b", message="node b-0"), finding("a", message="node a-0")])
    assert [(f.message, f.sites) for f in merged] == [("node a-0", ("a", "b"))]


def test_two_findings_on_one_line_of_one_site_stay_two() -> None:
    both = [finding(site, message=message) for site in ("a", "b") for message in ("no arm64", "no arm/v7")]
    merged = merge_findings(both)
    assert sorted((f.message, f.sites) for f in merged) == [
        ("no arm/v7", ("a", "b")),
        ("no arm64", ("a", "b")),
    ]


def test_other_lines_and_rules_stay_apart() -> None:
    merged = merge_findings([finding("a"), finding("a", line=2), finding("a", rule="s")])
    assert len(merged) == 3


@given(
    st.lists(
        st.builds(
            finding,
            st.sampled_from(["a", "b", "c"]),
            line=st.integers(1, 3),
            rule=st.sampled_from(["r", "s"]),
            message=st.sampled_from(["m", "n"]),
        ),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_sites_changes_nothing_and_no_site_is_lost(
    findings: list[Finding], shuffler: random.Random
) -> None:
    shuffled = list(findings)
    shuffler.shuffle(shuffled)
    merged = merge_findings(findings)
    assert merged == merge_findings(shuffled)
    assert {(f.rule, f.location, s) for f in merged for s in f.sites} == {
        (f.rule, f.location, s) for f in findings for s in f.sites
    }


def test_what_was_not_checked_is_merged_over_sites() -> None:
    items = [NotChecked("schema", "no schema", ("b",)), NotChecked("schema", "no schema", ("a",))]
    assert merge_not_checked(items) == (NotChecked("schema", "no schema", ("a", "b")),)
