"""Nothing that comes from outside makes a traceback or an allowance.

`WAYSIDE_FUZZ_EXAMPLES` sets how much is tried.
"""

import copy
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.documents.yaml import Document
from reconciler.errors import RuleError
from reconciler.rules.admission import AdmissionPolicy, InvalidPolicy
from reconciler.rules.admission.pack import AdmissionPack
from tests.rules.admission.cases import cases
from tests.rules.admission.documents import binding, config_map, policy

EXAMPLES = int(os.environ.get("WAYSIDE_FUZZ_EXAMPLES", "150"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=5000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["Fail", "Deny", "*", "v1", "a/b", "object.a == 1", "variables.a", "\ud800", "x" * 300]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
#: Words of expressions, put together in every way.
WORDS = st.sampled_from(
    [
        *("object", "oldObject", "params", "request", "namespaceObject", "variables", "authorizer", "c"),
        *(".a", ".metadata", ".name", ".b", "['a']", "[0]", ".?a", ".all(c, ", ".exists(c, ", ".map(c, "),
        *("has(", "size(", "int(", "string(", "quantity(", ")", "(", "[", "]", "{", "}", ",", ":", "?"),
        *(
            "==",
            "!=",
            "<",
            "&&",
            "||",
            "!",
            "-",
            "+",
            "in",
            "1",
            "2u",
            "1.5",
            "'a'",
            "'('",
            "null",
            "true",
            "false",
        ),
        *(
            ".matches(",
            ".format([",
            "\n",
            "//",
            "\\",
            '"',
            "`",
            "$",
            "\x00",
            "é",
            ".check('get')",
            ".path('/')",
        ),
    ]
)
EXPRESSIONS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join) | st.text(max_size=20)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """A policy of the cases and its bindings, with some fields replaced by anything."""
    case = draw(st.sampled_from(cases()))
    documents: list[Any] = copy.deepcopy([dict(case.policy), *(dict(one) for one in case.bindings)])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(documents)[1:]))
        holder: Any = documents
        for step in path[:-1]:
            if not isinstance(holder, dict | list) or (isinstance(holder, list) and step >= len(holder)):
                break
            holder = holder[step]
        else:
            if isinstance(holder, dict) or (isinstance(holder, list) and path[-1] < len(holder)):
                holder[path[-1]] = draw(VALUES | EXPRESSIONS)
    return documents[0], documents[1:]


@FUZZ
@given(documents=damaged(), manifest=VALUES)
def test_a_damaged_policy_is_refused_or_works(documents: tuple[Any, list[Any]], manifest: Any) -> None:
    document, bindings = documents
    try:
        parsed = AdmissionPolicy.parse(document, bindings=bindings)
    except InvalidPolicy as err:
        assert err.problems
        assert str(err)
        return
    review(parsed, config_map(data={"a": "1"}))
    review(parsed, manifest)


@FUZZ
@given(expression=EXPRESSIONS, data=VALUES, manifest=VALUES)
def test_an_expression_that_fails_never_allows(expression: str, data: Any, manifest: Any) -> None:
    document = policy(expression, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    try:
        parsed = AdmissionPolicy.parse(document)
        beside = AdmissionPolicy.parse(policy(f"({expression}) && false", **paramkind(document)))
    except InvalidPolicy:
        return
    target = {**config_map(), "a": manifest, "data": data}
    found = review(parsed, target)
    never = review(beside, target)
    if found is not None and never is not None and not never.not_checked:
        # What is refused by another validation stays refused, whatever the expression comes to.
        assert not never.allowed


@FUZZ
@given(manifest=VALUES, old=VALUES, params=st.lists(VALUES, max_size=2), user=VALUES)
def test_an_object_of_any_shape_is_judged_or_refused(
    manifest: Any, old: Any, params: list[Any], user: Any
) -> None:
    parsed = AdmissionPolicy.parse(
        policy("object.a == 1", paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
        bindings=[binding(paramRef={"selector": {}, "parameterNotFoundAction": "Deny"})],
    )
    for target in (manifest, {"apiVersion": "v1", "kind": "Secret", "metadata": manifest, "a": old}):
        try:
            parsed.review(object=target, old_object=old, params=params, user_info=user)
        except RuleError as err:
            assert err.message


@FUZZ
@given(values=st.lists(VALUES | damaged().map(lambda found: found[0]), max_size=3))
def test_a_pack_of_anything_loads(values: list[Any]) -> None:
    documents = [Document(value, "p.yaml", index) for index, value in enumerate(values)]
    pack = AdmissionPack.load(documents)
    assert len(pack.findings) >= 0
    pack.review([])


def paramkind(document: dict[str, Any]) -> dict[str, Any]:
    return {"paramKind": document["spec"]["paramKind"]}


def review(parsed: AdmissionPolicy, manifest: Any) -> Any:
    try:
        return parsed.review(object=manifest, params=[config_map("p", {"a": "1"})])
    except RuleError as err:
        assert err.message
        return None
