"""The engine's verdicts beside those of a real API server."""

import pytest

from reconciler.rules.admission import AdmissionPolicy, Review, builtin_kinds
from reconciler.rules.admission.compiling import Engine
from tests.rules.admission.cases import DEFINITIONS, USERS, Answer, Case, answers, cases
from tests.rules.admission.collection import collection, policies

ASKED = [case for case in (*cases(), *collection()) if case.bindings]


def review(case: Case, engine: Engine = None) -> Review:
    kinds = builtin_kinds().with_definitions(DEFINITIONS)
    policy = AdmissionPolicy.parse(case.policy, bindings=case.bindings, kinds=kinds, engine=engine)
    return policy.review(
        object=case.object,
        old_object=case.old,
        operation=case.operation,
        params=case.params,
        namespace_object=case.namespace,
        user_info=USERS[case.user],
        dry_run=True,
    )


def answer(found: Review) -> Answer:
    first = found.denials[0] if found.denials else None
    return Answer(
        allowed=found.allowed,
        message=first.message if first is not None else "",
        reason=first.reason if first is not None else "",
        warnings=found.warnings,
    )


#: Refusals of the same kind for the same reason, in words that only cel-go's own functions have.
OTHER_WORDS = frozenset(
    {
        *(f"expression-{number}" for number in (12, 36, 37, 41, 48, 57, 58, 63, 65, 68)),
        # Of what is done with null that only lists, maps and texts can have done.
        *(f"optional-{number}" for number in (9, 10, 11, 12, 13, 16, 17, 33)),
        "no-wildcard-roles-fail-3",
    }
)


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.name)
def test_the_verdict_is_the_servers(case: Case) -> None:
    found = review(case)
    recorded = answers()[case.name]
    if case.name == "equivalent-events":
        # Only the API server converts between the two groups of events.
        assert found.not_checked
    elif case.name in OTHER_WORDS:
        assert (found.allowed, answer(found).reason) == (recorded.allowed, recorded.reason)
    else:
        assert answer(found) == recorded


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.name)
def test_the_pure_engine_decides_like_the_server(case: Case) -> None:
    found = review(case, "pure")
    if not found.not_checked:
        recorded = answers()[case.name]
        assert (found.allowed, len(found.warnings)) == (recorded.allowed, len(recorded.warnings))


def test_most_words_are_the_servers_too() -> None:
    assert len(OTHER_WORDS) <= 20
    assert len(ASKED) >= 590


@pytest.mark.parametrize("case", collection(), ids=lambda case: case.name)
def test_a_policy_in_the_style_of_public_ones_decides_as_its_author_meant(case: Case) -> None:
    assert review(case).allowed is case.passes is answers()[case.name].allowed


def test_there_are_fifty_policies_in_the_style_of_public_ones() -> None:
    assert len(policies()) >= 50
