"""What goes wrong around a site for real: webhooks, certificates, names, clocks and disks."""

from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agent.fault_proxy import FaultProxy, fault_proxy
from tests.agent.rig import Rig, assert_contiguous, config_map, eventually, stop
from tests.agent.test_cluster import Bench
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import MakeApiServer
from tests.cluster.pki import CertificateAuthority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def proxy(control_plane: Cluster) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane.kubeconfig) as found:
        yield found


class Webhook:
    """An admission webhook with a mood: `allow`, `deny` or `hang`."""

    def __init__(self) -> None:
        self.mood = "allow"
        self.calls = 0
        self.port = 0
        self.closing = threading.Event()

    @contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        """Serve; gives the authority of its certificate."""
        authority = CertificateAuthority.create("webhook")
        pair = authority.issue_server(["127.0.0.1"])
        file = folder / "webhook.pem"
        file.write_text(pair.certificate + pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        server.block_on_close = False
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield authority.certificate
        finally:
            self.closing.set()
            server.shutdown()
            server.server_close()


def _handler(webhook: Webhook) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.calls += 1
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if webhook.mood == "hang":
                webhook.closing.wait(20)
            answer: dict[str, Any] = {"uid": asked["request"]["uid"], "allowed": webhook.mood == "allow"}
            if webhook.mood == "deny":
                answer["status"] = {"message": "no changes on Sundays", "code": 403}
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
            content = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            del format, args

    return Handler


def configuration(webhook: Webhook, authority: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "moody"},
        "webhooks": [
            {
                "name": "moody.example.org",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{webhook.port}/",
                    "caBundle": base64.b64encode(authority.encode()).decode(),
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 1,
            }
        ],
    }


def test_an_admission_webhook_that_denies_or_hangs_changes_nothing_and_holds_nothing(
    own_api_server: MakeApiServer, tmp_path: Path
) -> None:
    cluster = own_api_server()
    cluster.create_namespace("shop")
    bench = Bench(tmp_path, cluster, "shop")
    webhook = Webhook()
    bench.push({"a": "1"})
    with webhook.running(tmp_path) as authority:
        agent = bench.start("--interval", "2", target=bench.target)
        try:
            eventually(lambda: "sync.applied" in bench.types(), what="the first sync")
            path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
            cluster.request("POST", path, configuration(webhook, authority, "shop"))
            wanted = {"a": "1"}
            for mood in ("deny", "hang"):
                webhook.mood = mood
                # The server takes a moment to know its webhooks.
                probe = {"metadata": {"name": "probe"}}
                eventually(lambda p=probe: _is_refused(cluster, p), what="the webhook")  # type: ignore[misc]  # bound now
                before, webhook.calls = dict(wanted), 0
                wanted = {"a": mood, "b": mood}
                bench.push(wanted)
                sign = "sync.failed" if mood == "deny" else "webhook-away"
                eventually(lambda s=sign: s in f"{bench.types()} {bench.told()}", what=mood)  # type: ignore[misc]  # bound now
                time.sleep(6)
                assert bench.live() == before
                assert webhook.calls <= 20, f"{webhook.calls} calls"
                if mood == "deny":
                    assert bench.status().reason == "ApplyRefused"
                    assert "no changes on Sundays" in bench.status().message
                else:
                    assert "moody.example.org" in bench.status().faults["target"]
                webhook.mood = "allow"
                agent.send_signal(1)
                eventually(lambda w=wanted: bench.live() == w, within=60, what="the sync after it")  # type: ignore[misc]  # bound now
        finally:
            webhook.closing.set()
            stop(agent, within=15)
    assert "sync.rolledback" not in bench.types()
    assert_contiguous(bench.events())


def _is_refused(cluster: Cluster, thing: dict[str, Any]) -> bool:
    from tests.cluster.api import APIError

    try:
        cluster.request("POST", "/api/v1/namespaces/shop/configmaps", thing, query={"dryRun": "All"})
    except APIError:
        return True
    return False


def shown(authority: CertificateAuthority, folder: Path) -> ssl.SSLContext:
    """Return what a server shows, and asks of clients, whose certificates an authority signs."""
    pair = authority.issue_server(["127.0.0.1"])
    file = folder / "shown.pem"
    file.write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def rotated(proxy: FaultProxy, path: Path, authority: CertificateAuthority) -> None:
    """Write a kubeconfig with new certificates in it, as k3s does."""
    pair = authority.issue_client("agent")
    user = {
        "client-certificate-data": base64.b64encode(pair.certificate.encode()).decode(),
        "client-key-data": base64.b64encode(pair.key.encode()).decode(),
    }
    proxy.kubeconfig(path.with_suffix(".new"), authority=authority.certificate, user=user).replace(path)


def test_rotated_certificates_of_the_cluster_are_followed_without_a_restart(
    proxy: FaultProxy, control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, control_plane, namespace)
    first, second = CertificateAuthority.create("first"), CertificateAuthority.create("second")
    proxy.tls = shown(first, tmp_path)
    config = tmp_path / "kubeconfig"
    rotated(proxy, config, first)
    bench.push({"a": "1"})
    agent = bench.start("--interval", "2", target=f"kubeconfig:{config}")
    try:
        eventually(lambda: bench.live() == {"a": "1"}, what="the first sync")
        proxy.tls = shown(second, tmp_path)
        proxy.fault = "away"  # what is connected ends
        bench.push({"a": "2"})
        time.sleep(1)
        proxy.fault = ""
        eventually(lambda: "certificate" in bench.status().faults.get("target", ""), what="the fault")
        proxy.seen.clear()
        assert bench.live() == {"a": "1"}
        rotated(proxy, config, second)
        agent.send_signal(1)
        eventually(lambda: bench.live() == {"a": "2"}, within=60, what="the sync with new certificates")
        assert agent.poll() is None
    finally:
        stop(agent, within=10)
    assert_contiguous(bench.events())


def test_names_that_cannot_be_looked_up_are_a_fault_that_costs_little(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    agent = rig.start("--repo", "https://fleet.invalid/fleet.git", "--interval", "1", "--drift-interval", "2")
    try:
        eventually(lambda: "source" in rig.status().faults, what="the fault")
        next(rig.manifests.iterdir()).unlink()
        eventually(lambda: rig.objects() == {"a": "1"}, what="the correction meanwhile")
        time.sleep(6)
        assert rig.types().count("source.failed") == 1
        assert 1 <= rig.told().count("fleet.invalid") <= 6
    finally:
        stop(agent, within=10)
    assert "resolve" in rig.status().faults["source"]
    assert rig.once() == 0
    assert "source" not in rig.status().faults


def test_an_api_server_whose_name_cannot_be_looked_up_is_a_fault_that_costs_little(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    cluster = {"server": "https://api.invalid:6443"}
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
    }
    path = rig.folder / "kubeconfig"
    path.write_text(json.dumps(config))
    agent = rig.start("--interval", "1", target=f"kubeconfig:{path}")
    try:
        eventually(lambda: "agent started" in rig.told(), what="the start")
        eventually(lambda: "target" in rig.status().faults, what="the fault")
        time.sleep(6)
        assert "api.invalid" in rig.status().faults["target"]
        assert rig.told().count("does not answer") <= 12
    finally:
        stop(agent, within=10)


def test_a_clock_that_is_a_year_off_disturbs_neither_syncs_nor_the_lease(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, control_plane, namespace)
    target = bench.target
    right = dict(bench.environment)
    for turn, off in enumerate(("0", "365", "-365")):
        bench.environment = {**right, "WAYSIDE_TEST_DAYS_OFF": off}
        head = bench.push({"a": str(turn)})
        agent = bench.start("--interval", "1", target=target)
        try:
            eventually(lambda t=turn: bench.live() == {"a": str(t)}, what=f"the sync at {off}")  # type: ignore[misc]  # bound now
            eventually(lambda h=head: bench.status().applied == h, what="the record of it")  # type: ignore[misc]  # bound now
            eventually(lambda: bench.status().pending == 0, what="the report")
            # Another agent, whose clock is right, is kept out by what it sees, not by what times say.
            other = Bench(tmp_path / f"other-{turn}", control_plane, namespace)
            other.site, other.environment = bench.site, right
            other.repository.site = bench.site
            other.push({"a": "other"})
            assert other.once(target=target) == 2
            assert "lease" in other.told()
            assert bench.live() == {"a": str(turn)}
        finally:
            stop(agent, within=10)
    assert_contiguous(bench.events())
    years = {event["time"][:4] for event in bench.events()}
    assert len(years) == 3, "the agent's clock was never wrong"


@pytest.fixture
def small_disk(rig: Rig) -> Iterator[Path]:
    """A file system of 2 MiB where the agent keeps its state."""
    rig.state.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(rig.state)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.decode().strip()}")
    try:
        yield rig.state
    finally:
        subprocess.run(["umount", "--lazy", str(rig.state)], check=True)


def test_a_disk_that_is_full_begins_no_sync_and_the_agent_goes_on_when_there_is_room(
    rig: Rig, small_disk: Path
) -> None:
    rig.repository.commit([config_map("a", "1")])
    agent = rig.start("--interval", "1")
    try:
        eventually(lambda: rig.objects() == {"a": "1"}, what="the first sync")
        eventually(lambda: rig.status().pending == 0, what="the report")
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"), ballast.open("wb") as file:
            while True:
                file.write(os.urandom(4096))
                file.flush()
        rig.repository.commit([config_map("a", "2" * 100_000)])
        told = len(rig.told())
        time.sleep(8)
        assert rig.objects() == {"a": "1"}
        assert agent.poll() is None, rig.told()[-2000:]
        assert rig.told()[told:].count("\n") <= 30, rig.told()[told:]
        ballast.unlink()
        agent.send_signal(1)
        eventually(lambda: rig.objects() == {"a": "2" * 100_000}, within=60, what="the sync with room")
    finally:
        stop(agent, within=10)
    assert_contiguous(rig.events())
    assert "a step failed unexpectedly" not in rig.told(), rig.told()[-3000:]


def test_a_git_server_that_hangs_is_asked_seldom_and_drift_is_put_right_meanwhile(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    assert rig.once() == 0
    asked = 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"git://127.0.0.1:{server.getsockname()[1]}/fleet.git"
        agent = rig.start("--repo", url, "--git-timeout", "1", "--interval", "1", "--drift-interval", "2")
        kept = []
        try:
            next(rig.manifests.iterdir()).unlink()
            end = time.monotonic() + 12
            while time.monotonic() < end:
                try:
                    kept.append(server.accept()[0])
                    asked += 1
                except TimeoutError:
                    continue
            assert rig.objects() == {"a": "1"}
            assert 1 <= asked <= 4
            assert rig.types().count("source.failed") == 1
        finally:
            stop(agent, within=10)
            for connection in kept:
                connection.close()
