"""A real API server, asked again for what `answers.json` says of it."""

import copy
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.rules.admission.export import exported_policies
from tests.cluster.api import APIClient, APIError
from tests.cluster.control_plane import ControlPlane, Etcd
from tests.cluster.process import wait_until
from tests.rules.admission.cases import (
    DEFINITIONS,
    GROUP,
    NAMESPACE,
    NAMESPACES,
    USERS,
    Answer,
    Case,
    answers,
    cases,
    record,
)
from tests.rules.admission.collection import collection
from tests.rules.admission.edits import Edit, accepted, edits, policy, record_accepted

RECORD: Final = bool(os.environ.get("WAYSIDE_RECORD"))
PAIRS: Final = (*cases(), *collection())
pytestmark = pytest.mark.slow  # the server takes some seconds to have all policies in force
_POLICIES: Final = f"/apis/{GROUP}/validatingadmissionpolicies"
_BINDINGS: Final = f"/apis/{GROUP}/validatingadmissionpolicybindings"
_PLURALS: Final = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "CronJob": "cronjobs",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Ingress": "ingresses",
    "Job": "jobs",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "Box": "boxes",
    "Deployment": "deployments",
    "Event": "events",
    "Limit": "limits",
    "Namespace": "namespaces",
    "NetworkPolicy": "networkpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
_WARNING: Final = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


class Asker(APIClient):
    """A client that tells a refusal and its warnings apart, and can ask in another's name."""

    def ask(self, case: Case) -> Answer:
        """Send a case's request, without any lasting effect."""
        path = _path(case.subject)
        method = {"CREATE": "POST", "UPDATE": "PUT", "DELETE": "DELETE"}[case.operation]
        if case.operation != "CREATE":
            path = f"{path}/{case.name}"
        body = None if case.object is None else dict(case.object)
        if body is not None and case.operation == "UPDATE":
            version = self.request("GET", path)["metadata"]["resourceVersion"]
            body["metadata"] = {**body["metadata"], "resourceVersion": version}
        user = USERS[case.user]
        headers: dict[str, Any] = {**self._headers, "Content-Type": "application/json"}
        if case.user != "kubernetes-admin":
            headers |= {"Impersonate-User": user["username"], "Impersonate-Uid": user["uid"]}
        fields = list(headers.items())
        if case.user != "kubernetes-admin":
            fields += [("Impersonate-Group", group) for group in user["groups"][:-1]]
        answer = self._pool.request(
            method,
            f"{self.server}{path}?dryRun=All",
            body=None if body is None else json.dumps(body),
            headers=_many(fields),
        )
        said = json.loads(answer.data)
        warnings = tuple(
            found.replace('\\"', '"').replace("\\\\", "\\")
            for found in _WARNING.findall(answer.headers.get("Warning", ""))
            if "ValidatingAdmissionPolicy" in found
        )
        if answer.status < 300:
            return Answer(allowed=True, warnings=warnings)
        _, found, message = said["message"].partition(" is forbidden: ")
        assert found, f"{case.name}: {said}"
        return Answer(allowed=False, message=message, reason=said["reason"], warnings=warnings)


def _many(fields: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    from urllib3 import HTTPHeaderDict

    headers = HTTPHeaderDict()
    for key, value in fields:
        headers.add(key, value)
    return headers


def _path(manifest: Mapping[str, Any]) -> str:
    version = str(manifest["apiVersion"])
    namespace = manifest["metadata"].get("namespace")
    return (
        ("/apis/" if "/" in version else "/api/")
        + version
        + (f"/namespaces/{namespace}" if namespace else "")
        + f"/{_PLURALS[manifest['kind']]}"
    )


@pytest.fixture(scope="module")
def server(etcd: Etcd, part: Callable[[str], Path], parts_directory: Path) -> Iterator[Asker]:
    """An API server of its own, with the policies of all cases in force."""
    plane = ControlPlane(
        part,
        name="admission",
        etcd=etcd,
        directory=parts_directory / "data" / "admission",
        logs=parts_directory / "logs",
        controllers=False,
        scheduler=False,
        kwok=False,
    )
    try:
        plane.start()
        asker = Asker.from_kubeconfig(plane.kubeconfig)
        _install(asker)
        yield asker
        asker.close()
    finally:
        plane.close()


def _install(asker: Asker) -> None:
    create = _creator(asker)
    create({"metadata": NAMESPACES[0]["metadata"], "apiVersion": "v1", "kind": "Namespace"})
    for namespace in (NAMESPACE, "default"):
        # Without it no pod is taken; the controller that makes it does not run here.
        account = {"name": "default", "namespace": namespace}
        create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
    asker.request(
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {"metadata": {"name": "alice"}, "roleRef": role, "subjects": [subject]},
    )
    for definition in DEFINITIONS:
        asker.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    for plural in ("boxes", "limits"):
        path = f"/apis/tests.wayside.dev/v1/{plural}"
        wait_until(lambda path=path: _exists(asker, path), what=path)  # type: ignore[misc]  # mypy cannot infer it
    for case in PAIRS:
        for manifest in (*case.params, *([case.old] if case.old is not None else [])):
            create(manifest)
    refused = []
    for case in PAIRS:
        for path, manifests in ((_POLICIES, [case.policy]), (_BINDINGS, case.bindings)):
            for manifest in manifests:
                try:
                    asker.request("POST", path, manifest)
                except APIError as err:
                    refused.append(str(err))
    assert not refused, "\n".join(refused)
    canary = next(case for case in cases() if case.name == "params-of-a-cluster-scoped-kind")
    last = _renamed(canary, "the-last-policy")
    asker.request("POST", _POLICIES, last.policy)
    asker.request("POST", _BINDINGS, last.bindings[0])
    wait_until(lambda: "at most 3" in asker.ask(last).message, what="policies in force", timeout=60)


def _renamed(case: Case, name: str) -> Case:
    text = json.dumps({"policy": case.policy, "bindings": case.bindings, "object": case.object})
    fields = json.loads(text.replace(f'"{case.name}', f'"{name}'))
    return Case(
        name, fields["policy"], tuple(fields["bindings"]), case.params, fields["object"], None, case.user
    )


def _creator(asker: Asker) -> Callable[[Mapping[str, Any]], None]:
    def create(manifest: Mapping[str, Any]) -> None:
        try:
            asker.request("POST", _path(manifest), manifest)
        except APIError as err:
            if err.reason != "AlreadyExists":
                raise

    return create


def _exists(asker: Asker, path: str) -> bool:
    try:
        asker.request("GET", path)
    except APIError:
        return False
    return True


@pytest.mark.skipif(RECORD, reason="the answers are being recorded")
@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.name)
def test_the_server_still_says_what_is_recorded(server: Asker, case: Case) -> None:
    assert server.ask(case) == answers()[case.name]


@pytest.mark.skipif(not RECORD, reason="WAYSIDE_RECORD is not set")
def test_record_what_the_server_says(server: Asker) -> None:
    record({case.name: server.ask(case) for case in PAIRS})


def test_the_cases_have_a_namespace_of_their_own() -> None:
    assert NAMESPACES[0]["metadata"]["name"] == NAMESPACE


def _takes(server: Asker, edit: Edit) -> bool:
    path = _BINDINGS if edit.is_binding else _POLICIES
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        server.request("POST", path, edit.document, query=query)
    except APIError as err:
        assert err.status in {400, 422}, err
        return False
    return True


@pytest.mark.skipif(RECORD, reason="the answers are being recorded")
def test_the_server_still_takes_and_refuses_what_is_recorded(server: Asker) -> None:
    assert {edit.name: _takes(server, edit) for edit in edits()} == accepted()


@pytest.mark.skipif(not RECORD, reason="WAYSIDE_RECORD is not set")
def test_record_what_the_server_takes_and_refuses(server: Asker) -> None:
    record_accepted({edit.name: _takes(server, edit) for edit in edits()})


def test_the_server_takes_what_is_exported(server: Asker) -> None:
    lone = copy.deepcopy(policy())
    lone["metadata"]["name"] = "lone"
    for manifest in exported_policies([*(case.policy for case in cases()[-3:]), lone]).values():
        path = _POLICIES if manifest["kind"] == "ValidatingAdmissionPolicy" else _BINDINGS
        renamed = {**manifest, "metadata": {**manifest["metadata"], "name": "exported"}}
        server.request("POST", path, renamed, query={"dryRun": "All", "fieldValidation": "Strict"})
