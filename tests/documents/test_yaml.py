"""YAML that is wrong is told with its place and a way out, and nothing makes the reader fall over."""

# ruff: noqa: E501 - golden messages and attacks are one line each

import random
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents import events
from reconciler.documents.yaml import Document, load
from reconciler.errors import DocumentError
from tests.documents.manifests import MANIFESTS, manifests

WRONG: dict[str, tuple[str | bytes, str]] = {
    "duplicate key": (
        "a: 1\nb:\n  c: 1\n  c: 2\n",
        "4:3: expected each key once, found 'c' again (remove one of the two, or merge their values)",
    ),
    "number as key": ("a:\n  1: x\n", "2:3: expected a string as a key, found 1 (write the key in quotes)"),
    "collection as key": (
        "a: {[b]: c}\n",
        "1:5: expected a string as a key, found a collection (write a plain key)",
    ),
    "infinity": (
        "a: .inf\n",
        "1:4: expected a value that JSON can hold, found .inf (quote the value if it is text)",
    ),
    "colon in a value": (
        "a: b: c\n",
        "1:5: expected valid YAML, but mapping values are not allowed in this context"
        " (quote the value if it contains ': ', or check the indentation)",
    ),
    "tab": (
        "a:\n\tb: 1\n",
        "2:1: expected valid YAML, but found a tab where a value, a key or a comment begins"
        " (indent with spaces; YAML does not allow tabs there)",
    ),
    "at sign": (
        "a: @b\n",
        "1:4: expected valid YAML, but found '@' where a value, a key or a comment begins"
        " (quote the value: it may not begin with @)",
    ),
    "open quotes": (
        "a: 'b\nc: d\n",
        "3:1: expected valid YAML, but found unexpected end of stream (while scanning a quoted scalar that begins"
        " on line 1) (close the quotes that were opened here)",
    ),
    "open list": (
        "a: [b\nc: d\n",
        "2:2: expected valid YAML, but did not find expected ',' or ']' (while parsing a flow sequence that begins"
        " on line 1) (close the list with ']' or separate its items with ',')",
    ),
    "bad indentation": (
        "a:\n    b: 1\n  c: 2\n",
        "3:3: expected valid YAML, but did not find expected key (while parsing a block mapping that begins on"
        " line 1) (check the indentation of this line and the quotes before it)",
    ),
    "unknown alias": (
        "a: *b\n",
        "1:4: expected an anchor &b before its alias, found none (quote the value if it only begins with '*';"
        " anchors do not reach into other documents)",
    ),
    "alias of itself": (
        "a: &a\n  b: *a\n",
        "2:6: expected the anchor &a to end before its alias, found it inside itself"
        " (a value cannot contain itself)",
    ),
    "merge of a scalar": (
        "a:\n  <<: 5\n",
        "3:1: expected a mapping or a list of mappings after '<<', found something else"
        " (merge an alias of a mapping: <<: *name)",
    ),
    "quoted merge key": (
        "'<<': {a: 1}\n",
        "1:1: expected '<<' without quotes for a merge, or another key"
        " (remove the quotes: kustomize drops such an entry)",
    ),
    "wrong tag": (
        "a: !!int x\n",
        "1:4: expected a value of the type !!int, found 'x' (quote the value, or remove the tag)",
    ),
    "directive": (
        "%YAML 1.1\n---\na: 1\n",
        "1:1: expected no directive, found a '%' line (remove the line: kustomize reads no YAML directives)",
    ),
    "no separator": (
        "a: 1\n...\nb: 2\n",
        "3:1: expected valid YAML, but did not find expected <document start>"
        " (write '---' between documents: kustomize ignores what follows '...')",
    ),
    "separator with text": (
        "a: 1\n---b\n",
        "2:4: expected a line end or a space after '---' (write '---' alone on its line)",
    ),
    "not UTF-8": (
        b"a: 1\nb: caf\xe9\n",
        "2:7: expected UTF-8 text, found the byte 0xe9 (save the file as UTF-8)",
    ),
    "UTF-16": (
        "a: 1\n".encode("utf-16"),
        "1:1: expected UTF-8 text, found the byte 0xff (save the file as UTF-8)",
    ),
    "NUL": (
        "ä: ü\0\n",
        "1:5: expected text, found a NUL (remove it, or write it as an escape in double quotes)",
    ),
    "control character": (
        "a: 1\nb: \x1b[0m\n",
        "2:4: expected text, found the control character U+001B"
        " (remove it, or write it as an escape in double quotes)",
    ),
    "deep nesting": (
        "[" * 100_000,
        "1:201: expected at most 200 collections inside each other, found more (flatten the document)",
    ),
    "deep blocks": (
        "".join(" " * depth + "a:\n" for depth in range(300)),
        "201:201: expected at most 200 collections inside each other, found more (flatten the document)",
    ),
    "deep aliases": (
        "a: &a " + "[" * 150 + "]" * 150 + "\nb: " + "[" * 60 + "*a" + "]" * 60 + "\n",
        "2:64: expected aliases that repeat at most 100000 values, found more"
        " (write the values out, or use fewer aliases of aliases)",
    ),
}


def told(text: str | bytes, limit: int = events.MAX_BYTES) -> str:
    with pytest.raises(DocumentError) as caught:
        load(text.encode() if isinstance(text, str) else text, "f.yaml", limit=limit)
    err = caught.value
    assert err.code == "yaml"
    return f"{err}{f' ({err.hint})' if err.hint else ''}"


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str | bytes, expected: str) -> None:
    assert told(text) == f"f.yaml:{expected}"


def test_a_text_over_the_limit_is_refused() -> None:
    assert told("a: 1 # padding\n", limit=10) == (
        "f.yaml:1:1: expected at most 10 bytes of YAML, found 15"
        " (split the file, or generate large values in the cluster)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
        "a: &a {x: 1, y: 2}\n"
        + "".join(f"{n}: &{n} {{p: *{p}, q: *{p}, <<: *{p}}}\n" for p, n in zip("abcdefghijklmnopqrstuvwx", "bcdefghijklmnopqrstuvwxy", strict=True)),
        "? " * 5000 + "a",
        "- " * 5000 + "a",
        "{a: " * 5000,
        "!!x " + "&a " * 3000,
        "a: " + "'" * 9999,
        "\n" * 100_000 + "a: [",
        '"' + "\\u0041" * 50_000,
    ],
    ids=["sequences", "merges", "keys", "dashes", "maps", "anchors", "quotes", "lines", "escapes"],
)  # fmt: skip
def test_an_attack_is_refused_in_little_time(text: str) -> None:
    began = time.perf_counter()
    told(text)
    assert time.perf_counter() - began < 2.0


def test_aliases_are_copies() -> None:
    [document] = load(b"a: &a {x: [1]}\nb: *a\nc: {<<: *a}\n", "f.yaml")
    value = document.value
    assert value["a"] == value["b"] == value["c"]
    assert value["a"] is not value["b"]
    assert value["a"]["x"] is not value["b"]["x"]


def test_empty_documents_are_counted_and_left_out() -> None:
    text = b"# nothing\n---\na: 1\n---\n---\n~\n---\nb\n"
    assert load(text, "f.yaml") == [Document({"a": 1}, "f.yaml", 0), Document("b", "f.yaml", 3)]


def test_values_are_plain_python() -> None:
    [document] = load(b"[a, 1, 1.5, true, null, {}, 2001-01-01]", "f.yaml")
    assert [type(value) for value in document.value] == [str, int, float, bool, type(None), dict, str]


def test_the_parser_in_python_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_libyaml = load(MANIFESTS, "f.yaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert load(MANIFESTS, "f.yaml") == with_libyaml
    for text, expected in (
        WRONG[name] for name in ("duplicate key", "not UTF-8", "NUL", "unknown alias", "tab")
    ):
        assert told(text).split(": expected")[0] == f"f.yaml:{expected}".split(": expected")[0]


def test_ordinary_manifests_are_read_as_any_loader_reads_them() -> None:
    assert [each.value for each in load(MANIFESTS, "f.yaml")] == list(yaml.safe_load_all(MANIFESTS))


#: PyYAML writes a lone U+0085 as a line break; that is its own affair.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:#-? 1", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_a_yaml_writer_writes_is_read_back(value: Any) -> None:
    for flow in (True, False):
        text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
        found = load(text.encode(), "f.yaml")
        assert [each.value for each in found] == ([] if value is None else [value])


def mutate(text: bytes, chance: random.Random) -> bytes:
    """Return the text with a few bytes changed, doubled, moved or lost."""
    data = bytearray(text)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[at] = chance.choice(b"\t\n\r \"'{}[]:,#&*!|>?-%@`\\\x00\xff\xc3<0e.")
            case 1:
                del data[at : at + chance.randint(1, 9)]
            case 2:
                data[at:at] = data[at : at + chance.randint(1, 40)]
            case 3:
                other = chance.randrange(len(data))
                data[at:at] = data[other : other + chance.randint(1, 80)]
            case _:
                data[at:at] = chance.choice(
                    (b"&a ", b"*a ", b"<<: ", b"!!int ", b"---\n", b"? ", b": ", b"- ")
                )
        if not data:
            return b"x"
    return bytes(data)


@pytest.mark.slow
def test_ten_thousand_broken_files_give_a_place_or_values() -> None:
    chance = random.Random(20260101)  # noqa: S311 - nothing here is secret
    text = manifests(1)
    lines = text.count(b"\n") + 200
    refused = 0
    for _ in range(10_000):
        try:
            load(mutate(text, chance), "f.yaml")
        except DocumentError as err:
            refused += 1
            assert err.at is not None
            assert 1 <= err.at.line <= lines
            assert err.at.column >= 1
    assert 1_000 < refused < 9_900
