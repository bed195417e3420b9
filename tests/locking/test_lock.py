"""`wayside images lock` with a real registry: what it writes, and what it leaves alone."""

import json
import secrets
from pathlib import Path

import pytest
import yaml

from reconciler.cli.main import main
from reconciler.images.evidence import digest_of, evidence_path
from tests.cli.fleets import git
from tests.cluster.fixtures import MakeRegistry
from tests.cluster.registry import Registry
from tests.images import documents as made
from tests.images.pushing import Pusher
from tests.locking.fleets import FLEET, SITE, write_fleet

BOTH = ("linux/amd64", "linux/arm64")


def lock(root: Path, *arguments: str) -> int:
    return main(["images", "lock", str(root), *arguments])


def entries(root: Path) -> dict[str, dict[str, object]]:
    text = (root / "images.lock").read_text()
    return {f"{entry['name']}:{entry.get('tag', '')}": entry for entry in yaml.safe_load(text)["images"]}


def evidence_files(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (root / "evidence/sha256").iterdir()}


@pytest.fixture
def repository() -> str:
    return f"lock-{secrets.token_hex(4)}/app"


@pytest.fixture
def pusher(registry: Registry) -> Pusher:
    return Pusher(registry.url)


def test_a_tag_is_locked_with_platforms_sizes_and_evidence(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = pusher.image(repository, "1.0", BOTH)
    image = f"{registry.host}/{repository}:1.0"
    root = write_fleet(tmp_path, {"market": [image], "harbour": [image]})
    assert lock(root) == 0
    assert "1 new" in capsys.readouterr().out
    entry = entries(root)[image]
    assert entry["digest"] == digest_of(documents[0])
    assert entry["platforms"] == [
        {"platform": "linux/amd64", "digest": digest_of(documents[1]), "size": len(b"layer linux/amd64")},
        {"platform": "linux/arm64", "digest": digest_of(documents[2]), "size": len(b"layer linux/arm64")},
    ]
    assert sorted(evidence_files(root).values()) == sorted(documents)
    assert all(digest_of(content)[7:] == name for name, content in evidence_files(root).items())
    assert main(["check", str(root)]) == 0


def test_nothing_is_asked_and_nothing_written_where_nothing_changed(
    tmp_path: Path, own_registry: MakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = own_registry()
    Pusher(registry.url).image("app", "1.0", BOTH)
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/app:1.0"]})
    assert lock(root) == 0
    before = (root / "images.lock").stat()
    registry.stop()
    assert lock(root) == 0
    after = (root / "images.lock").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert lock(root, "--check") == 0
    assert "images.lock is current: 1 unchanged" in capsys.readouterr().out


def test_a_tag_moves_only_where_that_is_asked_for(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [f"{registry.host}/{repository}:{tag}" for tag in ("1", "2")]
    for tag in ("1", "2"):
        pusher.image(repository, tag, BOTH)
    root = write_fleet(tmp_path, {"market": images})
    assert lock(root) == 0
    moved = [pusher.image(repository, tag, BOTH, layer=b"moved")[0] for tag in ("1", "2")]
    before = entries(root)
    assert lock(root) == 0
    assert lock(root, "--check") == 0
    assert entries(root) == before
    assert lock(root, "--check", "--update") == 1
    assert entries(root) == before
    capsys.readouterr()
    assert lock(root, "--update", images[0]) == 0
    assert capsys.readouterr().out.startswith("~ ")
    assert entries(root)[images[0]]["digest"] == digest_of(moved[0])
    assert entries(root)[images[1]] == before[images[1]]
    assert lock(root, "--update", f"*/{repository}") == 0
    assert entries(root)[images[1]]["digest"] == digest_of(moved[1])


def test_a_name_that_no_site_uses_is_not_updated_in_silence(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    pusher.image(repository, "1", BOTH)
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]})
    assert lock(root, "--update", "acme/typo") == 2
    assert "no site uses an image 'acme/typo'" in capsys.readouterr().err
    assert not (root / "images.lock").exists()


def test_check_names_what_is_not_locked_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fleet(tmp_path, {"market": ["127.0.0.1:1/app:1"]})
    assert lock(root, "--check") == 1
    assert "127.0.0.1:1/app:1 is not in images.lock" in capsys.readouterr().out
    assert not (root / "evidence").exists()


def test_nothing_is_written_where_one_image_is_missing(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    pusher.image(repository, "1", BOTH)
    images = [f"{registry.host}/{repository}:1", f"{registry.host}/{repository}:missing"]
    root = write_fleet(tmp_path, {"market": images})
    assert lock(root) == 1
    shown = capsys.readouterr().err
    assert f"error[image-missing]: {images[1]}: {registry.host} has no {images[1]}" in shown
    assert "1 image could not be resolved; nothing is written" in shown
    assert not (root / "images.lock").exists()
    assert not (root / "evidence").exists()


def test_missing_and_altered_evidence_is_fetched_again_and_the_tag_stays(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher
) -> None:
    pusher.image(repository, "1", BOTH)
    image = f"{registry.host}/{repository}:1"
    root = write_fleet(tmp_path, {"market": [image]})
    assert lock(root) == 0
    text, files = (root / "images.lock").read_bytes(), evidence_files(root)
    first, second, *_ = sorted(files)
    (root / "evidence/sha256" / first).unlink()
    (root / "evidence/sha256" / second).write_bytes(b"{}")
    pusher.image(repository, "1", BOTH, layer=b"moved meanwhile")
    assert lock(root, "--check") == 1
    assert lock(root) == 0
    assert evidence_files(root) == files
    assert (root / "images.lock").read_bytes() == text


def test_what_a_lock_says_wrongly_of_platforms_and_sizes_is_put_right(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher
) -> None:
    pusher.image(repository, "1", BOTH)
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]})
    assert lock(root) == 0
    file = root / "images.lock"
    right = file.read_text()
    file.write_text(right.replace("size: 17", "size: 1"))
    assert lock(root, "--check") == 1
    assert lock(root) == 0
    assert file.read_text() == right


def test_comments_stay_and_entries_that_nobody_uses_go(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher
) -> None:
    for tag in ("1", "2", "3"):
        pusher.image(repository, tag, BOTH)
    name = f"{registry.host}/{repository}"
    root = write_fleet(tmp_path, {"market": [f"{name}:1", f"{name}:3"]})
    assert lock(root) == 0
    file = root / "images.lock"
    text = file.read_text()
    text = text.replace('    tag: "1"\n', '    tag: "1"  # until the till is updated\n')
    text = text.replace("  - name:", "  # the till's own\n  - name:", 1)
    file.write_text(text + "# the end\n")
    write_fleet(root, {"market": [f"{name}:1", f"{name}:2"]})
    assert lock(root) == 0
    written = file.read_text()
    assert written.count("# the till's own\n  - name:") == 1
    assert '    tag: "1"  # until the till is updated\n' in written
    assert written.endswith("# the end\n")
    assert [entry["tag"] for entry in entries(root).values()] == ["1", "2"]
    pusher.image(repository, "1", BOTH, layer=b"moved")
    assert lock(root, "--update") == 0
    assert '    tag: "1"  # until the till is updated\n' in file.read_text()


def test_evidence_that_nothing_leads_to_is_pruned(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    old = pusher.image(repository, "1", BOTH)
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]})
    assert lock(root) == 0
    new = pusher.image(repository, "1", BOTH, layer=b"new")
    assert lock(root, "--update") == 0
    assert set(evidence_files(root).values()) == {*old, *new}
    assert main(["images", "prune", str(root), "--dry-run"]) == 0
    assert set(evidence_files(root).values()) == {*old, *new}
    assert main(["images", "prune", str(root)]) == 0
    assert "3 evidence files deleted" in capsys.readouterr().out  # the configs are the same
    assert set(evidence_files(root).values()) == set(new)
    assert lock(root, "--check") == 0


@pytest.mark.parametrize("content", [None, b"<html>"], ids=["missing", "altered"])
def test_nothing_is_pruned_while_nobody_knows_where_evidence_leads(
    content: bytes | None,
    *,
    tmp_path: Path,
    registry: Registry,
    repository: str,
    pusher: Pusher,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = pusher.image(repository, "1", BOTH)[0]
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]})
    assert lock(root) == 0
    place = root / evidence_path(digest_of(index))
    if content is None:
        place.unlink()
    else:
        place.write_bytes(content)
    before = evidence_files(root)
    assert main(["images", "prune", str(root)]) == 2
    assert "nothing was deleted" in capsys.readouterr().err
    assert evidence_files(root) == before


def test_images_of_custom_resources_wasm_artifacts_and_digests_are_locked(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher
) -> None:
    config = made.encode({"architecture": "wasm", "os": "wasip2", "layerDigests": []})
    wasm = made.manifest(
        config,
        [("module", 6)],
        config_type="application/vnd.wasm.config.v0+json",
        layer_type="application/wasm",
    )
    for content in (config, b"module"):
        pusher.blob(f"{repository}-wasm", content)
    pusher.manifest(f"{repository}-wasm", "1", wasm)
    index = pusher.image(repository, "1", BOTH)[0]
    fleet = FLEET + "spec:\n  workloads: [{kind: SpinApp.core.spinkube.dev, image: spec.image}]\n"
    by_digest = f"{registry.host}/{repository}@{digest_of(index)}"
    root = write_fleet(tmp_path, {"market": [by_digest]}, fleet=fleet)
    with (root / "sites/market/pods.yaml").open("a") as pods:
        pods.write(
            "---\napiVersion: core.spinkube.dev/v1alpha1\nkind: SpinApp\nmetadata: {name: a}\n"
            f"spec: {{image: '{registry.host}/{repository}-wasm:1'}}\n"
            "---\napiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: b}\n"
            f"spec: {{template: {{spec: {{containers: [{{image: '{registry.host}/{repository}:1'}}]}}}}}}\n"
        )
    assert lock(root) == 0
    found = entries(root)
    assert set(found) == {
        f"{registry.host}/{repository}:",
        f"{registry.host}/{repository}:1",
        f"{registry.host}/{repository}-wasm:1",
    }
    assert [each["platform"] for each in found[f"{registry.host}/{repository}-wasm:1"]["platforms"]] == [  # type: ignore[attr-defined] # plain YAML
        "wasip2/wasm"
    ]
    rendered = main(["images", "list", str(root), "--format", "json"])
    assert rendered == 0


def test_images_that_keep_their_tags_are_not_locked(tmp_path: Path) -> None:
    fleet = FLEET + "spec: {images: {keepTags: [{image: '*/dev/*', reason: built on the box}]}}\n"
    unpinned = SITE.format(name="depot") + "  images: {pin: false}\n"
    root = write_fleet(
        tmp_path,
        {"market": ["127.0.0.1:1/dev/app:1"], "depot": ["127.0.0.1:1/other:1"]},
        fleet=fleet,
        extra={"sites/depot/site.yaml": unpinned},
    )
    assert lock(root) == 0
    assert not (root / "images.lock").exists()


def test_the_list_names_sites_platforms_and_sizes(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    pusher.image(repository, "1", BOTH)
    image = f"{registry.host}/{repository}:1"
    root = write_fleet(tmp_path, {"market": [image], "harbour": [image, "127.0.0.1:1/other:1"]})
    write_fleet(root, {"market": [image], "harbour": [image]})
    assert lock(root) == 0
    write_fleet(root, {"market": [image], "harbour": [image, "127.0.0.1:1/other:1"]})
    capsys.readouterr()
    assert main(["images", "list", str(root)]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["IMAGE", "SITES", "PLATFORMS", "SIZE", "SIGNERS", "AGE"]
    mine = next(row for row in rows if row.startswith(image))
    assert "harbour, market" in mine
    assert "linux/amd64, linux/arm64  17 B" in mine
    assert any(row.startswith("127.0.0.1:1/other:1") and "not locked" in row for row in rows)
    assert main(["images", "list", str(root), "--site", "market", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["image"] for row in listed] == [image]
    assert listed[0]["platforms"][0] == {"platform": "linux/amd64", "size": 17}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images: 7\n", "expected"),
        ("images: [{name: a, tag: x, digest: 'sha256:../../etc', platforms: []}]\n", "a digest"),
        ("a: &a [*a]\n", "expected"),
        ("images: []\n---\nimages: []\n", "one document"),
        ("\0", "expected"),
    ],
    ids=["no list", "a path as digest", "a loop", "two documents", "binary"],
)
def test_a_lock_that_cannot_be_read_is_not_written_over(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fleet(tmp_path, {"market": ["127.0.0.1:1/app:1"]})
    (root / "images.lock").write_text(text)
    assert lock(root) == 1
    shown = capsys.readouterr().err
    assert "images.lock" in shown
    assert "nothing is written" in shown
    assert message in shown
    assert (root / "images.lock").read_text() == text


def test_a_site_that_cannot_be_rendered_keeps_the_lock_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fleet(tmp_path, {"market": ["127.0.0.1:1/app:1"]})
    (root / "sites/market/pods.yaml").unlink()
    assert lock(root) == 1
    assert "error[render]" in capsys.readouterr().err
    assert not (root / "images.lock").exists()


def test_evidence_is_not_written_through_a_symlink_that_leads_out(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    pusher.image(repository, "1", BOTH)
    root = write_fleet(tmp_path / "fleet", {"market": [f"{registry.host}/{repository}:1"]})
    (tmp_path / "outside").mkdir()
    (root / "evidence").symlink_to(tmp_path / "outside")
    assert lock(root) == 2
    assert "leads out of the fleet" in capsys.readouterr().err
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (root / "images.lock").exists()


def test_missing_and_altered_evidence_is_found_on_the_line_of_the_lock(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = pusher.image(repository, "1", BOTH)
    image = f"{registry.host}/{repository}:1"
    root = write_fleet(tmp_path, {"market": [image], "harbour": [image]})
    assert lock(root) == 0
    for content in documents[1:3]:
        (root / "evidence/sha256" / digest_of(content)[7:]).write_bytes(content + b" ")
    capsys.readouterr()
    assert main(["check", str(root), "--format", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    found = [each for each in findings if each["rule"] == "evidence-complete"]
    assert len(found) == 2
    assert {each["location"]["path"] for each in found} == {"images.lock"}
    assert {each["location"]["line"] for each in found} == {3}
    assert all(each["sites"] == ["harbour", "market"] for each in found)
    assert all("expected content with the digest" in each["message"] for each in found)
    assert "image-platforms" in {each["rule"] for each in findings}


def test_what_the_lock_says_of_platforms_is_not_believed(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    pusher.image(repository, "1", ("linux/amd64",))
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]})
    assert lock(root) == 0
    file = root / "images.lock"
    file.write_text(file.read_text().replace("linux/amd64", "linux/arm64"))
    capsys.readouterr()
    assert main(["check", str(root), "--format", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    messages = {each["rule"]: each["message"] for each in findings}
    assert "has no build for linux/arm64" in messages["image-platforms"]
    assert "images.lock is not current" in messages["lock-current"]


def test_layers_that_the_base_has_are_free_and_the_report_says_what_is_pulled(
    tmp_path: Path, registry: Registry, repository: str, pusher: Pusher, capsys: pytest.CaptureFixture[str]
) -> None:
    def push(tag: str, layers: list[bytes]) -> None:
        config = made.config("linux/arm64")
        for content in (config, *layers):
            pusher.blob(repository, content)
        pusher.manifest(
            repository, tag, made.manifest(config, [(each.decode(), len(each)) for each in layers])
        )

    push("1", [b"b" * 5000])
    push("2", [b"b" * 5000, b"new" * 100])
    site = SITE.format(name="market") + '  budgets: {download: "1000"}\n'
    extra = {"sites/market/site.yaml": site}
    root = write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:1"]}, extra=extra)
    assert lock(root) == 0
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    write_fleet(tmp_path, {"market": [f"{registry.host}/{repository}:2"]}, extra=extra)
    assert lock(root) == 0
    capsys.readouterr()
    assert main(["check", str(root), "--base", "main", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sites"][0]["download"] == report["summary"]["download"] == 300
    assert main(["check", str(root)]) == 1
    shown = capsys.readouterr().out
    assert "a rollout pulls 5.2 KiB, all of its images, and the site's budget for one is 1000 B" in shown
    assert "a rollout pulls 5.2 KiB of images: market 5.2 KiB" in shown
