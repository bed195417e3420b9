"""Which parameters a binding hands to its policy (`CollectParams` of k8s.io/apiserver)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import RuleError
from reconciler.model.resource import Manifest, split_api_version
from reconciler.rules.admission.kinds import ApiKinds
from reconciler.rules.admission.labels import labels_of
from reconciler.rules.admission.shapes import as_written
from reconciler.rules.admission.spec import NotFoundAction, ParamKind, ParamRef
from reconciler.rules.admission.values import require_json

__all__ = ["Params", "ParamsError", "resolve"]

_DEFAULT_NAMESPACE = "default"
_SITE = ("wayside.dev", "Site")
_SITE_NAMESPACE = "wayside-system"


class ParamsError(RuleError):
    """A binding's parameters cannot be used; the message is the API server's."""


@dataclass(frozen=True, slots=True)
class Params:
    """All objects that may be parameters of one policy.

    Attributes:
        objects: Objects of the parameters' kind.
        namespaced: Whether that kind lives in namespaces.
    """

    objects: tuple[Manifest, ...] = ()
    namespaced: bool = True

    @classmethod
    def among(
        cls, objects: Iterable[Manifest], kind: ParamKind, refs: Iterable[ParamRef], kinds: ApiKinds
    ) -> Params:
        """Choose the objects of a kind; one that does not say its kind is taken for one.

        A kind that is not known has the scope that its use shows.

        Raises:
            RuleError: Something among them is no object, or is not plain JSON.
        """
        chosen = tuple(param for one in objects if (param := _of_kind(one, kind)) is not None)
        used = any(ref.namespace for ref in refs) or any(_metadata(one).get("namespace") for one in chosen)
        return cls(chosen, kinds.get(kind.group, kind.kind, namespaced=used).namespaced)


def _of_kind(param: Any, kind: ParamKind) -> Manifest | None:
    if not isinstance(param, Mapping):
        raise RuleError(
            f"expected a parameter to be an object, found {type(param).__name__}", code="admission-params"
        )
    group, _ = split_api_version(str(param.get("apiVersion") or ""))
    nameless = not param.get("kind") and not param.get("apiVersion")
    if not nameless and (group, param.get("kind")) != (kind.group, kind.kind):
        return None
    require_json(param, "the parameter")
    found: Manifest = param
    if nameless:
        found = {"apiVersion": _api_version(kind), "kind": kind.kind, **found}
    found = as_written(found)
    if (kind.group, kind.kind) == _SITE and not _metadata(found).get("namespace"):
        # `site.yaml` names no namespace; in the cluster the agent keeps the Site beside itself.
        found = {**found, "metadata": {**_metadata(found), "namespace": _SITE_NAMESPACE}}
    return found


def resolve(ref: ParamRef, params: Params, *, namespace: str) -> tuple[Manifest, ...]:
    """Return the parameters that a binding chooses; none where there are none and that is allowed.

    Args:
        ref: What the binding asks for.
        params: All objects of the kind.
        namespace: The namespace of the request, or "".

    Raises:
        ParamsError: The reference cannot be used here, or finds nothing and that is to be refused.
    """
    objects = params.objects
    if params.namespaced:
        wanted = ref.namespace or namespace
        if not wanted:
            raise ParamsError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
        objects = tuple(
            one for one in objects if (_metadata(one).get("namespace") or _DEFAULT_NAMESPACE) == wanted
        )
    elif ref.namespace:
        raise ParamsError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    if ref.selector is None:
        found = tuple(one for one in objects if _metadata(one).get("name") == ref.name)[:1]
    else:
        found = tuple(one for one in objects if ref.selector.matches(labels_of(one)))
    if not found and ref.not_found is NotFoundAction.DENY:
        raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


def _api_version(kind: ParamKind) -> str:
    return f"{kind.group}/{kind.version}" if kind.group else kind.version


def _metadata(param: Manifest) -> Mapping[str, Any]:
    metadata = param.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
