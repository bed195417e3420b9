"""Whatever stands in the files, the answer is resources or an error at a place: no traceback, no hang."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.documents.tree import MemoryTree, WorkingTree
from reconciler.errors import InputError
from reconciler.render import Renderer, build
from tests.render.cases import load_cases

ONE = b"resources: [p.yaml]\n"
POD = b"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
BOMB = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 10)) for level in range(1, 10)
)


def refuse(files: dict[str, bytes], directory: str = "") -> InputError:
    with pytest.raises(InputError) as caught:
        build(directory, MemoryTree(files))
    return caught.value


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + BOMB},
            "yaml-bomb",
            "p.yaml:",
            id="bomb",
        ),
        pytest.param(
            {
                "kustomization.yaml": b"resources: [p.yaml]\n",
                "p.yaml": POD + b"a: " + b"[" * 5000 + b"]" * 5000,
            },
            "yaml-too-deep",
            "p.yaml:4:",
            id="deep-nesting",
        ),
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + b"a: \xff\n"},
            "not-utf8",
            "p.yaml:4:4",
            id="not-utf8",
        ),
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + b"a: x\0y\n"},
            "yaml-syntax",
            "p.yaml:",
            id="nul",
        ),
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + b"a: &a [*a]\n"},
            "yaml-cycle",
            "p.yaml:4:8",
            id="anchor-in-itself",
        ),
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + b"kind: Job\n"},
            "duplicate-key",
            "p.yaml:4:1",
            id="duplicate-key",
        ),
        pytest.param(
            {"kustomization.yaml": ONE, "p.yaml": POD + b"1: x\n"},
            "yaml-key",
            "p.yaml:4:1",
            id="number-as-key",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources:\n- ../../etc\n"},
            "path-outside",
            "kustomization.yaml:2:3",
            id="out-of-the-repository",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources:\n- /etc/passwd\n"},
            "path-outside",
            "kustomization.yaml:2:3",
            id="absolute-path",
        ),
        pytest.param(
            {"kustomization.yaml": b'resources:\n- "a\\0b"\n'},
            "path-outside",
            "kustomization.yaml:2:3",
            id="nul-in-path",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources:\n- nope.yaml\n"},
            "file-missing",
            "kustomization.yaml:2:3",
            id="missing-file",
        ),
        pytest.param(
            {"kustomization.yaml": b""}, "empty-kustomization", "kustomization.yaml:1:1", id="empty"
        ),
        pytest.param({"x": b""}, "kustomization-missing", "kustomization.yaml:1:1", id="no-kustomization"),
        pytest.param(
            {"kustomization.yaml": b"resources: []\nnamePrefx: a-\n"},
            "unknown-field",
            "kustomization.yaml:2:1",
            id="unknown-field",
        ),
        pytest.param(
            {
                "kustomization.yaml": b"resources: [p.yaml]\npatches:\n- path: q.yaml\n",
                "p.yaml": POD,
                "q.yaml": POD.replace(b"name: p", b"name: q"),
            },
            "no-match",
            "kustomization.yaml:3:3",
            id="a-patch-for-nothing",
        ),
        pytest.param(
            {
                "kustomization.yaml": b"resources: [p.yaml]\npatches:\n- path: q.yaml\n",
                "p.yaml": POD + b"spec: {a: [1]}\n",
                "q.yaml": POD + b"spec: {a: {b: 1}}\n",
            },
            "patch-conflict",
            "q.yaml:4:11",
            id="a-merge-conflict",
        ),
        pytest.param(
            {
                "kustomization.yaml": (
                    b"resources: [p.yaml]\npatches:\n- target: {kind: Pod}\n  patch: |\n"
                    b"    - {op: test, path: /kind, value: Pod}\n    - {op: remove, path: /nope}\n"
                ),
                "p.yaml": POD,
            },
            "json-patch",
            "kustomization.yaml:6:7",
            id="an-operation-that-does-not-apply",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources:\n- https://example.com/x.yaml\n"},
            "remote-not-supported",
            "kustomization.yaml:2:3",
            id="remote-file",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources:\n- git@github.com:a/b.git\n"},
            "remote-not-supported",
            "kustomization.yaml:2:3",
            id="remote-base",
        ),
        pytest.param(
            {"kustomization.yaml": b"helmCharts:\n- name: x\n"},
            "helm-not-supported",
            "kustomization.yaml:2:1",
            id="helm",
        ),
        pytest.param(
            {
                "kustomization.yaml": (
                    b"resources: [c.yaml]\nreplacements:\n- sourceValue: new\n"
                    b"  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text.a]}]\n"
                ),
                "c.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
                b'data: {text: "a: b # why\\n"}\n',
            },
            "replacement",
            "kustomization.yaml:3:3",
            id="a-comment-in-text-that-is-replaced",
        ),
        pytest.param(
            {"kustomization.yaml": b"resources: [a]\n", "a/kustomization.yaml": b"resources: [../]\n"},
            "cycle",
            "a/kustomization.yaml:1:13",
            id="cycle",
        ),
    ],
)
def test_bad_input_is_refused_at_its_place(files: dict[str, bytes], code: str, place: str) -> None:
    error = refuse(files)

    assert error.code == code
    assert str(error.at).startswith(place)
    assert error.hint or code in ("yaml-cycle", "yaml-too-deep", "empty-kustomization", "duplicate-key")


def test_a_symlink_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "outside.yaml").write_bytes(POD)
    (tmp_path / "repo/p.yaml").symlink_to("../outside.yaml")
    (tmp_path / "repo/kustomization.yaml").write_text("resources: [p.yaml]\n")

    with pytest.raises(InputError, match="leaves the repository") as caught:
        Renderer(WorkingTree(tmp_path / "repo")).build("")

    assert str(caught.value.at) == "kustomization.yaml:1:13"


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(POD + b"# " + b"x" * 4096)
    (tmp_path / "kustomization.yaml").write_text("resources: [p.yaml]\n")

    with pytest.raises(InputError, match="at most 4000 bytes"):
        Renderer(WorkingTree(tmp_path, limit=4000)).build("")


@pytest.mark.slow
def test_mutated_files_are_built_or_refused() -> None:
    chance = random.Random(4)  # noqa: S311 - mutations, not secrets
    cases = load_cases()
    noise = [b"\0", b"\xff", b"{", b"}", b"[", b"- ", b": ", b"&a", b"*a", b"<<: ", b"!!int ", b"'", b'"']
    noise += [b"\n", b"  "]
    slowest = 0.0

    for _ in range(1500):
        case = chance.choice(cases)
        files = {path: bytearray(text.encode()) for path, text in case.files.items()}
        data = files[chance.choice(sorted(files))] if files else bytearray()
        for _ in range(chance.randint(1, 4)):
            at = chance.randint(0, len(data))
            match chance.randint(0, 2):
                case 0:
                    data[at:at] = chance.choice(noise)
                case 1:
                    del data[at : at + chance.randint(1, 12)]
                case _:
                    data[at : at + 1] = bytes([chance.randint(0, 255)])
        begun = time.monotonic()
        try:
            build(case.directory, MemoryTree({path: bytes(data) for path, data in files.items()})).to_yaml()
        except InputError as err:
            assert err.message
        slowest = max(slowest, time.monotonic() - begun)

    assert slowest < 5


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
_VALUES = st.recursive(
    _SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    [
        *("resources", "components", "patches", "images", "labels", "replicas", "namespace", "namePrefix"),
        *("configMapGenerator", "secretGenerator", "replacements", "vars", "commonLabels", "transformers"),
        *("generators", "sortOptions", "openapi", "crds", "configurations", "buildMetadata", "validators"),
        *("patchesJson6902", "patchesStrategicMerge"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_FIELDS, _VALUES, max_size=3))
def test_any_value_of_any_field_is_built_or_refused(fields: dict[str, object]) -> None:
    document = {"resources": ["p.yaml"], **fields}
    tree = MemoryTree({"kustomization.yaml": json.dumps(document).encode(), "p.yaml": POD})

    try:
        build("", tree).to_yaml()
    except InputError as err:
        assert err.at is not None


def test_a_file_that_a_symlink_takes_from_above_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "p.yaml").write_bytes(POD)
    (tmp_path / "site/p.yaml").symlink_to("../p.yaml")
    (tmp_path / "site/kustomization.yaml").write_text("resources: [p.yaml]\n")

    with pytest.raises(InputError, match="in or below 'site'"):
        Renderer(WorkingTree(tmp_path)).build("site")


def test_a_symlink_that_leads_round_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/again").symlink_to("../site")
    (tmp_path / "site/kustomization.yaml").write_text("resources: [again]\n")

    with pytest.raises(InputError, match="no cycle") as caught:
        Renderer(WorkingTree(tmp_path)).build("site")

    assert str(caught.value.at) == "site/kustomization.yaml:1:13"
