"""`wayside eval`: what is this CEL expression on this object?"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuleError, UsageError

if TYPE_CHECKING:
    from reconciler.cli.manifests import Sources

__all__ = ["add_arguments", "run"]

_NOT_FINITE = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


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
    plain = _plain(value, as_json=options.format == "json")
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


def _plain(value: Any, *, as_json: bool) -> Any:
    """Return a value that JSON can hold, in the form that CEL's specification gives it there."""
    from reconciler.rules.cel.library.semver import Semver

    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _NOT_FINITE[str(value)]
        case bytes():
            return base64.b64encode(value).decode() if as_json else value.decode("utf-8", "backslashreplace")
        case Mapping():
            return {_key(key): _plain(item, as_json=as_json) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, as_json=as_json) for item in value]
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case datetime.timedelta():
            whole, part = divmod(abs(value) // datetime.timedelta(microseconds=1), 1_000_000)
            fraction = f".{part:06}".rstrip("0") if part else ""
            return f"{'-' if value < datetime.timedelta(0) else ''}{whole}{fraction}s"
        case _:
            return value.canonical() if isinstance(value, Semver) else str(value)


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
