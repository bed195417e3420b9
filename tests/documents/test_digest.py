"""Digests are over the canonical form, however it is put together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.digest import ObjectTexts, canonical, digest_text, digest_value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["spec", "metadata", "kind", "données"]), VALUES), max_size=3)
)
def test_the_text_of_an_object_is_its_canonical_form(manifests: list[dict[str, Any]]) -> None:
    texts = ObjectTexts()

    for manifest in (*manifests, *manifests):
        assert texts.of(manifest) == canonical(manifest)


def test_a_key_that_is_no_text_is_written_as_json_writes_it() -> None:
    assert ObjectTexts().of({1: "a", 2: {"b": 1}}) == canonical({1: "a", 2: {"b": 1}})  # type: ignore[dict-item]


def test_the_digest_of_a_value_is_that_of_its_text() -> None:
    value = {"b": [1, "é"], "a": None}

    assert canonical(value) == '{"a":null,"b":[1,"é"]}'
    assert digest_value(value) == digest_text(canonical(value))
