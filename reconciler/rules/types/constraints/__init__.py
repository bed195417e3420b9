"""What the API server's validation demands of built-in types, beyond that they decode.

Every constraint here is the server's own, in its words, and tested against it. What is not here is left to
the server: to demand more than it does would refuse what it takes.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.rules.types.constraints import (
    admission,
    autoscaling,
    configuration,
    containers,
    metadata,
    network,
    pods,
    workloads,
)
from reconciler.rules.types.constraints.shape import Constraints

__all__ = ["CONSTRAINTS", "INLINE", "OPTIONAL", "UNCHECKED", "UNVALIDATED", "Constraints"]

#: Constraints by the type that they are about.
CONSTRAINTS: Mapping[str, Constraints] = {
    **metadata.CONSTRAINTS,
    **containers.CONSTRAINTS,
    **pods.CONSTRAINTS,
    **workloads.CONSTRAINTS,
    **network.CONSTRAINTS,
    **configuration.CONSTRAINTS,
    **autoscaling.CONSTRAINTS,
    **admission.CONSTRAINTS,
}

#: Fields that the published schemas call required, and that the server fills or does without.
OPTIONAL: frozenset[tuple[str, str]] = frozenset(
    {
        ("apps.v1.ControllerRevision", "revision"),
        ("batch.v1.PodFailurePolicy", "rules"),
        ("core.v1.HTTPHeader", "value"),
        ("core.v1.ISCSIVolumeSource", "lun"),
        ("core.v1.LimitRangeSpec", "limits"),
        ("core.v1.PreferredSchedulingTerm", "preference"),
        ("core.v1.SleepAction", "seconds"),
        ("core.v1.Sysctl", "value"),
        ("core.v1.TypedLocalObjectReference", "kind"),
        ("core.v1.TypedLocalObjectReference", "name"),
        ("networking.v1.NetworkPolicySpec", "podSelector"),
    }
)

#: Fields that are objects in Go and no pointers: absent is as good as empty, and what is in them is demanded.
INLINE: frozenset[tuple[str, str]] = frozenset({("core.v1.PodTemplate", "template")})

#: Fields whose values the published schemas enumerate, and that the server does not check.
UNCHECKED: frozenset[tuple[str, str]] = frozenset(
    {
        # In a Pod that has a priority class, admission writes over it before anything is validated.
        ("core.v1.PodSpec", "preemptionPolicy"),
    }
)

#: Fields whose content the server decodes and does not validate.
#: By the first minor that validates it, 99 for none.
UNVALIDATED: Mapping[tuple[str, str], int] = {
    ("apps.v1.StatefulSetSpec", "volumeClaimTemplates"): 36,
    ("batch.v1.JobTemplateSpec", "metadata"): 99,
    ("meta.v1.ObjectMeta", "managedFields"): 99,
}
