"""The overriders of an EdgeApplication, applied to one Deployment as KubeEdge applies them.

Source: `cloud/pkg/controllermanager/edgeapplication/overridemanager`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.model.finding import Severity
from reconciler.rules.made.group import MadeProblem
from reconciler.rules.made.sown import PatchError, Sown, patch

__all__ = ["override"]

_CONTAINERS = ("spec", "template", "spec", "containers")


def override(deployment: Sown, overriders: Sown) -> list[MadeProblem]:
    """Change a Deployment by overriders; returns what does not fit."""
    problems: list[MadeProblem] = []
    replicas = overriders.get("replicas")
    if replicas is not None and replicas.value is not None:
        deployment.set(("spec", "replicas"), replicas)
    for overrider in overriders.items("imageOverriders"):
        _images(deployment, overrider, problems)
    for field, target, change in (
        ("envOverriders", "env", _environment),
        ("commandOverriders", "command", _texts),
        ("argsOverriders", "args", _texts),
    ):
        for overrider in overriders.items(field):
            for container in _containers(deployment, overrider):
                _list(container, target, overrider, change)
    for overrider in overriders.items("resourcesOverriders"):
        value = overrider.get("value")
        for container in _containers(deployment, overrider):
            if value is not None:
                container.set(("resources",), value)
    return problems


def _containers(deployment: Sown, overrider: Sown) -> list[Sown]:
    name = _text(overrider, "containerName")
    return [container for container in deployment.items(*_CONTAINERS) if _text(container, "name") == name]


def _text(node: Sown, field: str) -> str:
    found = node.get(field)
    return found.value if found is not None and isinstance(found.value, str) else ""


def _list(
    container: Sown, target: str, overrider: Sown, change: Callable[[list[Sown], str, list[Sown]], list[Sown]]
) -> None:
    present = container.get(target)
    items = present.value if present is not None and isinstance(present.value, list) else []
    changed = change(list(items), _text(overrider, "operator"), overrider.items("value"))
    container.set((target,), Sown(changed, present.at if present is not None else overrider.at))


def _texts(items: list[Sown], operator: str, values: list[Sown]) -> list[Sown]:
    match operator:
        case "add":
            return items + values
        case "remove":
            gone = [value.value for value in values]
            return [item for item in items if item.value not in gone]
        case _:
            return items


def _environment(items: list[Sown], operator: str, values: list[Sown]) -> list[Sown]:
    names = [_text(value, "name") for value in values]
    match operator:
        case "add":
            return items + values
        case "remove":
            return [item for item in items if _text(item, "name") not in names]
        case "replace":
            changed = list(items)
            for value in values:
                same = [i for i, item in enumerate(changed) if _text(item, "name") == _text(value, "name")]
                if same:
                    changed[same[0]] = value
                else:
                    changed.append(value)
            return changed
        case _:
            return items


def _images(deployment: Sown, overrider: Sown, problems: list[MadeProblem]) -> None:
    pointer = _text(overrider, "predicate") or _predicate(overrider)
    if not pointer:
        for container in deployment.items(*_CONTAINERS):
            image = container.get("image")
            if image is not None and isinstance(image.value, str):
                container.set(("image",), Sown(_image(image.value, overrider), overrider.at))
        return
    node: Sown | None = deployment
    for step in pointer.strip("/").split("/"):
        value: Any = node.value if node is not None else None
        is_item = isinstance(value, list) and step.isdigit()
        node = node.get(int(step) if is_item else step) if node is not None else None
    if node is None or not isinstance(node.value, str):
        problems.append(
            MadeProblem(
                "the image overrider does not fit, so the group gets no Deployment: "
                f"there is no text at {pointer}",
                (*overrider.at, "predicate", "path"),
                Severity.ERROR,
                "write the path of an image such as /spec/template/spec/containers/0/image",
            )
        )
        return
    try:
        patch(deployment, "replace", pointer, Sown(_image(node.value, overrider), overrider.at))
    except PatchError as err:
        problems.append(MadeProblem(f"the image overrider does not fit: {err}", overrider.at, Severity.ERROR))


def _predicate(overrider: Sown) -> str:
    predicate = overrider.get("predicate")
    return _text(predicate, "path") if predicate is not None else ""


def _image(image: str, overrider: Sown) -> str:
    """Change one part of an image; a tag and a digest are never both kept."""
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{head}{slash}{last}"
    first, slash, rest = path.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    registry, repository = (first, rest) if is_host else ("", path)
    version = tag or digest
    value = _text(overrider, "value")
    operator = _text(overrider, "operator")

    def changed(part: str) -> str:
        match operator:
            case "add":
                return part + value
            case "replace":
                return value
            case "remove":
                return ""
            case _:
                return part

    match _text(overrider, "component"):
        case "Registry":
            registry = changed(registry)
        case "Repository":
            repository = changed(repository)
        case "Tag":
            version = changed(version).removeprefix("@")
    joined = f"{registry}/{repository}" if registry else repository
    if not version:
        return joined
    return f"{joined}@{version}" if version.startswith("sha") and ":" in version else f"{joined}:{version}"
