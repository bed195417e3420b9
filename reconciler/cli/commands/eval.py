"""`wayside eval`: what is this CEL expression on this object?"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuleError, UsageError

if TYPE_CHECKING:
    from reconciler.cli.manifests import Sources

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("expression", help="CEL, as in an admission policy; - reads it from standard input")
    parser.add_argument("--object", metavar="FILE", help="the object, any YAML")
    parser.add_argument("--old", metavar="FILE", help="the object as it is: oldObject")
    parser.add_argument("--params", metavar="FILE", help="the parameter: params")
    parser.add_argument(
        "--kubernetes",
        default="1.36",
        metavar="VERSION",
        help="the version whose CEL libraries there are (default: 1.36), or none for plain CEL",
    )
    parser.add_argument("--engine", choices=("native", "pure"), default=None, help="CEL engine")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the value")


def run(options: argparse.Namespace) -> int:
    """Evaluate the expression and print its value: 0 with a value, 1 where it does not compile or fails."""
    from reconciler.cli.manifests import Sources
    from reconciler.rules.admission import AdmissionRequest
    from reconciler.rules.admission.compiling import policy_environment
    from reconciler.rules.cel import CelCompileError, CelEvaluationError

    text = sys.stdin.read() if options.expression == "-" else options.expression
    sources = Sources()
    values: dict[str, Any] = {
        "object": _one(sources, options.object),
        "oldObject": _one(sources, options.old),
        "request": None,
        "namespaceObject": None,
    }
    try:
        request = AdmissionRequest.of(object=values["object"], old_object=values["oldObject"])
    except RuleError:
        # Any value may be looked at; only an object of Kubernetes makes a request.
        pass
    else:
        values["request"] = request.attributes(request.kind, request.resource)
        values["namespaceObject"] = request.namespace_object
    version = None if options.kubernetes == "none" else options.kubernetes
    environment = policy_environment(version, options.engine)
    params = _one(sources, options.params)
    try:
        value = environment.compile(text).evaluate({**values, "params": params})
    except CelCompileError as err:
        print(err.message, file=sys.stderr)
        return 1
    except CelEvaluationError as err:
        print(f"error: {err.message}", file=sys.stderr)
        if err.hint:
            print(f"  = hint: {err.hint}", file=sys.stderr)
        return 1
    plain = _plain(value)
    if options.format == "text" and isinstance(plain, str):
        print(plain)
    else:
        print(json.dumps(plain, ensure_ascii=False, indent=2 if options.format == "text" else None))
    return 0


def _one(sources: Sources, name: str | None) -> Any:
    if name is None:
        return None
    documents = sources.documents([name])
    if len(documents) != 1:
        raise UsageError(f"expected one document in {name}, found {len(documents)}", code="eval-object")
    return documents[0].value


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case datetime.timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            return str(value)
