"""`matchConstraints`, `matchResources` and label selectors, refusing what the API server refuses."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.rules.admission.labels import LabelSelector, Operator, Requirement
from reconciler.rules.admission.reader import Reader
from reconciler.rules.admission.spec import MatchPolicy, MatchResources, Operation, ResourceRule, Scope
from reconciler.rules.admission.syntax import label_value_fault, path_segment_fault, qualified_name_fault

__all__ = ["each", "parse_match_resources", "parse_selector", "unique"]

_OPERATIONS = ("*", *(operation.value for operation in Operation))


def parse_match_resources(reader: Reader) -> MatchResources:
    """Read `matchConstraints` or `matchResources`."""
    match = MatchResources(
        tuple(_rule(item) for item in reader.items("resourceRules")),
        tuple(_rule(item) for item in reader.items("excludeResourceRules")),
        MatchPolicy(reader.choice("matchPolicy", ("Exact", "Equivalent"), "Equivalent")),
        parse_selector(reader, "namespaceSelector") or LabelSelector(),
        parse_selector(reader, "objectSelector") or LabelSelector(),
    )
    reader.finish()
    return match


def _rule(reader: Reader) -> ResourceRule:
    names = reader.strings("resourceNames")
    each(reader, "resourceNames", names, path_segment_fault)
    unique(reader, "resourceNames", names)
    operations = reader.strings("operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            reader.problem(
                "operations", index, message=f"expected one of {', '.join(_OPERATIONS)}, found {operation!r}"
            )
    groups, versions = reader.strings("apiGroups"), reader.strings("apiVersions")
    resources = reader.strings("resources")
    for key, values in (("operations", operations), ("apiGroups", groups), ("apiVersions", versions)):
        if not values:
            reader.problem(key, message="expected at least one, found none")
        if len(values) > 1 and "*" in values:
            reader.problem(key, message="expected '*' alone, found other values beside it")
    for index, version in enumerate(versions):
        if not version:
            reader.problem("apiVersions", index, message="expected a version, found an empty string")
    _check_resources(reader, resources)
    rule = ResourceRule(
        frozenset(groups),
        frozenset(versions),
        tuple(_split_resource(resource) for resource in resources),
        frozenset(operations),
        Scope(reader.choice("scope", ("*", "Cluster", "Namespaced"), "*")),
        frozenset(names),
    )
    reader.finish()
    return rule


def _split_resource(resource: str) -> tuple[str, str]:
    name, _, subresource = resource.partition("/")
    return name, subresource


def _check_resources(reader: Reader, resources: tuple[str, ...]) -> None:
    if not resources:
        reader.problem("resources", message="expected at least one, found none")
    all_subresources_of: set[str] = set()
    all_with_subresource: set[str] = set()
    plain = False
    for index, resource in enumerate(resources):
        if not resource:
            reader.problem("resources", index, message="expected a resource, found an empty string")
            continue
        if "/" not in resource:
            # The API server remembers the last one only; so does this.
            plain = resource != "*"
            continue
        name, subresource = _split_resource(resource)
        if name in all_subresources_of:
            reader.problem(
                "resources", index, message=f"expected no {resource} beside {name}/*, which covers it"
            )
        if subresource in all_with_subresource:
            reader.problem(
                "resources", index, message=f"expected no {resource} beside */{subresource}, which covers it"
            )
        if subresource == "*":
            all_subresources_of.add(name)
        if name == "*":
            all_with_subresource.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        reader.problem("resources", message="expected '*/*' alone, found other resources beside it")
    if "*" in resources and plain:
        reader.problem("resources", message="expected no other resource beside '*', which covers it")


def parse_selector(parent: Reader, key: str) -> LabelSelector | None:
    """Read a label selector, or None where the field is absent."""
    reader = parent.mapping(key)
    if reader is None:
        return None
    labels = reader.labels("matchLabels")
    for name, value in labels.items():
        if fault := qualified_name_fault(name):
            reader.problem("matchLabels", name, message=f"{fault}; found the key {name!r}")
        if fault := label_value_fault(value):
            reader.problem("matchLabels", name, message=f"{fault}; found {value!r}")
    selector = LabelSelector.of(labels, [_requirement(item) for item in reader.items("matchExpressions")])
    reader.finish()
    return selector


def _requirement(reader: Reader) -> Requirement:
    key, values = reader.string("key"), reader.strings("values")
    operator = reader.choice("operator", tuple(one.value for one in Operator), "")
    if operator in {"In", "NotIn"} and not values:
        reader.problem("values", message=f"expected at least one value for {operator}, found none")
    if operator in {"Exists", "DoesNotExist"} and values:
        reader.problem("values", message=f"expected no values for {operator}, found {len(values)}")
    if "operator" not in reader:
        reader.problem("operator", message="expected In, NotIn, Exists or DoesNotExist, found none")
    if fault := qualified_name_fault(key):
        reader.problem("key", message=f"{fault}; found {key!r}")
    each(reader, "values", values, label_value_fault)
    reader.finish()
    return Requirement(key, Operator(operator) if operator else Operator.EXISTS, frozenset(values))


def each(reader: Reader, key: str, values: tuple[str, ...], fault_of: Callable[[str], str]) -> None:
    """Report each value of a list that a check finds fault with."""
    for index, value in enumerate(values):
        if fault := fault_of(value):
            reader.problem(key, index, message=f"{fault}; found {value!r}")


def unique(reader: Reader, key: str, values: tuple[str, ...]) -> None:
    """Report each value of a list that stands in it twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            reader.problem(key, index, message=f"duplicate value {value!r}")
