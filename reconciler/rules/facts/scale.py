"""How many pods a workload runs, and how many more during a rollout.

Sources: `pkg/controller/deployment/util` (`ResolveFenceposts`, `MaxSurge`), the Job, CronJob and DaemonSet
controllers, and `autoscaling/v2` (an autoscaler's maximum is what must fit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Resource
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.facts.schedule import shortest_period

__all__ = ["Autoscaler", "Scale", "autoscalers", "scale_of"]


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler: its name, and its maximum (None where it is not a number)."""

    name: str
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Scale:
    """How many pods run.

    Attributes:
        replicas: At most, once a rollout is done; for each matching node counted already.
        surge: How many more may run during a rollout.
        unavailable: How many of them may be away during a rollout (`maxUnavailable`).
        per_node: Whether it is one pod for each matching node.
        field_path: The field that sets it.
    """

    replicas: int
    surge: int
    per_node: bool
    field_path: FieldPath
    unavailable: int = 0


def autoscalers(resources: Sequence[Resource]) -> dict[tuple[str, str, str, str], Autoscaler]:
    """Return autoscalers by (group, kind, namespace, name) of their target."""
    found = {}
    for resource in resources:
        if resource.kind != "HorizontalPodAutoscaler" or resource.id.group != "autoscaling":
            continue
        target = as_mapping(dig(resource.manifest, "spec", "scaleTargetRef"))
        group = str(target.get("apiVersion") or "").rpartition("/")[0]
        key = (group, str(target.get("kind")), resource.id.namespace, str(target.get("name")))
        maximum = dig(resource.manifest, "spec", "maxReplicas")
        found[key] = Autoscaler(resource.id.name, maximum if _is_count(maximum) else None)
    return found


def scale_of(
    manifest: Mapping[str, Any],
    kind: str,
    *,
    matching_nodes: int,
    autoscaler: Autoscaler | None,
    problems: list[FactProblem],
    replicas: FieldPath = ("spec", "replicas"),
) -> Scale:
    """Compute how many pods a workload runs.

    Args:
        manifest: The workload.
        kind: Its kind; a kind that is not built in counts as one with `spec.replicas`.
        matching_nodes: How many nodes a pod of it may be placed on.
        autoscaler: The autoscaler that has it as its target, or None.
        problems: Receives counts that are not counts.
        replicas: Where a kind that is not a Job or DaemonSet says it.
    """
    spec = as_mapping(manifest.get("spec"))
    match kind:
        case "Pod":
            return Scale(1, 0, per_node=False, field_path=())
        case "DaemonSet":
            surge = _rollout(spec, "updateStrategy", matching_nodes, problems, default="0")
            return Scale(matching_nodes, surge, per_node=True, field_path=("spec",))
        case "Job":
            return Scale(
                _job(spec, ("spec",), problems), 0, per_node=False, field_path=("spec", "parallelism")
            )
        case "CronJob":
            path: FieldPath = ("spec", "jobTemplate", "spec")
            pods = (
                0
                if spec.get("suspend") is True
                else _job(as_mapping(dig(spec, "jobTemplate", "spec")), path, problems, of_cron=True)
            )
            pods *= _runs_at_once(spec)
            return Scale(pods, 0, per_node=False, field_path=(*path, "parallelism"))
        case _:
            parent = as_mapping(dig(manifest, *replicas[:-1]))
            pods = _count(parent, str(replicas[-1]), replicas[:-1], problems, default=1)
            if autoscaler is not None:
                if autoscaler.maximum is None:
                    problems.append(
                        FactProblem(
                            f"the HorizontalPodAutoscaler {autoscaler.name} scales this workload and has no "
                            "maxReplicas, so its size has no bound",
                            ("spec",),
                        )
                    )
                else:
                    pods = autoscaler.maximum if pods else 0
            surge = _rollout(spec, "strategy", pods, problems) if kind == "Deployment" else 0
            return Scale(
                pods,
                surge,
                per_node=False,
                field_path=replicas,
                unavailable=_unavailable(spec, pods, surge) if kind == "Deployment" else 0,
            )


def _job(
    spec: Mapping[str, Any], path: FieldPath, problems: list[FactProblem], *, of_cron: bool = False
) -> int:
    """Return how many pods a Job runs at once: never more than it still has to complete."""
    if spec.get("suspend") is True and not of_cron:
        return 0
    parallelism = _count(spec, "parallelism", path, problems, default=1)
    if spec.get("completions") is None:
        return parallelism
    return min(parallelism, _count(spec, "completions", path, problems, default=1))


def _runs_at_once(spec: Mapping[str, Any]) -> int:
    """Return how many runs of a CronJob there may be at a time, as far as that has a bound.

    With `Allow`, runs that take longer than the time to the next start stand side by side, until their
    deadline ends them. Without a deadline there is no bound: one is counted, and a rule says so.
    """
    if (spec.get("concurrencyPolicy") or "Allow") != "Allow":
        return 1
    deadline = dig(spec, "jobTemplate", "spec", "activeDeadlineSeconds")
    period = shortest_period(str(spec.get("schedule") or ""))
    if not _is_count(deadline) or period is None:
        return 1
    return max(-(-int(deadline) // (period * 60)), 1)


def _rollout(
    spec: Mapping[str, Any],
    field: str,
    replicas: int,
    problems: list[FactProblem],
    default: str = "25%",
) -> int:
    strategy = as_mapping(spec.get(field))
    if (strategy.get("type") or "RollingUpdate") != "RollingUpdate" or not replicas:
        return 0
    value = dig(strategy, "rollingUpdate", "maxSurge")
    surge = _share(default if value is None else value, replicas)
    if surge is None:
        problems.append(
            FactProblem(
                f"maxSurge: expected a number or a percentage, found {value!r}",
                ("spec", field, "rollingUpdate", "maxSurge"),
            )
        )
        return 0
    return surge


def _unavailable(spec: Mapping[str, Any], replicas: int, surge: int) -> int:
    """Return how many pods of a Deployment may be away; at least one where no pod may be added."""
    strategy = as_mapping(spec.get("strategy"))
    if (strategy.get("type") or "RollingUpdate") != "RollingUpdate":
        return replicas
    value = dig(strategy, "rollingUpdate", "maxUnavailable")
    found = _share("25%" if value is None else value, replicas, up=False) or 0
    return min(found if found or surge else 1, replicas)


def _share(value: Any, of: int, *, up: bool = True) -> int | None:
    """Resolve an int-or-percent (`intstr.GetScaledValueFromIntOrPercent`)."""
    if _is_count(value):
        return int(value)
    text = str(value)
    if text.isdigit():
        return int(text)
    if text.endswith("%") and text[:-1].isdigit():
        return -(-of * int(text[:-1]) // 100) if up else of * int(text[:-1]) // 100
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(
    spec: Mapping[str, Any], field: str, path: FieldPath, problems: list[FactProblem], *, default: int
) -> int:
    value = spec.get(field)
    if value is None:
        return default
    if not _is_count(value):
        problems.append(
            FactProblem(f"{field}: expected a number of at least 0, found {value!r}", (*path, field))
        )
        return default
    return int(value)
