"""The same text means the same to `load` and to the real `kubectl kustomize`."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.documents.yaml import load
from reconciler.errors import DocumentError

pytestmark = pytest.mark.cluster

HEAD = "apiVersion: example.org/v1\nkind: Thing\nmetadata:\n  name: t\n"
EXAMPLES = int(os.environ.get("WAYSIDE_YAML_EXAMPLES", "12"))


class Kustomize:
    """Builds one file with the real thing."""

    def __init__(self, kubectl: Path, directory: Path) -> None:
        self._kubectl = kubectl
        self._directory = directory
        (directory / "kustomization.yaml").write_text("resources: [file.yaml]\n")

    def build(self, text: str | bytes) -> list[Any] | None:
        """Return the documents that kustomize prints, or None where it refuses."""
        content = text.encode() if isinstance(text, str) else text
        (self._directory / "file.yaml").write_bytes(content)
        done = subprocess.run(
            [self._kubectl, "kustomize", self._directory], capture_output=True, timeout=60, check=False
        )
        if done.returncode != 0:
            return None
        return [document.value for document in load(done.stdout, "out.yaml")]


@pytest.fixture(scope="module")
def kustomize(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> Kustomize:
    return Kustomize(kubectl, tmp_path_factory.mktemp("kustomize"))


def ours(text: str | bytes) -> list[Any] | None:
    """Return the documents as `load` reads them, or None where it refuses."""
    try:
        return [
            document.value
            for document in load(text.encode() if isinstance(text, str) else text, "file.yaml")
            if document.value != {}
        ]
    except DocumentError:
        return None


#: One plain scalar a line.
SCALARS = Path(__file__).with_name("scalars.txt").read_text().split()
PHRASES = (
    *(
        "!!str 12",
        '!!int "12"',
        "!!float 1",
        '!!float "1.5"',
        "!!float .5",
        '!!bool "true"',
        "!!binary aGVsbG8=",
    ),
    *(
        '!!null ""',
        "!custom x",
        "!custom 12",
        "!<tag:yaml.org,2002:str> 12",
        "! 12",
        '! "12"',
        "!!timestamp 2001-01-01",
    ),
    *("2001-12-14 21:59:43.10", "2001-01-01 1:2:3", "2001-01-01 01:02:03 Z", "a #b", "a\t#c", "a\t", "\ta"),
    *(
        ">-\n    folded\n    text",
        "|\n    literal\n    text",
        "|+\n    keep\n\n",
        "|2-\n     x",
        '"a\n    b"',
    ),
    *(
        "'a\n\n    b'",
        "a\n    b\n\n    c",
        ">\n\n    a",
        "|1\n   a",
        "| # c\n   a",
        "&x foo",
        "&x",
        "!!binary gA==",
    ),
)
COLLECTIONS = (
    *(
        "{a: , b: }",
        "{a}",
        "[a: ]",
        "[a: , b]",
        "{a: &x , b: 1}",
        "{a: [b: ]}",
        "{a: ~}",
        "{a: !!null }",
        "{a: !!str }",
    ),
    *(
        "[]",
        "{}",
        "[[], {}]",
        "[a: 1]",
        "[a b: c d]",
        '{"a":1}',
        "[? a : b]",
        "{a:b}",
        "[a:b]",
        "{a: b:c}",
        '["a":b]',
    ),
    *(
        "{a: {b: }}",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!map {a: 1}",
        "!custom {a: 1}",
        "!!str {a: 1}",
        "[-]",
        "{-}",
    ),
    *("{<<: {a: 1}, b: 2}", "{<<: [{a: 1}, {a: 2, c: 3}], b: 2}", "{a: 5, <<: {a: 1}}", "{<<: []}"),
    *("{a: &a {x: 1}, b: *a}", "{a: &a {x: 1}, b: {<<: *a, x: 2}}", "{a: &a {x: 1}, b: {<<: [*a, *a]}}"),
    *(
        "{&k a: 1, b: *k}",
        "[&a 1, *a, &a 2, *a]",
        "{yes: 1, on: 2}",
        "{'1': a}",
        "{!!merge <<: {a: 1}}",
        "{!!str a: 1}",
    ),
)
REFUSED = (
    *(
        ".inf",
        "-.inf",
        ".nan",
        "+.Inf",
        "!!bool yes",
        "!!null x",
        "!!int x",
        '!!binary "not base64 !"',
        "*nope",
        "@a",
        "`a",
    ),
    *(
        "{1: a}",
        "{true: a}",
        "{null: a}",
        "{~: a}",
        "{1.5: a}",
        "{0x10: a}",
        "{2001-01-01: a}",
        "{[a]: b}",
        "{{a: b}: c}",
    ),
    *(
        "{a: b, a: c}",
        "{1: a, '1': b}",
        "{<<: 5}",
        "{<<: }",
        "{<<: [1]}",
        "{<<: {a: 1}, <<: {c: 2}}",
        "{&k a: 1, *k : 2}",
    ),
    *(
        "[a, , b]",
        "a: b",
        "- a",
        '"a" b',
        "[a]]",
        "{: x}",
        "%a",
        "&a.b x",
        '"\\/"',
        '"a\\/b"',
        "[http://x/y?z]",
        "{a?: b}",
    ),
    *('"\\ud800"', "'a", "|0\n    a", "{a: b", "!x!y z", "!!", "{a: 1}}"),
)


def exact(documents: list[Any] | None) -> str:
    """Return a text that tells 1 from true, which Python's `==` does not."""
    return json.dumps(documents, sort_keys=True, indent=1)


def label(text: str) -> str:
    return text.replace("\n", "\\n")


@pytest.mark.parametrize(
    "column", [SCALARS, list(PHRASES), list(COLLECTIONS)], ids=["scalars", "phrases", "collections"]
)
def test_a_table_of_tricky_values_means_the_same(kustomize: Kustomize, column: list[str]) -> None:
    """All values in one build where nobody refuses, and one by one where somebody does."""
    accepted = [text for text in column if ours(f"{HEAD}spec:\n  v: {text}\n") is not None]
    together = HEAD + "spec:\n" + "".join(f"  v{number}: {text}\n" for number, text in enumerate(accepted))
    assert exact(ours(together)) == exact(kustomize.build(together))
    for text in set(column) - set(accepted):
        assert kustomize.build(f"{HEAD}spec:\n  v: {text}\n") is None, text


@pytest.mark.parametrize("text", REFUSED, ids=label)
def test_what_kustomize_refuses_is_refused(kustomize: Kustomize, text: str) -> None:
    whole = f"{HEAD}spec:\n  v: {text}\n"
    assert kustomize.build(whole) is None
    assert ours(whole) is None


SPEC = HEAD + "spec:\n  v: 1\n"
OTHER = SPEC.replace("name: t", "name: u")
FILES = {
    "byte order mark": "\ufeff" + SPEC,
    "CRLF": SPEC.replace("\n", "\r\n") + "  w: |\r\n    a\r\n    b\r\n",
    "CR": SPEC.replace("\n", "\r"),
    "nothing": "",
    "a comment": "# x\n",
    "document start": "---\n" + SPEC,
    "document start with a comment": "--- # c\n" + SPEC,
    "document start with content": "--- {apiVersion: example.org/v1, kind: T, metadata: {name: t}}\n",
    "empty documents": "---\n---\n" + SPEC + "---\n# x\n---\n",
    "document end": SPEC + "...\n",
    "document end and start": SPEC + "...\n---\n" + OTHER,
    "two documents": SPEC + "---\n" + OTHER,
    "null document": "null\n---\n" + SPEC,
    "empty mapping document": "{}\n---\n" + SPEC,
    "no line end": SPEC.rstrip(),
    "question mark keys": HEAD + "spec:\n  ? a\n  : b\n  ? c\n",
    "unindented list": HEAD + "spec:\n  v:\n  - a: 1\n    b: 2\n  -  c\n",
    "tab after a colon": HEAD + "spec:\n  v:\ta\n",
    "tab in a literal": HEAD + "spec:\n  v: |\n    a\tb\n    \tc\n",
    "literal before a document start": HEAD + "spec:\n  v: |\n    a\n---\n" + OTHER,
    "annotations are text": HEAD
    + "  annotations: {a: 1, b: 2001-01-01, c: true, e: 1.0, f: 0644, g: ~, h: }\n",
    "annotations with anchors": HEAD
    + "  annotations:\n    h: !!int '07'\n    i: !!binary aGk=\n    l: &x 010\n    m: *x\n",
    "other annotations are not": HEAD + "spec:\n  metadata:\n    annotations: {a: 1, b: 2001-01-01}\n",
    "labels are values": HEAD + "  labels: {a: 1, b: 2001-01-01, c: true, d: , e: 1.0}\n",
    "trailing anchors": HEAD + "spec:\n  v: &a\n    x: 1\n  w:\n    <<: *a\n    y: 2\n  z: *a\n",
    "byte order mark inside": HEAD + "spec:\n  v: a\ufeffb\n",
}
REFUSED_FILES = {
    "tab as indentation": HEAD + "spec:\n\tv: a\n",
    "tab after a dash": HEAD + "spec:\n  v:\n  -\ta\n",
    "tab on a line of its own": HEAD + "spec:\n  v: a\n\t\n",
    "separator with text": SPEC + "---x\n",
    "duplicate key": SPEC + "kind: T\n",
    "anchor of another document": HEAD + "spec:\n  v: &a 1\n---\n" + OTHER + "  w: *a\n",
    "NUL": HEAD + "spec:\n  v: a\0b\n",
    "control character": HEAD + "spec:\n  v: a\x01b\n",
    "delete character": HEAD + "spec:\n  v: a\x7fb\n",
    "not UTF-8": HEAD.encode() + b"spec:\n  v: \xe9\n",
    "directive": "%YAML 1.1\n---\n" + SPEC,
    "tag directive": "%TAG !e! tag:yaml.org,2002:\n---\n" + SPEC,
    "too long a key": HEAD + "spec:\n  " + "k" * 1100 + ": 1\n",
    "quotes over a document start": HEAD + 'spec:\n  v: "a\n---\nb"\n',
    "key of two lines": HEAD + 'spec:\n  "a\n   b": c\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_a_whole_file_means_the_same(kustomize: Kustomize, text: str) -> None:
    assert ours(text) is not None
    built = kustomize.build(text)
    assert built is not None
    assert exact(ours(text)) == exact(built)


@pytest.mark.parametrize("text", REFUSED_FILES.values(), ids=REFUSED_FILES.keys())
def test_a_file_that_kustomize_refuses_is_refused(kustomize: Kustomize, text: str | bytes) -> None:
    assert kustomize.build(text) is None
    assert ours(text) is None


NUMERIC = st.text("0123456789_.+-eExXoObBaAfFTtZz: ", min_size=1, max_size=14)
DATES = st.from_regex(
    r"\A[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.,][0-9]{0,10})?(Z|[+-][0-9]{2}:[0-9]{2})?)?\Z"
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(repr)
INTEGERS = st.integers(-(2**70), 2**70).flatmap(
    lambda value: st.sampled_from(
        [str(value), hex(value), oct(value), bin(value), f"{value:_}", f"0{abs(value)}"]
    )
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
QUOTED = WORDS.map(json.dumps) | WORDS.map(lambda text: "'" + text.replace("'", "''") + "'")
VALUES = NUMERIC | DATES | FLOATS | INTEGERS | QUOTED | WORDS


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(VALUES, min_size=300, max_size=300))
def test_generated_scalars_mean_the_same(kustomize: Kustomize, values: list[str]) -> None:
    lines = [f"  k{number}: {text}\n" for number, text in enumerate(values)]
    lines = [line for line in lines if not re.search("[\r\n\x85\u2028\u2029]", line[:-1])]
    lines = [line for line in lines if ours(HEAD + "spec:\n" + line) is not None]
    text = HEAD + "spec:\n" + "".join(lines)
    if ours(text) is None:  # a line changed the meaning of its neighbours
        return
    built = kustomize.build(text)
    assert built is not None
    assert exact(built) == exact(ours(text))
