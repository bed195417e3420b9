"""What registries answer wrongly is refused with its reason, and credentials go to nobody else."""

import base64
import datetime
import json
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.adapters.registry.challenge import Challenge, parse_challenges
from reconciler.adapters.registry.client import RegistryClient, make_client
from reconciler.adapters.registry.credentials import CredentialStore, credential_files
from reconciler.adapters.registry.http import Exchange, Limits
from reconciler.adapters.registry.resolver import resolve_image
from reconciler.errors import RegistryError, UsageError, WaysideError
from reconciler.images.evidence import digest_of
from reconciler.model.registry import RegistrySettings
from tests.adapters.registry.server import Reply, Request, Server, running
from tests.images import documents as made

FAST = Limits(connect=2, read=0.4, whole=2, tries=3, backoff=0.01, longest_pause=5)
INDEX = {"Content-Type": made.OCI_INDEX}


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Server]:
    with running() as found:
        yield found


def client(
    *,
    store: CredentialStore | None = None,
    registries: tuple[RegistrySettings, ...] = (),
    pauses: list[float] | None = None,
) -> RegistryClient:
    waited = pauses if pauses is not None else []
    exchange = Exchange(limits=FAST, sleep=waited.append, environ={})
    return make_client(registries, credentials=store or CredentialStore(), exchange=exchange)


def refused(server: Server, *, code: str, tag: str = "1") -> str:
    with pytest.raises(WaysideError) as caught:
        resolve_image(client(), f"{server.host}/app", tag)
    assert caught.value.code == code
    assert len(caught.value.message) < 400
    return caught.value.message


def test_an_image_is_fetched_whole(server: Server) -> None:
    documents = made.image("linux/amd64", "linux/arm64")
    server.serve("app", "1", documents)
    found = resolve_image(client(), f"{server.host}/app", "1")
    assert found.digest == digest_of(documents[0])
    assert set(found.blobs.values()) == set(documents)
    assert found.signatures == ()


ARM = made.image("linux/arm64")
TWICE = made.index(
    [(ARM[1], {"platform": made.platform("linux/arm64")})] * 1
    + [(made.image("linux/arm64", layers=[("x", 1)])[1], {"platform": made.platform("linux/arm64")})]
)
BOMB = made.encode(
    {
        "schemaVersion": 2,
        "mediaType": made.OCI_INDEX,
        "manifests": [
            {"mediaType": made.OCI_MANIFEST, "digest": digest_of(str(n).encode()), "size": 9}
            for n in range(900)
        ],
    }
)


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (Reply(body=b"<html>", headers={"Content-Type": "text/html"}), "registry-answer", "found HTML"),
        (Reply(body=b"<html>", headers=INDEX), "manifest", "as JSON, found HTML"),
        (Reply(body=b"{}", headers=INDEX, length=500), "registry-unreachable", "cut off"),
        (Reply(body=b"x", headers=INDEX, length=5_000_000), "registry-answer", "at most 4194304 bytes"),
        (Reply(body=b" " * 4_194_305, headers=INDEX), "registry-answer", "at most 4194304 bytes"),
        (
            Reply(body=ARM[0], headers={**INDEX, "Docker-Content-Digest": digest_of(b"other")}),
            "registry-answer",
            "expected content with the digest",
        ),
        (Reply(body=TWICE, headers=INDEX), "manifest", "found linux/arm64 twice"),
        (Reply(body=BOMB, headers=INDEX), "manifest", "at most 128 images"),
        (Reply(body=b"[" * 1_000_000, headers=INDEX), "manifest", "as JSON"),
        (Reply(500), "registry-unreachable", "answered 500"),
        (Reply(418), "registry-answer", "answered 418"),
        (Reply(403), "registry-denied", "does not let us read"),
        (Reply(401), "registry-denied", "does not let us read"),
        (Reply(404), "image-missing", "has no"),
        (Reply(301, headers={"Location": "/v2/app/manifests/1"}), "registry-answer", "more than 5 redirects"),
        (Reply(302, headers={"Location": "http://example.invalid/x"}), "registry-answer", "without TLS"),
        (Reply(302, headers={"Location": "file:///etc/passwd"}), "registry-answer", "without TLS"),
    ],
    ids=[
        "HTML by its type",
        "HTML by its text",
        "truncated",
        "oversized by its length",
        "oversized by its body",
        "wrong digest",
        "a platform twice",
        "manifest bomb",
        "deep JSON",
        "500",
        "418",
        "403",
        "401",
        "404",
        "redirect loop",
        "redirect without TLS",
        "redirect to a file",
    ],
)
def test_an_answer_that_is_wrong_is_refused_with_its_reason(
    server: Server, reply: Reply, code: str, message: str
) -> None:
    server.on("/v2/app/manifests/1", reply)
    assert message in refused(server, code=code)


def test_content_behind_a_digest_must_have_it(server: Server) -> None:
    documents = made.image("linux/arm64")
    server.serve("app", "1", documents)
    server.on(f"/v2/app/manifests/{digest_of(documents[1])}", Reply(body=documents[1] + b" "))
    assert "expected content with the digest" in refused(server, code="registry-answer")


def test_a_config_of_another_size_than_its_descriptor_says_is_refused(server: Server) -> None:
    documents = made.image("linux/arm64")
    server.serve("app", "1", documents)
    server.on(f"/v2/app/blobs/{digest_of(documents[2])}", Reply(body=documents[2] * 2))
    assert "expected at most" in refused(server, code="registry-answer")


def test_a_registry_that_hangs_is_given_up_and_not_asked_again(server: Server) -> None:
    release = threading.Event()
    server.on("/v2/app/manifests/1", Reply(hang=release))
    asking = client()
    try:
        for tag in ("1", "2"):
            with pytest.raises(RegistryError, match="silent for too long") as caught:
                asking.manifest(f"{server.host}/app", tag)
            assert caught.value.code == "registry-unreachable"
        assert len(server.requests) == FAST.tries
    finally:
        release.set()


def test_a_registry_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1 gave no answer: the connection failed"):
        client().manifest("127.0.0.1:1/app", "1")


@pytest.mark.parametrize(("header", "waited"), [("3", 3.0), ("", None)], ids=["Retry-After", "backoff"])
def test_a_rate_limit_is_waited_for(server: Server, header: str, waited: float | None) -> None:
    documents = made.image("linux/arm64")
    server.serve("app", "1", documents)
    answers = [
        Reply(429, headers={"Retry-After": header} if header else {}),
        Reply(body=documents[0], headers=INDEX),
    ]
    server.on("/v2/app/manifests/1", lambda _: answers.pop(0) if len(answers) > 1 else answers[0])
    pauses: list[float] = []
    assert client(pauses=pauses).manifest(f"{server.host}/app", "1") == documents[0]
    assert len(pauses) == 1
    assert waited is None or pauses[0] == pytest.approx(waited, abs=0.5)


def test_a_rate_limit_for_too_long_is_told(server: Server) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    date = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.on("/v2/app/manifests/1", Reply(429, headers={"Retry-After": date}))
    message = refused(server, code="registry-limited")
    assert "answered 429 Too Many Requests, and asks to wait 3" in message
    assert len(server.requests) == 1


def store(tmp_path: Path, **content: object) -> CredentialStore:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(content))
    return CredentialStore([file])


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def guarded(wanted: str, challenge: str, body: bytes) -> Callable[[Request], Reply]:
    def reply(request: Request) -> Reply:
        if request.headers.get("Authorization") == wanted:
            return Reply(body=body, headers=INDEX)
        return Reply(401, headers={"WWW-Authenticate": challenge})

    return reply


def test_a_name_and_password_are_shown_where_a_registry_asks(server: Server, tmp_path: Path) -> None:
    auth = basic("ann", "secret")
    server.on("/v2/app/manifests/1", guarded(f"Basic {auth}", 'Basic realm="r"', ARM[0]))
    known = store(tmp_path, auths={server.host: {"auth": auth}})
    assert client(store=known).manifest(f"{server.host}/app", "1") == ARM[0]
    assert "Authorization" not in server.requests[0].headers


def test_a_token_is_fetched_once_for_a_repository(server: Server, other: Server, tmp_path: Path) -> None:
    challenge = f'Bearer realm="http://{other.host}/token",service="reg",scope="repository:app:pull"'
    for tag in ("1", "2"):
        server.on(f"/v2/app/manifests/{tag}", guarded("Bearer t0k", challenge, ARM[0]))
    other.on("/token", Reply(body=b'{"token": "t0k"}'))
    known = store(tmp_path, auths={server.host: {"auth": basic("ann", "secret")}})
    asking = client(store=known)
    for tag in ("1", "2"):
        assert asking.manifest(f"{server.host}/app", tag) == ARM[0]
    assert [request.path for request in other.requests] == [
        "/token?service=reg&scope=repository%3Aapp%3Apull"
    ]
    assert other.requests[0].headers["Authorization"] == f"Basic {basic('ann', 'secret')}"


def test_an_identity_token_is_exchanged(server: Server, other: Server, tmp_path: Path) -> None:
    challenge = f'Bearer realm="http://{other.host}/token",service="reg"'
    server.on("/v2/app/manifests/1", guarded("Bearer t0k", challenge, ARM[0]))
    other.on("/token", Reply(body=b'{"access_token": "t0k"}'))
    known = store(tmp_path, auths={server.host: {"identitytoken": "refresh-me"}})
    assert client(store=known).manifest(f"{server.host}/app", "1") == ARM[0]
    assert other.requests[0].method == "POST"
    assert b"refresh_token=refresh-me" in other.requests[0].body


def test_credentials_are_not_shown_to_where_a_registry_redirects(
    server: Server, other: Server, tmp_path: Path
) -> None:
    auth = f"Basic {basic('ann', 'secret')}"

    def reply(request: Request) -> Reply:
        if request.headers.get("Authorization") != auth:
            return Reply(401, headers={"WWW-Authenticate": "Basic"})
        return Reply(307, headers={"Location": f"http://{other.host}/blob"})

    server.on("/v2/app/manifests/1", reply)
    other.on("/blob", Reply(body=ARM[0], headers=INDEX))
    known = store(tmp_path, auths={server.host: {"auth": basic("ann", "secret")}})
    assert client(store=known).manifest(f"{server.host}/app", "1") == ARM[0]
    assert all("Authorization" not in request.headers for request in other.requests)


def test_a_host_that_is_redirected_to_gets_nothing_by_asking_for_it(
    server: Server, other: Server, tmp_path: Path
) -> None:
    server.on("/v2/app/manifests/1", Reply(307, headers={"Location": f"http://{other.host}/x"}))
    other.on("/x", Reply(401, headers={"WWW-Authenticate": "Basic"}))
    known = store(tmp_path, auths={server.host: {"auth": basic("ann", "secret")}})
    with pytest.raises(RegistryError, match="does not let us read"):
        client(store=known).manifest(f"{server.host}/app", "1")
    assert all("Authorization" not in request.headers for request in other.requests)


def test_a_token_request_is_not_redirected(server: Server, other: Server, tmp_path: Path) -> None:
    challenge = f'Bearer realm="http://{server.host}/token"'
    server.on("/v2/app/manifests/1", Reply(401, headers={"WWW-Authenticate": challenge}))
    server.on("/token", Reply(307, headers={"Location": f"http://{other.host}/steal"}))
    known = store(tmp_path, auths={server.host: {"identitytoken": "refresh-me"}})
    with pytest.raises(RegistryError, match="redirects a request that carries credentials"):
        client(store=known).manifest(f"{server.host}/app", "1")
    assert other.requests == []


def test_credentials_are_not_shown_to_a_realm_without_tls(server: Server, tmp_path: Path) -> None:
    challenge = 'Bearer realm="http://tokens.example.com/token"'
    server.on("/v2/app/manifests/1", Reply(401, headers={"WWW-Authenticate": challenge}))
    known = store(tmp_path, auths={server.host: {"auth": basic("ann", "secret")}})
    with pytest.raises(RegistryError, match="not protected by TLS"):
        client(store=known).manifest(f"{server.host}/app", "1")


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}', b"[]", b'{"token": ""}'],
    ids=["HTML", "no token", "a number", "a header in it", "a list", "empty"],
)
def test_what_is_no_token_is_refused(server: Server, body: bytes) -> None:
    server.on(
        "/v2/app/manifests/1",
        Reply(401, headers={"WWW-Authenticate": f'Bearer realm="http://{server.host}/token"'}),
    )
    server.on("/token", Reply(body=body))
    with pytest.raises(RegistryError, match="expected a token"):
        client().manifest(f"{server.host}/app", "1")


def test_mirrors_are_asked_first_and_the_registry_where_they_fail(server: Server, other: Server) -> None:
    server.on("/v2/app/manifests/1", Reply(body=ARM[0], headers=INDEX))
    other.on("/v2/proxy/app/manifests/2", Reply(body=ARM[0], headers=INDEX))
    settings = RegistrySettings(server.host, mirrors=("127.0.0.1:1", f"{other.host}/proxy"))
    asking = client(registries=(settings,))
    assert asking.manifest(f"{server.host}/app", "1") == ARM[0]
    assert asking.manifest(f"{server.host}/app", "2") == ARM[0]
    assert [request.path for request in other.requests] == [
        "/v2/proxy/app/manifests/1",
        "/v2/proxy/app/manifests/2",
    ]
    assert [request.path for request in server.requests] == ["/v2/app/manifests/1"]


def test_plain_http_is_for_loopback_and_hosts_that_are_named() -> None:
    exchange = Exchange(plain=frozenset({"registry.lan:5000"}))
    assert (
        exchange.scheme("127.0.0.1:5000")
        == exchange.scheme("localhost")
        == exchange.scheme("[::1]:1")
        == "http"
    )
    assert exchange.scheme("registry.lan:5000") == "http"
    assert exchange.scheme("registry.lan") == exchange.scheme("127.0.0.1.example.com") == "https"


def signature(digest: str, **more: object) -> tuple[bytes, bytes]:
    payload = made.encode({"critical": {"image": {"docker-manifest-digest": digest}}})
    manifest = json.loads(made.manifest(b"{}", config_type="application/vnd.oci.empty.v1+json"))
    manifest["layers"] = [made.descriptor(payload, "application/vnd.dev.sigstore.bundle.v0.3+json")]
    return made.encode({**manifest, **more}), payload


@pytest.mark.parametrize("way", ["tag", "referrers API", "fallback tag"])
def test_signatures_are_found_however_they_are_attached(server: Server, way: str) -> None:
    documents = made.image("linux/arm64")
    digest = digest_of(documents[0])
    server.serve("app", "1", documents)
    subject = {} if way == "tag" else {"subject": made.descriptor(documents[0], made.OCI_INDEX)}
    manifest, payload = signature(digest, **subject)
    server.on(f"/v2/app/blobs/{digest_of(payload)}", Reply(body=payload))
    found = Reply(body=manifest, headers={"Content-Type": made.OCI_MANIFEST})
    server.on(f"/v2/app/manifests/{digest_of(manifest)}", found)
    # A descriptor whose artifactType is of no use.
    index = made.index([(manifest, {"artifactType": "application/vnd.oci.empty.v1+json"})])
    stem = digest.replace(":", "-")
    if way == "tag":
        server.on(f"/v2/app/manifests/{stem}.sig", found)
    elif way == "fallback tag":
        server.on(f"/v2/app/manifests/{stem}", Reply(body=index, headers=INDEX))
    else:
        server.on(f"/v2/app/referrers/{digest}", Reply(body=index, headers=INDEX))
    resolved = resolve_image(client(), f"{server.host}/app", "1")
    assert resolved.signatures == (digest_of(manifest),)
    assert {digest_of(manifest), digest_of(payload)} <= resolved.blobs.keys()


def test_what_refers_to_another_image_or_signs_nothing_is_not_kept(server: Server) -> None:
    documents = made.image("linux/arm64")
    digest = digest_of(documents[0])
    server.serve("app", "1", documents)
    foreign, _ = signature(digest, subject=made.descriptor(b"another", made.OCI_INDEX))
    sbom = made.manifest(
        b"{}",
        config_type="application/vnd.oci.empty.v1+json",
        layer_type="application/spdx+json",
        subject=made.descriptor(documents[0], made.OCI_INDEX),
    )
    for content in (foreign, sbom):
        server.on(f"/v2/app/manifests/{digest_of(content)}", Reply(body=content))
    server.on(
        f"/v2/app/referrers/{digest}",
        Reply(body=made.index([(foreign, {}), (sbom, {})]), headers=INDEX),
    )
    assert resolve_image(client(), f"{server.host}/app", "1").signatures == ()


def test_a_flood_of_referrers_is_refused(server: Server) -> None:
    documents = made.image("linux/arm64")
    server.serve("app", "1", documents)
    server.on(
        f"/v2/app/referrers/{digest_of(documents[0])}",
        Reply(body=made.index([(str(n).encode(), {}) for n in range(65)]), headers=INDEX),
    )
    assert "at most 64 documents" in refused(server, code="registry-answer")


def test_files_and_keys_of_docker_and_podman_are_understood(tmp_path: Path) -> None:
    found = store(
        tmp_path,
        auths={
            "https://index.docker.io/v1/": {"auth": basic("hub", "h")},
            "ghcr.io": {"auth": basic("host", "g")},
            "ghcr.io/acme": {"username": "org", "password": "o"},
            "empty.example": {},
        },
    )
    names = {
        (host, path): getattr(found.find(host, path), "username", None)
        for host, path in [
            ("docker.io", "library/nginx"),
            ("ghcr.io", "other/app"),
            ("ghcr.io", "acme/app"),
            ("ghcr.io", "acmex/app"),
            ("empty.example", "app"),
            ("evil-ghcr.io", "acme/app"),
        ]
    }
    assert list(names.values()) == ["hub", "host", "org", "host", None, None]


def test_the_usual_files_are_asked_in_order(tmp_path: Path) -> None:
    podman, docker = tmp_path / "run/containers/auth.json", tmp_path / ".docker/config.json"
    for file in (podman, docker):
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert credential_files(environ) == (podman, docker)
    assert credential_files({**environ, "REGISTRY_AUTH_FILE": str(docker)}) == (docker,)
    with pytest.raises(UsageError, match="no such file"):
        credential_files({"REGISTRY_AUTH_FILE": "/nowhere"})


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        "#!/bin/sh\nread server\n"
        '[ "$server" = ghcr.io ] && echo \'{"Username": "ann", "Secret": "s"}\' && exit 0\n'
        "echo 'credentials not found in native keychain'; exit 1\n"
    )
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = store(
        tmp_path, **{key: {"ghcr.io": "test", "quay.io": "test"} if key == "credHelpers" else "test"}
    )
    credentials = found.find("ghcr.io", "acme/app")
    assert credentials is not None
    assert (credentials.username, credentials.password) == ("ann", "s")
    assert "ann" not in repr(credentials)
    assert found.find("quay.io", "acme/app") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected the JSON of docker or podman"),
        ("[]", "expected the JSON of docker or podman"),
        ('{"auths": {"ghcr.io": {"auth": "%%"}}}', "expected base64 in the entry of ghcr.io"),
        ('{"credsStore": "../../bin/sh"}', "expected the name of a credential helper"),
        ('{"credsStore": "not-installed-here"}', "which is not installed"),
    ],
    ids=["cut off", "a list", "no base64", "a path as helper", "no helper"],
)
def test_a_credential_file_that_is_wrong_is_told_without_its_content(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        CredentialStore([file]).find("ghcr.io", "acme/app")
    assert "%%" not in caught.value.message


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", ()),
        ("Basic", (Challenge("basic"),)),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            (Challenge("bearer", "https://a/t", "s", "repository:a:pull,push"),),
        ),
        (
            'Negotiate, BEARER realm="a\\"b" , error=x, Basic realm=r',
            (Challenge("negotiate"), Challenge("bearer", 'a"b'), Challenge("basic", "r")),
        ),
        ('Bearer realm="unclosed', (Challenge("bearer"),)),
        ("\x00 ,,,= ", ()),
    ],
    ids=["none", "basic", "bearer", "several", "unclosed", "garbage"],
)
def test_challenges_are_parsed(header: str, wanted: tuple[Challenge, ...]) -> None:
    found = parse_challenges(header)
    assert found[: len(wanted)] == wanted
