"""Which resource a request is for: mostly the one that serves its kind; subresources take kinds of others."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import RuleError
from reconciler.rules.admission.kinds import ApiKind, ApiKinds, GroupVersionKind, GroupVersionResource

__all__ = ["Address"]

#: Kinds that are only ever sent to a subresource: to which, and whether its resource lives in namespaces.
_SENT_TO: dict[tuple[str, str], tuple[str, str, bool]] = {
    ("", "NodeProxyOptions"): ("nodes", "proxy", False),
    ("", "PodAttachOptions"): ("pods", "attach", True),
    ("", "PodExecOptions"): ("pods", "exec", True),
    ("", "PodPortForwardOptions"): ("pods", "portforward", True),
    ("", "PodProxyOptions"): ("pods", "proxy", True),
    ("", "ServiceProxyOptions"): ("services", "proxy", True),
    ("authentication.k8s.io", "TokenRequest"): ("serviceaccounts", "token", True),
    ("policy", "Eviction"): ("pods", "eviction", True),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes.

    Attributes:
        resource: The resource.
        subresource: The subresource, or "".
        kind: How what is served there is served.
    """

    resource: GroupVersionResource
    subresource: str
    kind: ApiKind

    @classmethod
    def of(
        cls, kind: GroupVersionKind, kinds: ApiKinds, *, resource: str, subresource: str, namespaced: bool
    ) -> Address:
        """Find the address of a request by the kind of its object.

        Args:
            kind: The kind.
            kinds: How kinds are served.
            resource: What the request is for, where the kind does not say it: `deployments` of the kind's own
                group and version, or `apps/v1/deployments`.
            subresource: The subresource, where the kind does not say it.
            namespaced: Whether an unknown kind lives in namespaces.

        Raises:
            RuleError: The resource is none.
        """
        sent = _SENT_TO.get((kind.group, kind.kind))
        if sent is not None and not resource:
            plural, name, scoped = sent
            served = ApiKind("", kind.kind, plural, scoped, ("v1",))
            return cls(GroupVersionResource("", "v1", plural), subresource or name, served)
        served = kinds.get(kind.group, kind.kind, namespaced=namespaced)
        if not resource:
            return cls(GroupVersionResource(kind.group, kind.version, served.plural), subresource, served)
        parts = resource.split("/")
        if len(parts) > 3 or not all(parts):
            raise RuleError(
                f"expected a resource such as deployments or apps/v1/deployments, found {resource!r}",
                code="admission-request",
            )
        group, version = kind.group, kind.version
        if len(parts) > 1:
            group, version = ("", parts[0]) if len(parts) == 2 else (parts[0], parts[1])
        served = ApiKind(group, kind.kind, parts[-1], served.namespaced or namespaced, (version,))
        return cls(GroupVersionResource(group, version, parts[-1]), subresource, served)
