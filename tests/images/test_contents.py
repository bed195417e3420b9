"""What an image is made of is computed from bytes, and from nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents.tree import MemoryTree
from reconciler.images.contents import read_contents
from reconciler.images.evidence import Evidence, digest_of, evidence_path
from reconciler.images.manifest import ManifestError, parse_config, parse_document
from tests.images import documents as made


def problems(*contents: bytes) -> list[str]:
    return [each.message for each in read_contents(digest_of(contents[0]), made.evidence(*contents)).problems]


def test_an_index_tells_platforms_layers_and_sizes() -> None:
    documents = made.image("linux/amd64", "linux/arm/v7", layers=[("base", 100), ("app", 23)])
    found = read_contents(digest_of(documents[0]), made.evidence(*documents))
    assert [(build.platform, build.size) for build in found.builds] == [
        ("linux/amd64", 123),
        ("linux/arm/v7", 123),
    ]
    assert found.problems == ()
    assert found.evidence == tuple(sorted(digest_of(each) for each in documents))
    assert not found.artifact


@pytest.mark.parametrize(
    ("media_type", "config_type"),
    [(made.OCI_MANIFEST, made.OCI_CONFIG), (made.DOCKER_MANIFEST, made.DOCKER_CONFIG)],
    ids=["OCI", "Docker v2"],
)
def test_an_image_without_an_index_is_known_by_its_config(media_type: str, config_type: str) -> None:
    config = made.config("linux/arm64/v8")
    manifest = made.manifest(config, media_type=media_type, config_type=config_type)
    found = read_contents(digest_of(manifest), made.evidence(manifest, config))
    assert [(build.platform, build.digest) for build in found.builds] == [
        ("linux/arm64", digest_of(manifest))
    ]


def test_a_docker_manifest_list_is_an_index() -> None:
    config = made.config("linux/amd64")
    manifest = made.manifest(config, media_type=made.DOCKER_MANIFEST, config_type=made.DOCKER_CONFIG)
    listed = made.index(
        [(manifest, {"platform": made.platform("linux/amd64")})],
        media_type=made.DOCKER_LIST,
        entry_type=made.DOCKER_MANIFEST,
    )
    found = read_contents(digest_of(listed), made.evidence(listed, manifest, config))
    assert [build.platform for build in found.builds] == ["linux/amd64"]


def test_a_layer_that_is_there_twice_is_pulled_once() -> None:
    config = made.config("linux/amd64")
    manifest = made.manifest(config, [("same", 10), ("same", 10), ("other", 1)])
    found = read_contents(digest_of(manifest), made.evidence(manifest, config))
    assert found.builds[0].size == 11


def test_attestations_of_a_build_tool_are_no_platform() -> None:
    documents = made.image("linux/amd64")
    attestation = made.manifest(made.encode({}), config_type="application/vnd.oci.image.config.v1+json")
    entries = [
        (documents[1], {"platform": made.platform("linux/amd64")}),
        (
            attestation,
            {
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
        ),
    ]
    index = made.index(entries)
    found = read_contents(digest_of(index), made.evidence(index, *documents[1:]))
    assert [build.platform for build in found.builds] == ["linux/amd64"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("config", "config_type", "layer_type", "wanted"),
    [
        (
            {"architecture": "wasm", "os": "wasip2", "layerDigests": []},
            "application/vnd.wasm.config.v0+json",
            "application/wasm",
            "wasip2/wasm",
        ),
        (
            {},
            "application/vnd.wasm.config.v1+json",
            "application/vnd.wasm.content.layer.v1+wasm",
            "wasi/wasm",
        ),
        (
            {},
            "application/vnd.unknown.config.v1+json",
            "application/vnd.module.wasm.content.layer.v1+wasm",
            "wasi/wasm",
        ),
        ({"architecture": "wasm", "os": "wasi"}, made.OCI_CONFIG, made.OCI_LAYER, "wasi/wasm"),
    ],
    ids=["CNCF artifact", "wasm-to-oci", "module layer", "image for wasi/wasm"],
)
def test_wasm_artifacts_are_built_for_wasm(
    config: dict[str, Any], config_type: str, layer_type: str, wanted: str
) -> None:
    content = made.encode(config)
    manifest = made.manifest(content, config_type=config_type, layer_type=layer_type)
    found = read_contents(digest_of(manifest), made.evidence(manifest, content))
    assert [build.platform for build in found.builds] == [wanted]
    assert not found.artifact


def test_an_artifact_is_built_for_no_platform() -> None:
    content = b"{}"
    manifest = made.manifest(
        content,
        config_type="application/vnd.oci.empty.v1+json",
        layer_type="application/vnd.example.model",
        artifactType="application/vnd.example.model",
    )
    found = read_contents(digest_of(manifest), made.evidence(manifest, content))
    assert found.artifact
    assert [build.platform for build in found.builds] == [""]
    assert found.problems == ()


def test_each_piece_of_evidence_that_is_missing_is_told_and_the_rest_is_known() -> None:
    documents = made.image("linux/amd64", "linux/arm64")
    without = [each for number, each in enumerate(documents) if number != 2]
    found = read_contents(digest_of(documents[0]), made.evidence(*without))
    assert [(each.code, each.path) for each in found.problems] == [
        ("evidence-missing", evidence_path(digest_of(documents[2])))
    ]
    assert [build.platform for build in found.builds] == ["linux/amd64"]


def test_altered_evidence_is_told_and_not_believed() -> None:
    documents = made.image("linux/amd64")
    files = {evidence_path(digest_of(each)): each for each in documents}
    files[evidence_path(digest_of(documents[1]))] = documents[1].replace(b"100", b"1")
    found = read_contents(digest_of(documents[0]), Evidence(MemoryTree(files)))
    assert [each.code for each in found.problems] == ["evidence-altered"]
    assert found.builds == ()


def test_an_index_that_lists_a_platform_twice_is_refused() -> None:
    one, other = made.image("linux/arm64"), made.image("linux/arm64", layers=[("other", 5)])
    entries = [
        (one[1], {"platform": made.platform("linux/arm64")}),
        (other[1], {"platform": made.platform("linux/arm64/v8")}),
    ]
    index = made.index(entries)
    found = read_contents(digest_of(index), made.evidence(index, *one[1:], *other[1:]))
    assert "expected each platform once in an index, found linux/arm64 twice" in found.problems[0].message
    assert found.builds == ()


def test_two_builds_for_two_versions_of_windows_are_no_contradiction() -> None:
    configs = [made.encode({"os": "windows", "architecture": "amd64", "os.version": v}) for v in "12"]
    manifests = [made.manifest(each) for each in configs]
    index = made.index(
        [
            (each, {"platform": {"os": "windows", "architecture": "amd64", "os.version": version}})
            for each, version in zip(manifests, "12", strict=True)
        ]
    )
    assert problems(index, *manifests, *configs) == []


def test_an_index_that_contradicts_a_config_is_told() -> None:
    documents = made.image("linux/amd64")
    index = made.index([(documents[1], {"platform": made.platform("linux/arm64")})])
    assert "the index says linux/arm64" in problems(index, *documents[1:])[0]


def test_an_index_in_an_index_is_refused() -> None:
    documents = made.image("linux/amd64")
    outer = made.index([(documents[0], {})], entry_type=made.OCI_INDEX)
    assert "found an index in an index" in problems(outer, *documents)[0]


def test_sizes_of_documents_are_compared() -> None:
    documents = made.image("linux/amd64")
    value = json.loads(documents[0])
    value["manifests"][0]["size"] += 1
    index = made.encode(value)
    assert "bytes of sha256:" in problems(index, *documents[1:])[0]


def test_an_index_of_more_images_than_anybody_builds_is_refused() -> None:
    value = json.loads(made.index([]))
    value["manifests"] = [
        {"mediaType": made.OCI_MANIFEST, "digest": digest_of(str(number).encode()), "size": 2}
        for number in range(129)
    ]
    assert problems(made.encode(value)) == ["expected at most 128 images in an index, found 129"]


_GOOD = json.loads(made.manifest(b"{}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a manifest as JSON"),
        (b"<!DOCTYPE html><html>", "expected a manifest as JSON, found HTML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "JSON object"),
        (b"{}", "schemaVersion 2, found nothing"),
        (b'{"schemaVersion": 1}', "schema 1"),
        (b'{"schemaVersion": 2}', "neither manifests nor config"),
        (b'{"schemaVersion": 2, "mediaType": "text/html"}', "the media type 'text/html'"),
        (b'{"schemaVersion": 2, "layers": [], "manifests": []}', "is both"),
        (b'{"schemaVersion": 2, "layers": []}', "the field config"),
        (b'{"schemaVersion": 2, "manifests": 7}', "a list in manifests, found 7"),
        (b'{"schemaVersion": 2, "manifests": [7]}', "an object in manifests[0]"),
        (b'{"schemaVersion": 2, "manifests": [{"digest": "x", "size": 1}]}', "a digest in manifests[0]"),
        (b'{"schemaVersion": 2, "schemaVersion": 2}', "each key once, found 'schemaversion' twice"),
        (b'{"schemaVersion": 2, "manifests": [], "Manifests": []}', "'manifests' twice"),
        (b"[" * 100_000, "expected a manifest as JSON"),
        (b'{"schemaVersion": NaN}', "the constant NaN"),
        (b'{"schemaVersion": ' + b"9" * 10_000 + b"}", "expected"),
        (made.encode({**_GOOD, "config": None}), "an object in config"),
        (made.encode({**_GOOD, "layers": [{"digest": "sha256:" + "0" * 64, "size": -1}]}), "found -1"),
        (made.encode({**_GOOD, "layers": [{"digest": "sha256:" + "0" * 64, "size": True}]}), "found True"),
        (made.encode({**_GOOD, "layers": [{}] * 1001}), "at most 1000 entries in layers, found 1001"),
        (made.encode({**_GOOD, "annotations": {"a": 1}}), "texts in annotations"),
        (b" " * (4 * 1024 * 1024 + 1), "expected at most 4194304 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_manifest_is_refused_with_its_reason(content: bytes, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_document(content)
    assert message in caught.value.message
    assert len(caught.value.message) < 300


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(_GOOD),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [*_GOOD, "manifests", "digest", "size", "platform", "os", "architecture", "subject"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    for parse in (parse_document, parse_config):
        try:
            parse(content)
        except ManifestError as err:
            assert len(err.message) < 400


@settings(deadline=None)
@given(_JSON)
def test_any_evidence_gives_contents_or_problems(value: Any) -> None:
    content = json.dumps(value).encode()
    documents = made.image("linux/amd64")
    changed = {**json.loads(documents[1]), "config": made.descriptor(content, made.OCI_CONFIG)}
    manifest = made.encode(changed)
    for root in (content, manifest):
        found = read_contents(digest_of(root), made.evidence(root, manifest, content, *documents))
        assert found.builds or found.problems or b"manifests" in root
