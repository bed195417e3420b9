"""What comes over the wire is a batch of this site's events, or it is refused in plain words."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.hub.batch import BatchError, decompress, parse_batch
from reconciler.hub.selector import parse_selector
from tests.hub.events import event

GOOD = event(1).to_cloudevent()
BAD: dict[str, tuple[Any, str]] = {
    "no list": ({}, "expected a list of events"),
    "no mapping": ([1], "found no mapping"),
    "another version": ([{**GOOD, "specversion": "0.3"}], "specversion 1.0"),
    "another site": ([{**GOOD, "source": "/sites/b"}], "the source /sites/a"),
    "no id": ([{**GOOD, "id": "x"}], "an id such as"),
    "a number of zero": ([{**GOOD, "id": "e1-0"}], "an id such as"),
    "a number that is huge": ([{**GOOD, "id": "e1-" + "9" * 40}], "an id such as"),
    "a strange type": ([{**GOOD, "type": "com.example.x"}], "a type such as"),
    "no time": ([{**GOOD, "time": "yesterday"}], "RFC 3339"),
    "a time without a zone": ([{**GOOD, "time": "2026-01-01T00:00:00.000"}], "RFC 3339"),
    "data that is a list": ([{**GOOD, "data": []}], "plain JSON"),
    "a gap inside": ([GOOD, {**GOOD, "id": "e1-3"}], "without gaps"),
    "two epochs": ([GOOD, {**GOOD, "id": "e2-2"}], "without gaps"),
    "a NUL": ([{**GOOD, "data": {"x": "a\0b"}}], "plain JSON"),
    "half a character": ([{**GOOD, "data": {"x": "\ud800"}}], "plain JSON"),
    "a huge number": ([{**GOOD, "data": {"x": 1 << 70}}], "plain JSON"),
    "an endless number": ([{**GOOD, "data": {"x": float("inf")}}], "a JSON list"),
}


@pytest.mark.parametrize(("document", "words"), BAD.values(), ids=list(BAD))
def test_a_bad_batch_is_refused(document: Any, words: str) -> None:
    with pytest.raises(BatchError, match=words):
        parse_batch(json.dumps(document).encode(), site="a")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '[{"data": 1e999}]', "[NaN]", "\ufeff[]", '{"a":' * 2000],
    ids=["nothing", "half", "very deep", "infinite", "not a number", "a mark", "deep mappings"],
)
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(BatchError):
        parse_batch(text.encode(), site="a")


def test_data_may_be_thirty_levels_deep_and_not_three_hundred() -> None:
    def nested(levels: int) -> bytes:
        data: Any = 1
        for _ in range(levels):
            data = {"x": data}
        return json.dumps([{**GOOD, "data": data}]).encode()

    parse_batch(nested(30), site="a")
    with pytest.raises(BatchError, match="32 levels"):
        parse_batch(nested(300), site="a")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_batch_or_refused(content: bytes) -> None:
    with pytest.raises(BatchError):
        parse_batch(content, site="a")
    with pytest.raises(BatchError):
        decompress(content, "gzip", limit=100)


def test_a_bomb_is_refused_before_it_grows() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(BatchError, match="at most 1000 bytes") as caught:
        decompress(bomb, "gzip", limit=1000)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"[]")[:-3], gzip.compress(b"[]") + b"x", gzip.compress(b"[") + gzip.compress(b"]"), b"x"],
)
def test_damaged_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(BatchError, match="gzip"):
        decompress(body, "gzip", limit=1000)


def test_an_encoding_that_is_not_known_is_refused() -> None:
    with pytest.raises(BatchError, match="gzip or identity") as caught:
        decompress(b"", "br", limit=1000)
    assert caught.value.status == 415


SELECTORS = [
    ("", True),
    ("region=north", True),
    ("region==north,ring!=stable", True),
    ("region", True),
    ("!legacy", True),
    ("!region", False),
    ("region in (north, south)", True),
    ("region notin (north)", False),
    ("region=south", False),
    ("tier!=1", True),
]


@pytest.mark.parametrize(("text", "fits"), SELECTORS, ids=[text or "nothing" for text, _ in SELECTORS])
def test_a_selector_means_what_it_means_to_kubectl(text: str, fits: bool) -> None:
    assert parse_selector(text)({"region": "north", "ring": "canary"}) is fits


@pytest.mark.parametrize(
    "text", ["=", "a==b==c", "a in", "'; DROP TABLE sites; --", "a=b;c", "<b>", "a in (x"]
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="label selector"):
        parse_selector(text)
