"""Git over SSH, through proxies and with certificates, and servers that stop in the middle of an answer."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.adapters.git_source import GitSource
from reconciler.errors import SourceError
from tests.adapters.git_server import git_server
from tests.adapters.test_git_source import Upstream
from tests.cluster.pki import CertificateAuthority
from tests.cluster.process import free_port

pytestmark = pytest.mark.slow

_SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    made = Upstream(tmp_path / "upstream")
    made.commit("one")
    return made


@dataclass
class Access:
    """The two folders that come with an installation, and a clone."""

    folder: Path

    def __post_init__(self) -> None:
        self.credentials.mkdir(parents=True, exist_ok=True)
        self.trust.mkdir(exist_ok=True)

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials"

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    def source(self, url: str, *, timeout: float = 30.0, **environment: str) -> GitSource:
        return GitSource(
            url,
            reference="main",
            clone=self.folder / "clone.git",
            timeout=timeout,
            # What the machine's own variables say of loopback does not count here.
            environment={"no_proxy": "", "NO_PROXY": "", **environment},
            credentials=self.credentials,
            trust=self.trust,
        )


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path / "access")


def make_key(path: Path) -> str:
    """Make an SSH key and return its public half."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    kind, key, *_ = path.with_suffix(".pub").read_text().split()
    path.with_suffix(".pub").unlink()
    return f"{kind} {key}"


@dataclass
class SshServer:
    """A real sshd on loopback that lets the current user in by key."""

    port: int
    host_key: str
    authorized: Path

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key}\n"


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    if _SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no sshd: deploy/system-packages.sh PYTHON --test installs it")
        pytest.skip("there is no sshd: deploy/system-packages.sh PYTHON --test installs it")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path / "sshd"
    folder.mkdir()
    host_key = make_key(folder / "host")
    port = free_port()
    authorized = folder / "authorized"
    authorized.touch(mode=0o600)
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": authorized,
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
    }
    config = folder / "config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([_SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        deadline = time.monotonic() + 10
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as link:
                if link.recv(4) == b"SSH-":
                    break
            assert time.monotonic() < deadline and server.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield SshServer(port, host_key, authorized)
    finally:
        server.terminate()
        server.wait(10)


def test_a_repository_is_fetched_over_ssh_with_a_key_that_rotates_and_a_host_that_is_known(
    upstream: Upstream, access: Access, ssh_server: SshServer
) -> None:
    identity = access.credentials / "identity"
    ssh_server.authorized.write_text(make_key(identity) + "\n")
    (access.trust / "known_hosts").write_text(ssh_server.known_hosts)
    source = access.source(ssh_server.url(upstream.path))
    assert source.fetch().subject == "one"
    # The old key does not count any more; the new one comes as a file, and nothing is started anew.
    ssh_server.authorized.write_text(make_key(access.folder / "next") + "\n")
    upstream.commit("two")
    with pytest.raises(SourceError, match="Permission denied") as caught:
        source.fetch()
    assert caught.value.code == "git-failed"
    (access.folder / "next").replace(identity)
    assert source.fetch().subject == "two"
    with source.tree(source.remote_commit(), site="x") as tree:
        assert tree.read("file") == b"2"


def test_a_host_with_another_key_is_not_believed(
    upstream: Upstream, access: Access, ssh_server: SshServer
) -> None:
    ssh_server.authorized.write_text(make_key(access.credentials / "identity") + "\n")
    other = make_key(access.folder / "other")
    known = access.trust / "known_hosts"
    known.write_text(f"[127.0.0.1]:{ssh_server.port} {other}\n")
    source = access.source(ssh_server.url(upstream.path))
    with pytest.raises(SourceError, match=r"Host key verification failed|HOST IDENTIFICATION"):
        source.fetch()
    known.write_text(ssh_server.known_hosts)
    assert source.fetch().subject == "one"


class _Proxy(BaseHTTPRequestHandler):
    """A forward proxy: whole URLs for HTTP, tunnels for HTTPS."""

    asked: list[str]

    def do_CONNECT(self) -> None:
        self.asked.append(f"CONNECT {self.path}")
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self._pump, args=(far, self.connection), daemon=True)
            back.start()
            self._pump(self.connection, far)
            back.join(10)
        self.close_connection = True

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def _forward(self) -> None:
        self.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        place, _, path = self.path.removeprefix("http://").partition("/")
        host, _, port = place.partition(":")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lines = [f"{self.command} /{path} HTTP/1.0", *(f"{k}: {v}" for k, v in self.headers.items())]
        with socket.create_connection((host, int(port)), timeout=10) as far:
            far.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            self._pump(far, self.connection)
        self.close_connection = True

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Run a forward proxy; gives its URL, and what it was asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Proxy,), {"asked": asked}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_http_goes_through_the_proxy_of_the_environment(upstream: Upstream, access: Access) -> None:
    with git_server(upstream.path.parent) as (port, _), proxy() as (url, asked):
        place = f"http://127.0.0.1:{port}/upstream/.git"
        assert access.source(place, http_proxy=url).fetch().subject == "one"
        assert asked[0] == f"GET {place}/info/refs"
        count = len(asked)
        assert access.source(place, http_proxy=url, no_proxy="127.0.0.1").remote_commit()
        assert len(asked) == count


def serving(authority: CertificateAuthority, folder: Path) -> ssl.SSLContext:
    """Return what a server with a certificate by an authority shows."""
    pair = authority.issue_server(["localhost", "127.0.0.1"])
    file = folder / "server.pem"
    file.write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_https_goes_through_a_tunnel_and_follows_a_rotated_authority(
    upstream: Upstream, access: Access, tmp_path: Path
) -> None:
    first, second = CertificateAuthority.create("first"), CertificateAuthority.create("second")
    context = serving(first, tmp_path)
    authority = access.trust / "ca.crt"
    authority.write_text(first.certificate)
    with git_server(upstream.path.parent, tls=context) as (port, _), proxy() as (url, asked):
        source = access.source(f"https://localhost:{port}/upstream/.git", https_proxy=url)
        assert source.fetch().subject == "one"
        assert asked[0] == f"CONNECT localhost:{port}"
        # The server shows a certificate of a new authority, which the site is told of later.
        pair = second.issue_server(["localhost", "127.0.0.1"])
        (tmp_path / "server.pem").write_text(pair.certificate + pair.key)
        context.load_cert_chain(tmp_path / "server.pem")
        upstream.commit("two")
        with pytest.raises(SourceError, match="certificate"):
            source.fetch()
        authority.write_text(second.certificate)
        assert source.fetch().subject == "two"


@pytest.mark.parametrize(("trouble", "code"), [("cut", "git-failed"), ("hang", "git-timeout")])
def test_a_pack_that_stops_in_its_middle_leaves_what_was_there_and_comes_whole_later(
    trouble: str, code: str, upstream: Upstream, access: Access
) -> None:
    now: list[str] = []
    with git_server(upstream.path.parent, trouble=now) as (port, _):
        source = access.source(f"http://127.0.0.1:{port}/upstream/.git", timeout=3)
        before = source.fetch()
        with source.tree(before.commit, site="x") as tree:
            assert tree.read("file") == b"1"
        after = upstream.commit("two")
        now.append(trouble)
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            source.fetch()
        assert caught.value.code == code
        assert time.monotonic() - began < 15
        assert source.is_intact(before.commit)
        with source.tree(before.commit, site="x") as tree:
            assert tree.read("file") == b"1"
        now.clear()
        assert source.fetch().commit == after
        assert source.is_intact(after)
    assert not list(access.folder.glob("clone.git.new-*"))
