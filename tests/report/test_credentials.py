import pytest

from reconciler.model.credentials import without_credentials
from reconciler.model.finding import Finding, Severity
from reconciler.model.location import Location

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("image bob:hunter2@ghcr.io/acme/app:1 is", "image bob:***@ghcr.io/acme/app:1 is"),
        ("bob:hunter2@localhost:5000/app", "bob:***@localhost:5000/app"),
        (
            "found 'https://bob:hunter2@git.example:8443/fleet'",
            "found 'https://bob:***@git.example:8443/fleet'",
        ),
        ("https://:hunter2@git.example", "https://:***@git.example"),
        ("https://bob:hun:ter2@git.example", "https://bob:***@git.example"),
    ],
)
def test_a_password_before_a_host_is_not_shown(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"ghcr.io/acme/app:1.2@{DIGEST}",
        f"localhost:5000/app:1@{DIGEST} is not signed",
        "app:1.2@sha256:0",
        "release@example.com",
        "mailto:release@example.com",
        "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert without_credentials(text) == text


def test_no_finding_shows_a_password() -> None:
    finding = Finding(
        "facts", Severity.ERROR, "found 'bob:hunter2@ghcr.io/acme/app'", Location("a.yaml", 1, 1)
    )
    assert "hunter2" not in repr(finding)
