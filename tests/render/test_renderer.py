"""Many overlays of one tree: nothing is read, parsed or built twice, and nothing stale is kept."""

from __future__ import annotations

import pickle
import random

import pytest

from reconciler.documents.tree import EntryType, MemoryTree
from reconciler.errors import InputError, RenderError
from reconciler.render import Renderer
from tests.render.cases import load_cases

FILES = {
    "base/kustomization.yaml": b"resources: [a.yaml]\nconfigMapGenerator: [{name: c, files: [c.txt]}]\n",
    "base/a.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: base}\n",
    "base/c.txt": b"text\n",
    "one/kustomization.yaml": b"resources: [../base]\nnamePrefix: one-\n",
    "two/kustomization.yaml": b"resources: [../base]\nnamePrefix: two-\npatches: [{path: p.yaml}]\n",
    "two/p.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: two}\n",
    "unrelated.txt": b"x",
}


class CountingTree(MemoryTree):
    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.reads: list[str] = []

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        return super().read(path)

    def content_id(self, path: str) -> str:
        return str(hash(self._files.get(path, b"")))

    def entry_type(self, path: str) -> EntryType | None:
        return super().entry_type(path)


def test_each_file_is_read_once_for_all_overlays() -> None:
    tree = CountingTree(FILES)
    renderer = Renderer(tree)

    for directory in ("one", "two", "one"):
        renderer.build(directory)

    assert sorted(tree.reads) == sorted(path for path in FILES if path != "unrelated.txt")


def test_the_inputs_of_a_build_are_exact() -> None:
    renderer = Renderer(MemoryTree(FILES))
    renderer.build("one")

    base = {"base/kustomization.yaml", "base/a.yaml", "base/c.txt"}
    assert renderer.build("one").inputs == {*base, "one/kustomization.yaml"}
    assert renderer.build("two").inputs == {*base, "two/kustomization.yaml", "two/p.yaml"}


def test_an_overlay_leaves_the_base_as_it_is_for_the_next_one() -> None:
    alone = Renderer(MemoryTree(FILES)).build("one").to_yaml()
    renderer = Renderer(MemoryTree(FILES))
    renderer.build("two")

    assert renderer.build("one").to_yaml() == alone


@pytest.mark.parametrize("told", [True, False], ids=["changed-paths-given", "changed-paths-found-out"])
@pytest.mark.parametrize(
    ("change", "rebuilt"),
    [
        pytest.param({"unrelated.txt": b"y"}, set(), id="nothing-that-counts"),
        pytest.param({"two/p.yaml": FILES["two/p.yaml"].replace(b"two", b"new")}, {"two"}, id="a-patch"),
        pytest.param({"base/c.txt": b"new"}, {"one", "two"}, id="a-file-of-a-generator"),
        pytest.param({"one/kustomization.yml": b"resources: []\n"}, {"one"}, id="a-second-kustomization"),
        pytest.param({"base/a.yaml": None}, {"one", "two"}, id="a-file-is-gone"),
        pytest.param({"base/new.yaml": b"x"}, set(), id="a-file-that-nobody-names"),
    ],
)
def test_only_what_reads_a_changed_file_is_built_again(
    change: dict[str, bytes | None], rebuilt: set[str], *, told: bool
) -> None:
    before = Renderer(MemoryTree(FILES))
    for directory in ("one", "two"):
        before.build(directory)
    files = {path: data for path, data in {**FILES, **change}.items() if data is not None}

    after = before.at(MemoryTree(files), changed=list(change) if told else None)

    assert {directory for directory in ("one", "two") if not after.is_built(directory)} == rebuilt
    for directory in ("one", "two"):
        try:
            fresh = Renderer(MemoryTree(files)).build(directory).to_yaml()
        except RenderError as err:
            with pytest.raises(RenderError, match=err.code and "expected"):
                after.build(directory)
        else:
            assert after.build(directory).to_yaml() == fresh


def test_a_result_can_go_to_another_process() -> None:
    result = Renderer(MemoryTree(FILES)).build("one")

    copy = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes

    assert copy.to_yaml() == result.to_yaml()
    with pytest.raises(LookupError, match="another process"):
        copy.origin(next(iter(copy)), ("data", "x"))


def test_a_failed_build_is_not_remembered() -> None:
    renderer = Renderer(MemoryTree({"x/kustomization.yaml": b"resources: [nope.yaml]\n"}))

    for _ in range(2):
        with pytest.raises(RenderError):
            renderer.build("x")
    assert not renderer.is_built("x")


def test_the_memo_is_used_for_bases() -> None:
    renderer = Renderer(MemoryTree(FILES))
    renderer.build("one")

    assert list(renderer._memo) == ["base"]


def outcome(renderer: Renderer, directory: str) -> str:
    try:
        return renderer.build(directory).to_yaml()
    except InputError as err:
        return f"{err.at}: {err.message}"


@pytest.mark.parametrize("told", [False, True], ids=["compared", "told-what-changed"])
def test_another_revision_gives_what_a_new_renderer_gives(told: bool) -> None:
    chance = random.Random(8)  # noqa: S311 - changes, not secrets
    kept = 0
    for case in load_cases()[::3]:
        files = {path: text.encode() for path, text in case.files.items()}
        folders = sorted({path.rpartition("/")[0] for path in files if path.endswith("kustomization.yaml")})
        if not folders:
            continue
        before = Renderer(MemoryTree(files))
        for folder in folders:
            outcome(before, folder)
        path = chance.choice(sorted(files))
        match chance.randint(0, 3):
            case 0:
                files.pop(path)
            case 1:
                path = f"{path.rpartition('/')[0]}/Kustomization".lstrip("/")
                files[path] = b"namePrefix: added-\n"
            case 2:
                files[path] += b"# nothing\n"
            case _:
                files[path] = files[path].replace(b"web", b"site").replace(b"a", b"b", 1)
        after = before.at(MemoryTree(files), [path] if told else None)
        kept += sum(after.is_built(folder) for folder in folders)

        for folder in folders:
            assert outcome(after, folder) == outcome(Renderer(MemoryTree(files)), folder), case.id
    assert kept
