"""`x-kubernetes-validations`: rules in CEL within the schema of a custom resource.

A rule sees `self`, the value at its place of the schema, converted by the schema: a `number` is a double, a
`date-time` a timestamp, a `byte` string bytes, and names of properties are escaped where CEL could not
write them.
A transition rule (one that uses `oldSelf`) runs where there is an old value.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.types.formats import parse_duration, parse_time
from reconciler.rules.types.problem import Problem, json_type, shown

if TYPE_CHECKING:
    from reconciler.rules.cel import Environment, Program

__all__ = ["Expressions", "escape", "has_rules"]

Schema = Mapping[str, Any]

_RULES = "x-kubernetes-validations"
_LONGEST = 200
_WORDS = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"),
        *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
_PARTS = re.compile(r"__|\.|-|/")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_STEP = re.compile(r"\.([A-Za-z_$][\w$-]*)|\['([^']*)'\]|\[\"([^\"]*)\"\]")


def escape(name: str) -> str | None:
    """Return a property's name as CEL writes it, or None where it cannot be written."""
    if not _NAME.match(name):
        return None
    if name in _WORDS:
        return f"__{name}__"
    return _PARTS.sub(lambda match: _ESCAPES[match[0]], name)


def has_rules(schema: Schema) -> bool:
    """Tell whether there is a rule anywhere in a schema."""
    if schema.get(_RULES):
        return True
    more, items = schema.get("additionalProperties"), schema.get("items")
    inside = [*(schema.get("properties") or {}).values(), more, items]
    return any(isinstance(each, Mapping) and has_rules(each) for each in inside)


@dataclass(frozen=True, slots=True)
class _Rule:
    text: str
    program: Program
    message: str
    message_program: Program | None
    path: FieldPath
    reason: str
    optional_old: bool
    is_transition: bool


class Expressions:
    """Compiles and evaluates the rules of schemas, each once.

    Args:
        kubernetes: The version whose CEL environment counts, such as `1.33`.
    """

    def __init__(self, kubernetes: str) -> None:
        self._kubernetes = kubernetes
        self._made: Environment | None = None
        self._values = _Values("native")
        # By the identity of the schema, which is kept alive beside.
        self._rules: dict[int, tuple[Schema, tuple[_Rule | Problem, ...]]] = {}

    @property
    def _environment(self) -> Environment:
        if self._made is None:
            from reconciler.rules.cel import Environment

            self._made = Environment(kubernetes=self._kubernetes, variables={"self": "dyn", "oldSelf": "dyn"})
        return self._made

    def compile_problems(self, schema: Schema, path: FieldPath) -> Iterator[Problem]:
        """Yield the rules of one node of a schema that do not compile; paths are within the schema."""
        for each in self._compiled(schema):
            if isinstance(each, Problem):
                yield Problem((*path, _RULES, *each.path), each.message, each.hint)

    def problems(
        self, schema: Schema, value: Any, old: Any = None, *, root: bool = True, path: FieldPath = ()
    ) -> Iterator[Problem]:
        """Yield the rules that a value breaks.

        Args:
            schema: The schema of the value.
            value: The value, valid and with defaults.
            old: The value before, or None.
            root: Whether it is the whole object.
            path: Where it stands.
        """
        if value is None:
            return
        for rule in self._compiled(schema):
            if isinstance(rule, Problem):
                yield Problem(path, f"Invalid value: rule compile error: {rule.message}")
            else:
                yield from self._judge(rule, schema, value, old, root=root, path=path)
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, item in value.items():
                of_field = properties.get(name, more)
                if isinstance(of_field, Mapping) and not (root and name == "metadata"):
                    yield from self.problems(of_field, item, before.get(name), root=False, path=(*path, name))
        elif isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
            for index, item in enumerate(value):
                yield from self.problems(
                    items, item, _correlated(schema, item, old), root=False, path=(*path, index)
                )

    def _judge(
        self, rule: _Rule, schema: Schema, value: Any, old: Any, *, root: bool, path: FieldPath
    ) -> Iterator[Problem]:
        from reconciler.rules.cel import CelEvaluationError

        if rule.is_transition and old is None and not rule.optional_old:
            return
        before = None if old is None else self._values.convert(schema, old, root=root)
        values = {
            "self": self._values.convert(schema, value, root=root),
            "oldSelf": ([] if old is None else [before]) if rule.optional_old else before,
        }
        try:
            holds = rule.program.evaluate(values)
        except CelEvaluationError as err:
            yield Problem(
                path,
                f'Invalid value: "{json_type(value)}": {err.message[:_LONGEST]} evaluating rule: {rule.text}',
                err.hint,
            )
            return
        if holds is True:
            return
        message = rule.message
        if rule.message_program is not None:
            message = _said(rule.message_program, values) or message
        yield Problem((*path, *rule.path), _refusal(rule.reason, value, message))

    def _compiled(self, schema: Schema) -> tuple[_Rule | Problem, ...]:
        known = self._rules.get(id(schema))
        if known is None:
            rules = schema.get(_RULES)
            made = tuple(self._compile(i, each) for i, each in enumerate(rules)) if rules else ()
            known = self._rules[id(schema)] = (schema, made)
        return known[1]

    def _compile(self, index: int, rule: Any) -> _Rule | Problem:
        from reconciler.rules.cel import CelCompileError

        if not isinstance(rule, Mapping) or not isinstance(rule.get("rule"), str) or not rule["rule"].strip():
            return Problem((index, "rule"), "Required value: rule is not specified")
        optional = rule.get("optionalOldSelf") is True
        field, program = "rule", None
        try:
            program = self._environment.compile(_with_optional(rule["rule"]) if optional else rule["rule"])
            field = "messageExpression"
            text = rule.get("messageExpression")
            said = None
            if text:
                said = self._environment.compile(_with_optional(text) if optional else text)
        except CelCompileError as err:
            return Problem((index, field), f"compilation failed: {err.message}")
        message = rule.get("message") or f"failed rule: {rule['rule'].strip()}"
        return _Rule(
            text=str(rule.get("message") or rule["rule"]).strip(),
            program=program,
            message=str(message).strip(),
            message_program=said,
            path=tuple(a or b or c for a, b, c in _STEP.findall(str(rule.get("fieldPath") or ""))),
            reason=str(rule.get("reason") or ""),
            optional_old=optional,
            is_transition="oldSelf" in program.variables,
        )


def _with_optional(text: str) -> str:
    """Make `oldSelf` an optional value: the variable holds a list of no or one old value."""
    return f"[oldSelf.size() == 0 ? optional.none() : optional.of(oldSelf[0])].map(oldSelf, (\n{text}\n))[0]"


def _refusal(reason: str, value: Any, message: str) -> str:
    match reason:
        case "FieldValueRequired":
            return f"Required value: {message}"
        case "FieldValueForbidden":
            return f"Forbidden: {message}"
        case "FieldValueDuplicate":
            return f"Duplicate value: {shown(value)}"
        case _ if isinstance(value, dict | list):
            return f"Invalid value: {message}"
        case _:
            return f"Invalid value: {shown(value)}: {message}"


def _said(program: Program, values: Mapping[str, Any]) -> str:
    from reconciler.rules.cel import CelEvaluationError

    try:
        said = program.evaluate(values)
    except CelEvaluationError:
        return ""
    if not isinstance(said, str) or not said.strip() or "\n" in said:
        return ""
    return said.strip()


def _correlated(schema: Schema, item: Any, old: Any) -> Any:
    """Return the old entry of a list that is the same as a new one: by the keys of a list that is a map."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return None
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    wanted = [item.get(key) for key in keys] if isinstance(item, dict) else None
    for each in old:
        if isinstance(each, dict) and [each.get(key) for key in keys] == wanted:
            return each
    return None


class _Values:
    """Converts values to what CEL sees of them.

    Args:
        engine: The engine that they are for.
    """

    def __init__(self, engine: str) -> None:
        self._moment = _as_message if engine == "native" else _as_it_is

    def convert(self, schema: Schema, value: Any, *, root: bool = False) -> Any:
        """Return a value as CEL sees it."""
        match value:
            case dict():
                return self._object(schema, value, root=root)
            case list():
                items = schema.get("items")
                if not isinstance(items, Mapping):
                    return value
                return [self.convert(items, item) for item in value]
            case bool() | None:
                return value
            case int() if schema.get("type") == "number":
                return float(value)
            case float() if schema.get("type") == "integer":
                return int(value)
            case str():
                return self._text(schema.get("format"), value)
            case _:
                return value

    def _object(self, schema: Schema, value: dict[str, Any], *, root: bool) -> dict[str, Any]:
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        resource = root or schema.get("x-kubernetes-embedded-resource") is True
        if isinstance(more, Mapping) and not properties:
            return {name: self.convert(more, item) for name, item in value.items()}
        result: dict[str, Any] = {}
        for name, item in value.items():
            if resource and name == "metadata":
                inside = item if isinstance(item, dict) else {}
                result[name] = {key: inside[key] for key in ("name", "generateName") if key in inside}
            elif resource and name in ("apiVersion", "kind"):
                result[name] = item
            elif name in properties and (written := escape(name)) is not None:
                result[written] = self.convert(properties[name], item)
            elif name not in properties and schema.get("x-kubernetes-preserve-unknown-fields"):
                result[name] = item
        return result

    def _text(self, form: Any, value: str) -> Any:
        match form:
            case "date" | "date-time":
                at = parse_time(value)
                return value if at is None else self._moment(at)
            case "duration":
                span = parse_duration(value)
                return value if span is None else self._moment(span)
            case "byte":
                try:
                    return base64.b64decode(value, validate=True)
                except ValueError:
                    return value
            case _:
                return value


def _as_it_is(value: datetime.datetime | datetime.timedelta) -> Any:
    return value


def _as_message(value: datetime.datetime | datetime.timedelta) -> Any:
    """Return a time as the message of protobuf, which the native engine takes inside of other values."""
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    if isinstance(value, datetime.timedelta):
        span = Duration()
        span.FromTimedelta(value)
        return span
    at = Timestamp()
    at.FromDatetime(value)
    return at
