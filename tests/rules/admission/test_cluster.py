"""Beside a real API server: requests for subresources, and what `wayside export policies` writes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from reconciler.cli.main import main
from reconciler.rules.admission import AdmissionPolicy
from tests.cli.fleets import write_fleet
from tests.cluster.api import APIError
from tests.cluster.control_plane import ControlPlane
from tests.cluster.process import wait_until
from tests.rules.admission.cases import GROUP, USERS

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
_ROOT: Final = "/apis/admissionregistration.k8s.io/v1"
_POD: Final = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "registry.example/web:1"}]},
}
_DEPLOYMENT: Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": _POD["spec"]},
    },
}
_SERVICE: Final = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"ports": [{"port": 80}]},
}
_SCALE: Final = {
    "apiVersion": "autoscaling/v1",
    "kind": "Scale",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"replicas": 5},
}
_WHAT: Final = (
    "request.operation + ' ' + request.kind.group + '/' + request.kind.version + '/' + request.kind.kind "
    "+ ' ' "
    "+ request.resource.group + '/' + request.resource.version + '/' + request.resource.resource + ' ' "
    "+ request.subResource + ' ' + request.requestSubResource + ' ' + request.name + ' ' + request.namespace"
)


@pytest.fixture(scope="module")
def server(module_api_server: Callable[..., ControlPlane]) -> ControlPlane:
    server = module_api_server()
    account = {"name": "default", "namespace": "default"}
    manifests: list[tuple[str, Mapping[str, Any]]] = [
        ("/api/v1/namespaces/default/serviceaccounts", {"metadata": account}),
        ("/api/v1/namespaces/default/pods", _POD),
        ("/api/v1/namespaces/default/services", _SERVICE),
        ("/apis/apps/v1/namespaces/default/deployments", _DEPLOYMENT),
    ]
    for path, manifest in manifests:
        server.request("POST", path, manifest)
    return server


def _policy(name: str, resource: str, expression: str, message: str) -> dict[str, Any]:
    group = "apps" if resource.startswith("deployments") else ""
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["*"], "resources": [resource]}
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression, "messageExpression": message}],
        },
    }


def _binding(name: str) -> dict[str, Any]:
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def _said(server: ControlPlane, method: str, path: str, body: Mapping[str, Any] | None) -> str:
    try:
        server.request(method, path, body)
    except APIError as err:
        return str(err)
    return ""


#: Resource, what is sent, the same for the engine, an expression and its message.
Subresource: TypeAlias = tuple[str, tuple[str, str, Mapping[str, Any] | None], Mapping[str, Any], str, str]
CASES: Final = [
    pytest.param(
        (
            "deployments/scale",
            ("PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale?dryRun=All", _SCALE),
            {
                "object": _SCALE,
                "old_object": {**_SCALE, "spec": {"replicas": 2}},
                "resource": "apps/v1/deployments",
            },
            "object.spec.replicas < 3",
            "'from ' + string(oldObject.spec.replicas) + ' to ' + string(object.spec.replicas) + ' ' + "
            + _WHAT,
        ),
        id="scale",
    ),
    pytest.param(
        (
            "pods/status",
            ("PUT", "/api/v1/namespaces/default/pods/web/status?dryRun=All", _POD),
            {"object": _POD, "old_object": _POD},
            "false",
            _WHAT,
        ),
        id="status",
    ),
    pytest.param(
        (
            "pods/eviction",
            (
                "POST",
                "/api/v1/namespaces/default/pods/web/eviction?dryRun=All",
                {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": "web", "namespace": "default"},
                },
            ),
            {
                "object": {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": "web", "namespace": "default"},
                }
            },
            "object.metadata.name != 'web'",
            _WHAT,
        ),
        id="eviction",
    ),
    pytest.param(
        (
            "pods/exec",
            ("GET", "/api/v1/namespaces/default/pods/web/exec?command=sh&stdout=true", None),
            {
                "object": {"apiVersion": "v1", "kind": "PodExecOptions", "stdout": True, "command": ["sh"]},
                "operation": "CONNECT",
                "name": "web",
            },
            "object.command[0] != 'sh'",
            "object.kind + ' ' + string(object.stdout) + ' ' + " + _WHAT,
        ),
        id="exec",
    ),
    pytest.param(
        (
            "services/proxy",
            ("GET", "/api/v1/namespaces/default/services/web/proxy", None),
            {
                "object": {"apiVersion": "v1", "kind": "ServiceProxyOptions"},
                "operation": "CONNECT",
                "name": "web",
            },
            "request.subResource != 'proxy'",
            _WHAT,
        ),
        id="proxy",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_a_request_for_a_subresource_is_judged_as_the_server_judges_it(
    case: Subresource, server: ControlPlane
) -> None:
    resource, asked, given, expression, message = case
    name = resource.replace("/", "-")
    policy = _policy(name, resource, expression, message)
    server.request("POST", f"{_ROOT}/validatingadmissionpolicies", policy)
    server.request("POST", f"{_ROOT}/validatingadmissionpolicybindings", _binding(name))
    wait_until(lambda: name in _said(server, *asked), what=f"the policy for {resource}", timeout=30)
    subresource = "" if "operation" in given or resource == "pods/eviction" else resource.partition("/")[2]
    review = AdmissionPolicy.parse(policy, [_binding(name)]).review(
        **given, subresource=subresource, user_info=USERS["kubernetes-admin"]
    )
    (denial,) = review.denials
    assert denial.message in _said(server, *asked)


SITE_POLICY: Final = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  paramKind: {apiVersion: wayside.dev/v1alpha1, kind: Site}
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ["*"], resources: [replicasets]}]
  validations:
    - expression: object.spec.replicas <= size(params.spec.nodes)
      messageExpression: "'at most ' + string(size(params.spec.nodes)) + ' replicas'"
"""


def test_what_is_exported_is_applied_by_kubectl_and_refuses_what_the_engine_refuses(
    server: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", {"policies/few-replicas.yaml": SITE_POLICY})
    assert main(["export", "policies", "--fleet", str(fleet)]) == 0
    exported = capsys.readouterr().out
    server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "wayside-system"}})
    server.kubectl("apply", "--server-side", "-f", "-", input=exported)
    site = {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Site",
        "metadata": {"name": "market", "namespace": "wayside-system"},
        "spec": {
            "platform": "k3s",
            "kubernetesVersion": "1.33",
            "nodes": [
                {"name": "n", "architecture": "linux/arm64", "allocatable": {"cpu": "1", "memory": "1Gi"}}
            ],
        },
    }
    sites = "/apis/wayside.dev/v1alpha1/namespaces/wayside-system/sites"
    wait_until(lambda: not _said(server, "GET", sites, None), what="the Site kind")
    server.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(site))
    wanted: dict[str, Any] = {**_DEPLOYMENT, "kind": "ReplicaSet"}
    path = "/apis/apps/v1/namespaces/default/replicasets?dryRun=All"
    wait_until(
        lambda: "at most 1 replicas" in _said(server, "POST", path, wanted), what="the policy", timeout=60
    )
    documents = [json.loads(text) for text in _documents(server)]
    review = AdmissionPolicy.parse(documents[0], [documents[1]]).review(
        object=wanted, params=[site], user_info=USERS["kubernetes-admin"]
    )
    (denial,) = review.denials
    assert denial.message in _said(server, "POST", path, wanted)


def _documents(server: ControlPlane) -> list[str]:
    """Return the policy and its binding as the server has them, with what it has filled in."""
    kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    return [json.dumps(server.request("GET", f"{_ROOT}/{kind}/few-replicas")) for kind in kinds]
