"""Every value and key is found where it stands; ruamel.yaml, which is another parser, agrees."""

from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.documents.yaml import Positions, load, locate
from reconciler.errors import DocumentError
from reconciler.model.fieldpath import FieldPath
from tests.documents.manifests import MANIFESTS

TEXT = b"""# a comment
a: 1
b:
  - x
  -   y: 'quoted'  # trailing
      z: |
        block
        text
c: {d: [1, "two"], e: *not
}
""".replace(b"*not", b"3")

PLACES: dict[FieldPath, tuple[str, str]] = {
    (): ("2:1", "2:1"),
    ("a",): ("2:4", "2:1"),
    ("b",): ("4:3", "3:1"),
    ("b", 0): ("4:5", "4:5"),
    ("b", 1, "y"): ("5:10", "5:7"),
    ("b", 1, "z"): ("6:10", "6:7"),
    ("c", "d", 1): ("9:12", "9:12"),
    ("c", "e"): ("9:23", "9:20"),
    ("b", 1, "missing"): ("5:7", "5:7"),
    ("c", "missing"): ("9:1", "9:1"),
    ("b", 7): ("3:1", "3:1"),
    ("missing", "deep"): ("2:1", "2:1"),
}


@pytest.mark.parametrize("path", PLACES, ids=str)
def test_a_field_is_found(path: FieldPath) -> None:
    value, key = PLACES[path]
    assert str(locate(TEXT, "f.yaml", path)) == f"f.yaml:{value}"
    assert str(locate(TEXT, "f.yaml", path, key=True)) == f"f.yaml:{key}"


def test_a_span_has_an_end() -> None:
    positions = Positions(TEXT, "f.yaml")
    for path, expected in {
        ("a",): ("2:4", "2:5"),
        ("b", 1, "y"): ("5:10", "5:18"),
        ("c",): ("9:4", "10:2"),
        ("b", 0): ("4:5", "4:6"),
    }.items():
        span = positions.span(path)
        assert (str(span.start), str(span.end)) == (f"f.yaml:{expected[0]}", f"f.yaml:{expected[1]}")


def test_documents_are_told_apart() -> None:
    text = b"a: 1\n---\n# nothing\n---\nb:\n  a: 2\n"
    positions = Positions(text, "f.yaml")
    assert len(positions) == 3
    assert str(positions.locate(("b", "a"), index=2)) == "f.yaml:6:6"
    assert str(positions.locate(("b",), index=9)) == "f.yaml:1:1"
    assert positions.has(("b", "a"), index=2)
    assert not positions.has(("b", "a"), index=0)


def test_what_an_alias_or_merge_brings_stands_where_it_is_written() -> None:
    text = b"base: &base\n  x: 1\n  y: 2\nuse:\n  <<: *base\n  y: 3\nmany: {<<: [*base]}\nsame: *base\n"
    positions = Positions(text, "f.yaml")
    assert str(positions.locate(("use", "x"))) == "f.yaml:2:6"
    assert str(positions.locate(("use", "y"))) == "f.yaml:6:6"
    assert str(positions.locate(("many", "y"))) == "f.yaml:3:6"
    assert str(positions.locate(("same", "x"), key=True)) == "f.yaml:2:3"


def test_columns_count_characters_and_a_byte_order_mark_counts_nothing() -> None:
    text = "\ufeffä: ü # x\nβ: {δ: 1}\n".encode()
    positions = Positions(text, "f.yaml")
    assert str(positions.locate(("ä",))) == "f.yaml:1:4"
    assert str(positions.locate(("β", "δ"))) == "f.yaml:2:8"


def test_text_that_is_no_yaml_has_no_positions() -> None:
    with pytest.raises(DocumentError):
        Positions(b"a: [", "f.yaml")


def places(node: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, tuple[int, int], tuple[int, int]]]:
    """Yield (path, place of the key, place of the value) of ruamel.yaml's own positions."""
    is_map = isinstance(node, dict)
    for name, child in list(node.items() if is_map else enumerate(node)):
        if is_map:
            key, value = node.lc.key(name), node.lc.value(name)
        else:
            key = value = node.lc.item(name)
        yield (*path, name), key, value
        if isinstance(child, dict | list):
            yield from places(child, (*path, name))


def test_ruamel_sees_every_key_and_value_at_the_same_place() -> None:
    positions = Positions(MANIFESTS, "f.yaml")
    count = 0
    for index, document in enumerate(YAML(typ="rt", pure=True).load_all(MANIFESTS)):
        for path, key, value in places(document):
            at = positions.locate(path, index=index, key=True)
            assert (at.line - 1, at.column - 1) == key, path
            at = positions.locate(path, index=index)
            assert (at.line - 1, at.column - 1) == value, path
            count += 1
    assert count > 300


def test_every_path_of_the_values_is_found() -> None:
    positions = Positions(MANIFESTS, "f.yaml")

    def check(value: Any, path: FieldPath, index: int) -> None:
        assert positions.has(path, index=index)
        entries = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for name, child in entries:
            check(child, (*path, name), index)

    for document in load(MANIFESTS, "f.yaml"):
        check(document.value, (), document.index)
