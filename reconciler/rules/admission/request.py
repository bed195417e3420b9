"""One admission request: what the API server knows of it when policies are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import RuleError
from reconciler.model.resource import Manifest
from reconciler.rules.admission.addressing import Address
from reconciler.rules.admission.kinds import (
    ApiKind,
    ApiKinds,
    GroupVersionKind,
    GroupVersionResource,
    builtin_kinds,
)
from reconciler.rules.admission.shapes import as_written
from reconciler.rules.admission.spec import Operation
from reconciler.rules.admission.values import require_json

__all__ = ["AdmissionRequest", "user_info_of"]

_DEFAULT_NAMESPACE = "default"
#: What stands for the five letters and digits that the server puts behind `generateName`.
_MADE_UP = "xxxxx"
_OPTIONS = {
    Operation.CREATE: "CreateOptions",
    Operation.UPDATE: "UpdateOptions",
    Operation.DELETE: "DeleteOptions",
}
#: Who asks, where nothing else is said: somebody who is logged in and has no other group.
_ANYBODY: Mapping[str, Any] = {"username": "wayside", "groups": ["system:authenticated"]}


@dataclass(frozen=True, eq=False)
class AdmissionRequest:
    """A request, with everything that matching and expressions may look at.

    Make one with `of`. It is compared by identity, so that what is computed of it can be kept.

    Attributes:
        operation: What it does.
        kind: The kind of its object.
        resource: The resource that serves the kind.
        api_kind: How the kind is served.
        subresource: The subresource, or "".
        name: The object's name.
        namespace: Its namespace; a Namespace is in the one of its own name, a cluster-scoped object in "".
        object: The object as it will be; None for DELETE.
        old_object: The object as it is; None for CREATE.
        namespace_object: The Namespace, or None for what is not in one.
        namespace_known: Whether that Namespace was given rather than made up of its name.
        user_info: Who asks: `username`, `uid`, `groups`, `extra`.
        dry_run: Whether nothing will be stored.
        options: The request's options.
        made: What others have made of the request, kept for as long as it lives.
    """

    operation: Operation
    kind: GroupVersionKind
    resource: GroupVersionResource
    api_kind: ApiKind
    subresource: str
    name: str
    namespace: str
    object: Manifest | None
    old_object: Manifest | None
    namespace_object: Manifest | None
    namespace_known: bool
    user_info: Mapping[str, Any]
    dry_run: bool
    options: Mapping[str, Any] | None
    made: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        *,
        object: Manifest | None,  # noqa: A002 - the field's word
        old_object: Manifest | None = None,
        operation: str | Operation | None = None,
        namespace_object: Manifest | None = None,
        user_info: Mapping[str, Any] | None = None,
        subresource: str = "",
        resource: str = "",
        name: str = "",
        dry_run: bool = False,
        options: Mapping[str, Any] | None = None,
        kinds: ApiKinds | None = None,
    ) -> AdmissionRequest:
        """Describe a request by its objects.

        Args:
            object: The object as it will be. None for DELETE.
            old_object: The object as it is. None for CREATE.
            operation: By default UPDATE with both objects, DELETE with the old one alone, otherwise CREATE.
            namespace_object: The Namespace that the object is in.
            user_info: Who asks; by default some authenticated user.
            subresource: For example `scale`.
            resource: What the request is for, where its kind does not say it: `apps/v1/deployments`.
            name: The name in the request's URL, where the object has none.
            dry_run: Whether nothing will be stored.
            options: The request's options.
            kinds: How kinds are served; by default the built-in ones.

        Raises:
            RuleError: The objects do not fit the operation, or are not objects of Kubernetes.
        """
        chosen = _operation(operation, object, old_object)
        if chosen is Operation.CREATE:
            old_object = None
        elif chosen is Operation.DELETE:
            object, old_object = None, old_object if old_object is not None else object  # noqa: A001
        subject = object if object is not None else old_object
        if subject is None:
            raise RuleError(f"expected an object for {chosen.value}, found none", code="admission-request")
        _require_mapping(object, "object")
        _require_mapping(old_object, "oldObject")
        _require_mapping(namespace_object, "namespaceObject")
        kind = _kind_of(subject)
        object, old_object = (None if one is None else as_written(one) for one in (object, old_object))  # noqa: A001
        if chosen is Operation.CREATE:
            object = _named(object)  # noqa: A001
        metadata = _metadata(object if object is not None else subject)
        given = namespace_object
        address = Address.of(
            kind,
            kinds or builtin_kinds(),
            resource=resource,
            subresource=subresource,
            namespaced=bool(metadata.get("namespace")) or given is not None,
        )
        if not name:
            name = _text(metadata, "name")
        namespace = ""
        if address.kind.namespaced:
            namespace = _text(metadata, "namespace") or _text(_metadata(given or {}), "name")
            namespace = namespace or _DEFAULT_NAMESPACE
            object = _in_namespace(object, namespace)  # noqa: A001
            old_object = _in_namespace(old_object, namespace)
            namespace_object = as_written(given) if given is not None else _namespace(namespace)
        elif kind == ("", "v1", "Namespace"):
            namespace = name
            namespace_object = None
        else:
            namespace_object = None
        return cls(
            operation=chosen,
            kind=kind,
            resource=address.resource,
            api_kind=address.kind,
            subresource=address.subresource,
            name=name,
            namespace=namespace,
            object=object,
            old_object=old_object,
            namespace_object=namespace_object,
            namespace_known=given is not None,
            user_info=user_info_of(user_info),
            dry_run=dry_run,
            options=options if options is not None else _default_options(chosen, dry_run=dry_run),
        )

    def attributes(self, kind: GroupVersionKind, resource: GroupVersionResource) -> dict[str, Any]:
        """Return the CEL variable `request`, for the kind and resource that a policy matched."""
        request: dict[str, Any] = {
            "kind": kind._asdict(),
            "resource": resource._asdict(),
            "requestKind": self.kind._asdict(),
            "requestResource": self.resource._asdict(),
            "operation": self.operation.value,
            "userInfo": self.user_info,
            "dryRun": self.dry_run,
            "options": self.options,
        }
        if self.subresource:
            request["subResource"] = request["requestSubResource"] = self.subresource
        if self.name:
            request["name"] = self.name
        if self.namespace:
            request["namespace"] = self.namespace
        return request


def user_info_of(user_info: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return who asks, in the shape of an AdmissionReview; empty fields are left out, as the API server does.

    Raises:
        RuleError: A field has the wrong type.
    """
    if user_info is None:
        return _ANYBODY
    _require_mapping(user_info, "userInfo")
    shown: dict[str, Any] = {}
    for key, kind in (("username", str), ("uid", str), ("groups", list), ("extra", Mapping)):
        value = user_info.get(key)
        if value is not None and not isinstance(value, kind):
            raise RuleError(
                f"expected a {kind.__name__.lower()} for userInfo.{key}, found {type(value).__name__}",
                code="admission-request",
            )
        if value:
            shown[key] = value
    return shown


def _operation(operation: str | Operation | None, new: Manifest | None, old: Manifest | None) -> Operation:
    if isinstance(operation, Operation):
        return operation
    if operation:
        try:
            return Operation(operation.upper())
        except ValueError:
            words = ", ".join(one.value for one in Operation)
            raise RuleError(
                f"expected the operation to be one of {words}, found {operation!r}", code="admission-request"
            ) from None
    if old is None:
        return Operation.CREATE
    return Operation.DELETE if new is None else Operation.UPDATE


def _require_mapping(value: Any, name: str) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise RuleError(
            f"expected {name} to be a mapping, found {type(value).__name__}", code="admission-request"
        )
    require_json(value, name)


def _kind_of(subject: Manifest) -> GroupVersionKind:
    for key in ("apiVersion", "kind"):
        if not isinstance(subject.get(key), str) or not subject[key]:
            raise RuleError(f"expected an object with {key}, found none", code="admission-request")
    return GroupVersionKind.of(subject)


def _metadata(subject: Manifest) -> Mapping[str, Any]:
    metadata = subject.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _text(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _named(subject: Manifest | None) -> Manifest | None:
    """Return the object with a name such as the server makes up, where it is left to the server."""
    metadata = _metadata(subject or {})
    prefix = _text(metadata, "generateName")
    if subject is None or not prefix or metadata.get("name"):
        return subject
    return {**subject, "metadata": {**metadata, "name": f"{prefix}{_MADE_UP}"}}


def _in_namespace(subject: Manifest | None, namespace: str) -> Manifest | None:
    """Return the object with the namespace that the server fills in; the object itself where it is there."""
    if subject is None or "metadata" not in subject or _metadata(subject).get("namespace"):
        return subject
    return {**subject, "metadata": {**_metadata(subject), "namespace": namespace}}


def _namespace(name: str) -> Manifest:
    """Return what is known of any Namespace by its name alone."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _default_options(operation: Operation, *, dry_run: bool) -> Mapping[str, Any] | None:
    kind = _OPTIONS.get(operation)
    if kind is None:
        return None
    options: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if dry_run:
        options["dryRun"] = ["All"]
    return options
