"""Values of a site in its manifests: `${name}` in scalars, as users of Flux know it.

Substitution works on values, never on YAML text, so a value cannot change the structure of a document. It
runs only where a site has `spec.vars`; text with a dollar sign elsewhere is left alone.

A scalar that is nothing but one `${name}` becomes a number or a boolean if its new text reads as one, so that
`replicas: ${REPLICAS}` works; not so where Kubernetes wants strings (labels, annotations, data, environment
values, arguments, names).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from reconciler.errors import RenderError
from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.finding import Severity, Violation
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.site import Site

__all__ = ["OPT_OUT", "SubstitutionError", "site_variables", "substitute"]

#: Annotations (or labels) that keep an object out of substitution when they say `disabled`.
OPT_OUT = ("wayside.dev/substitute", "kustomize.toolkit.fluxcd.io/substitute")

_REFERENCE = re.compile(r"\$(?P<escape>\$)?\{(?P<body>[^{}]*)\}")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<form>:?[-=])(?P<default>.*))?\Z", re.DOTALL)
_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z")
_STRING_MAPS = frozenset(
    {"labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData", "selector"}
)
_STRING_FIELDS = frozenset(
    {"args", "command", "value", "name", "namespace", "image", "host", "hosts", "hostname", "path", "values"}
)


class SubstitutionError(RenderError):
    """A `${...}` that cannot be replaced.

    Args:
        message: What is wrong.
        resource: The object that it stands in.
        field_path: The field of the object.
        hint: What to do.
    """

    def __init__(self, message: str, *, resource: ResourceId, field_path: FieldPath, hint: str = "") -> None:
        super().__init__(message, code="vars", hint=hint)
        self.resource = resource
        self.field_path = field_path


def site_variables(site: Site) -> dict[str, str]:
    """Return the variables of a site: its `vars`, `SITE_NAME`, and `SITE_LABEL_<KEY>` for each label.

    A label's key is written in capitals with everything but letters and digits as `_`. What `vars` says wins.
    """
    variables = {"SITE_NAME": site.name}
    for key, value in sorted(site.labels.items()):
        variables["SITE_LABEL_" + re.sub(r"[^A-Za-z0-9]", "_", key).upper()] = value
    variables.update(site.vars or {})
    return variables


def substitute(
    resources: Iterable[Resource],
    variables: Mapping[str, str],
    *,
    hashed: Set[ResourceId] = frozenset(),
) -> tuple[tuple[Resource, ...], tuple[Violation, ...]]:
    """Return resources with every `${name}` replaced, and what is worth a warning.

    `${name:-default}` and `${name:=default}` fall back where a variable is missing or empty,
    `${name-default}` where it is missing. `$${name}` stands for `${name}` itself. Resources that do not
    change are returned as they are.

    Args:
        resources: The resources.
        variables: Values by name.
        hashed: Resources whose name ends in a hash of their content, which stays that of the content before.

    Raises:
        SubstitutionError: A variable is missing, or an expression is none that is known.
    """
    result: list[Resource] = []
    warnings: list[Violation] = []
    for resource in resources:
        if _opted_out(resource):
            result.append(resource)
            continue
        work = _Substitution(resource.id, variables)
        manifest = work.walk(resource.manifest, ())
        if manifest is resource.manifest:
            result.append(resource)
            continue
        result.append(Resource(manifest))
        if resource.id in hashed and work.first_change is not None:
            warnings.append(
                Violation(
                    rule="vars",
                    severity=Severity.WARNING,
                    message=f"{resource.id} takes a value of the site that its hash does not cover",
                    hint="workloads do not restart when it changes: put it in an environment variable",
                    resource=resource.id,
                    field_path=work.first_change,
                )
            )
    return tuple(result), tuple(warnings)


def _opted_out(resource: Resource) -> bool:
    marks = (resource.annotations, resource.labels)
    return any(str(mark.get(key, "")).lower() == "disabled" for mark in marks for key in OPT_OUT)


class _Substitution:
    """The substitution in one resource."""

    def __init__(self, resource: ResourceId, variables: Mapping[str, str]) -> None:
        self._resource = resource
        self._variables = variables
        self.first_change: FieldPath | None = None

    def walk(self, node: Any, path: FieldPath) -> Any:
        """Return a value with its references replaced; the value itself if it has none."""
        if isinstance(node, str):
            return self._scalar(node, path) if "${" in node else node
        if isinstance(node, Mapping):
            return self._children(node, path)
        if isinstance(node, list):
            changed = [self.walk(child, (*path, index)) for index, child in enumerate(node)]
            same = all(new is old for new, old in zip(changed, node, strict=True))
            return node if same else changed
        return node

    def _children(self, node: Mapping[str, Any], path: FieldPath) -> Any:
        changed: dict[str, Any] | None = None
        for name, child in node.items():
            if child.__class__ in (int, bool, float) or child is None:
                continue
            new = self.walk(child, (*path, name))
            if new is not child:
                changed = changed if changed is not None else dict(node)
                changed[name] = new
        return node if changed is None else changed

    def _scalar(self, text: str, path: FieldPath) -> Any:
        whole = _REFERENCE.fullmatch(text)
        new = _REFERENCE.sub(self._replacer(path), text)
        if new == text:
            return text
        if self.first_change is None:
            self.first_change = path
        if whole is not None and not whole["escape"] and not _wants_string(path):
            return _typed(new)
        return new

    def _replacer(self, path: FieldPath) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            if match["escape"]:
                return "${" + match["body"] + "}"
            body = _BODY.match(match["body"])
            if body is None:
                raise self._error(
                    f"expected ${{name}} or ${{name:-default}}, found {match[0][:60]!r}",
                    path,
                    "write $${...} for text that is to stay, or annotate the object with "
                    "wayside.dev/substitute: disabled",
                )
            value = self._variables.get(body["name"])
            form = body["form"]
            if form is not None and (value is None or (form.startswith(":") and not value)):
                return body["default"]
            if value is None:
                raise self._error(
                    f"expected a variable {body['name']!r} of the site, found none",
                    path,
                    f"add {body['name']} to spec.vars, give it a default with ${{{body['name']}:-...}}, "
                    "or write $${...} for text that is to stay",
                )
            return value

        return replace

    def _error(self, message: str, path: FieldPath, hint: str) -> SubstitutionError:
        shown = f"{message}, in {format_field_path(path)} of {self._resource}"
        return SubstitutionError(shown, resource=self._resource, field_path=path, hint=hint)


def _wants_string(path: FieldPath) -> bool:
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return False
    return names[-1] in _STRING_FIELDS or any(name in _STRING_MAPS for name in names[:-1])


def _typed(text: str) -> Any:
    if _INTEGER.match(text):
        return int(text)
    return {"true": True, "false": False}.get(text, text)
