"""SpinKube's SpinApp: a Deployment that runs one WebAssembly module.

Source: `internal/controller` of spin-operator (`constructDeployment`), API `core.spinkube.dev/v1alpha1`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.kinds import BUILT_IN
from reconciler.model.resource import Resource
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.made.group import Making, made
from reconciler.rules.made.sown import Sown, sow

__all__ = ["make"]

_NAME = "core.spinkube.dev/app-name"
_POD = ("spec", "template", "spec")
#: Fields of the app that are taken over as they are: field, where to, and whether into the container.
_TAKEN = (
    ("image", "image", True),
    ("variables", "env", True),
    ("resources", "resources", True),
    ("volumeMounts", "volumeMounts", True),
    ("volumes", "volumes", False),
    ("imagePullSecrets", "imagePullSecrets", False),
    ("serviceAccountName", "serviceAccountName", False),
)


def make(resource: Resource, _nodes: Sequence[NodeFacts], resources: Sequence[Resource]) -> Making:
    """Make the Deployment of an app, with the runtime class of its executor."""
    spec = as_mapping(resource.manifest.get("spec"))
    name, namespace = resource.id.name, resource.id.namespace
    container = Sown({"name": Sown(name, ("metadata", "name"))}, ("spec",))
    root = Sown({}, ())
    fixed = (
        (("apiVersion",), "apps/v1", ()),
        (("kind",), "Deployment", ()),
        (("metadata", "name"), name, ("metadata", "name")),
        (("metadata", "namespace"), namespace, ("metadata", "namespace")),
        (("spec", "selector", "matchLabels", _NAME), name, ("metadata", "name")),
    )
    for path, value, at in fixed:
        root.set(path, sow(value, at))
    root.set(
        ("spec", "template", "metadata", "labels"), sow(spec.get("podLabels") or {}, ("spec", "podLabels"))
    )
    root.set(("spec", "template", "metadata", "labels", _NAME), Sown(name, ("metadata", "name")))
    root.set(_POD, Sown({"containers": Sown([container], ("spec",))}, ("spec",)))
    if spec.get("replicas") is not None:
        root.set(("spec", "replicas"), sow(spec["replicas"], ("spec", "replicas")))
    for field, target, inside in _TAKEN:
        if spec.get(field):
            taken = sow(spec[field], ("spec", field))
            if inside:
                container.set((target,), taken)
            else:
                root.set((*_POD, target), taken)
    container.set(("ports",), sow([{"name": "http-app", "containerPort": 80}], ("spec",)))
    for field, target in (("readiness", "readinessProbe"), ("liveness", "livenessProbe")):
        check = dig(spec, "checks", field)
        if check:
            container.set((target,), sow(check, ("spec", "checks", field)))
    runtime_class = _runtime_class(resource, resources)
    if runtime_class:
        root.set((*_POD, "runtimeClassName"), sow(runtime_class, ("spec", "executor")))
    return Making((made(root),))


def _runtime_class(resource: Resource, resources: Sequence[Resource]) -> str:
    """Return the class of the app's executor, or that of SpinKube's own where it is not in the overlay."""
    wanted = str(dig(resource.manifest, "spec", "executor") or "")
    for other in resources:
        rid = other.id
        if (rid.kind, rid.group, rid.name) == ("SpinAppExecutor", "core.spinkube.dev", wanted) and (
            rid.namespace == resource.id.namespace
        ):
            return str(dig(other.manifest, "spec", "deploymentConfig", "runtimeClassName") or "")
    return BUILT_IN["core.spinkube.dev", "SpinApp"].runtime_class
