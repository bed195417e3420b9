import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.fleet import load_fleet
from reconciler.model.registry import RegistrySettings

HEAD = "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\nspec:\n  images:\n"


def load(text: str, **files: bytes):  # type: ignore[no-untyped-def] # the loader's own type says it
    return load_fleet(MemoryTree({"fleet.yaml": (HEAD + text).encode(), **files}))


def test_kept_tags_and_registries_arrive_whole() -> None:
    loaded = load(
        """\
    keepTags:
      - {image: registry.local/dev/*, reason: built on the box}
    registries:
      - host: Registry.example.com:5000
        mirrors: [mirror.example.com/hub/]
        caFile: ca.crt
        plainHTTP: true
""",
        **{"ca.crt": b"PEM"},
    )
    assert loaded.findings == ()
    assert loaded.fleet is not None
    settings = loaded.fleet.images
    assert [(kept.image, kept.reason) for kept in settings.keep_tags] == [
        ("registry.local/dev/*", "built on the box")
    ]
    assert str(settings.keep_tags[0].at) == "fleet.yaml:7:9"
    assert settings.registries == (
        RegistrySettings("registry.example.com:5000", ("mirror.example.com/hub",), "PEM", plain_http=True),
    )


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("    keepTags: [{image: a/*}]\n", "reason", "fleet.yaml:6:16"),
        ("    keepTags: [{image: a/*, reason: ' '}]\n", "expected a reason", "fleet.yaml:6:37"),
        ("    registries: [{host: 'https://a.example'}]\n", "expected a host such as", "fleet.yaml:6:25"),
        ("    registries: [{host: a.example}, {host: A.example}]\n", "each registry once", "fleet.yaml:6:44"),
        ("    registries: [{host: a.example, caFile: x.crt}]\n", "no file 'x.crt'", "fleet.yaml:6:44"),
        ("    registries: [{host: a.example, caFile: ../x}]\n", "no file '../x'", "fleet.yaml:6:44"),
        (
            "    registries: [{host: a, mirrors: ['b/../c']}]\n",
            "expected a host, and a path",
            "fleet.yaml:6:38",
        ),
    ],
    ids=["no reason", "blank reason", "a URL", "twice", "no such file", "outside", "mirror path"],
)
def test_a_setting_that_is_wrong_is_found_on_its_line(text: str, message: str, at: str) -> None:
    loaded = load(text)
    assert loaded.fleet is None
    assert [str(finding.location) for finding in loaded.findings] == [at]
    assert message in loaded.findings[0].message
