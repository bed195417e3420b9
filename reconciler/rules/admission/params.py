"""Which parameters a binding hands to its policy (`CollectParams` of k8s.io/apiserver)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.errors import RuleError
from reconciler.model.resource import Manifest, split_api_version
from reconciler.rules.admission.kinds import ApiKinds
from reconciler.rules.admission.labels import labels_of
from reconciler.rules.admission.spec import NotFoundAction, ParamKind, ParamRef

__all__ = ["ParamsError", "candidates", "is_namespaced", "resolve"]

_DEFAULT_NAMESPACE = "default"


class ParamsError(RuleError):
    """A binding's parameters cannot be used; the message is the API server's."""


def candidates(kind: ParamKind, params: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return the objects of the parameters' kind; one that does not say its kind is taken for one.

    Raises:
        RuleError: Something among them is no object.
    """
    chosen: list[Manifest] = []
    for param in params:
        if not isinstance(param, Mapping):
            raise RuleError(
                f"expected a parameter to be an object, found {type(param).__name__}", code="admission-params"
            )
        if not param.get("kind") and not param.get("apiVersion"):
            chosen.append({"apiVersion": _api_version(kind), "kind": kind.kind, **param})
        elif (split_api_version(str(param.get("apiVersion")))[0], param.get("kind")) == (
            kind.group,
            kind.kind,
        ):
            chosen.append(param)
    return tuple(chosen)


def is_namespaced(
    kind: ParamKind, refs: Iterable[ParamRef], params: Sequence[Manifest], kinds: ApiKinds
) -> bool:
    """Tell the scope of the parameters' kind; one that is not known has the scope that its use shows."""
    used = any(ref.namespace for ref in refs) or any(_metadata(param).get("namespace") for param in params)
    return kinds.get(kind.group, kind.kind, namespaced=used).namespaced


def resolve(
    ref: ParamRef, params: Sequence[Manifest], *, namespace: str, namespaced: bool
) -> tuple[Manifest, ...]:
    """Return the parameters that a binding chooses; none where there are none and that is allowed.

    Args:
        ref: What the binding asks for.
        params: All objects of the kind.
        namespace: The namespace of the request, or "".
        namespaced: Whether the kind lives in namespaces.

    Raises:
        ParamsError: The reference cannot be used here, or finds nothing and that is to be refused.
    """
    if namespaced:
        wanted = ref.namespace or namespace
        if not wanted:
            raise ParamsError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
        params = [one for one in params if (_metadata(one).get("namespace") or _DEFAULT_NAMESPACE) == wanted]
    elif ref.namespace:
        raise ParamsError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    if ref.selector is None:
        found = tuple(one for one in params if _metadata(one).get("name") == ref.name)[:1]
    else:
        found = tuple(one for one in params if ref.selector.matches(labels_of(one)))
    if not found and ref.not_found is NotFoundAction.DENY:
        raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


def _api_version(kind: ParamKind) -> str:
    return f"{kind.group}/{kind.version}" if kind.group else kind.version


def _metadata(param: Manifest) -> Mapping[str, Any]:
    metadata = param.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
