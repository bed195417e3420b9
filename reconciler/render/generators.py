"""ConfigMaps and Secrets made from files, literals and env files, and the hash of their content."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.item import Item
from reconciler.render.kustomization import GeneratorArgs
from reconciler.render.scalars import check_key, is_null, plain, text_of

__all__ = ["content_hash", "make_config_map", "make_secret"]

_LINE = 70
#: A text of several lines that kustomize writes as a block and cannot read again.
_TAB_FIRST = re.compile(rb"\t(?=[^\n]*\n)(?!.* \n)", re.DOTALL)
_BOM = b"\xef\xbb\xbf"
_HASH_LETTERS = str.maketrans("013ae", "ghkmt")


def _error(args: GeneratorArgs, message: str, hint: str = "") -> RenderError:
    return RenderError(f"{message} (generator {args.name!r})", code="generator", hint=hint)


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def _file_source(args: GeneratorArgs, source: str) -> tuple[str, str]:
    match source.count("="):
        case 0:
            return posixpath.basename(source.rstrip("/")) or source, source
        case 1 if not source.startswith("=") and not source.endswith("="):
            key, _, path = source.partition("=")
            return key, path
        case _:
            raise _error(args, f"expected a file as path or key=path, found {source!r}")


def _env_pairs(args: GeneratorArgs, data: bytes, path: str) -> list[tuple[str, bytes]]:
    pairs = []
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    for number, raw in enumerate(lines):
        line = raw.removesuffix(b"\r")
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as err:
            raise _error(args, f"expected UTF-8 text in {path} line {number + 1}, found other bytes") from err
        if number == 0:
            line = line.removeprefix(_BOM)
        text = line.decode("utf-8").lstrip()
        if not text or text.startswith("#"):
            continue
        key, _, value = text.partition("=")
        if key:
            pairs.append((key, value.encode("utf-8")))
    return pairs


def _pairs(args: GeneratorArgs, load: Callable[[str], bytes]) -> dict[str, bytes]:
    pairs: list[tuple[str, bytes]] = []
    for path in args.envs:
        pairs.extend(_env_pairs(args, load(path), path))
    for literal in args.literals:
        key, equals, value = literal.partition("=")
        if not key or not equals:
            raise _error(args, "expected a literal as key=value, found one without key or =")
        pairs.append((key, _unquoted(value).encode("utf-8")))
    for source in args.files:
        key, path = _file_source(args, source)
        pairs.append((key, load(path)))
    result: dict[str, bytes] = {}
    for key, content in pairs:
        if key in result:
            raise _error(
                args, f"expected each key once, found {key!r} twice", "remove one of the two sources"
            )
        check_key(key, f"the data of {args.name}")
        result[key] = content
    return result


def _encode(data: bytes) -> str:
    text = base64.b64encode(data).decode("ascii")
    if len(text) < _LINE:
        return text
    return "".join(text[start : start + _LINE] + "\n" for start in range(0, len(text), _LINE))


def _config_map_fields(pairs: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    fields: dict[str, dict[str, str]] = {}
    for key in sorted(pairs):
        if _TAB_FIRST.match(pairs[key]):
            raise RenderError(
                f"expected no tab at the beginning of {key!r}, found one: kustomize cannot read its text",
                code="generator",
                hint="begin the text with another character",
            )
        try:
            fields.setdefault("data", {})[key] = pairs[key].decode("utf-8")
        except UnicodeDecodeError:
            fields.setdefault("binaryData", {})[key] = _encode(pairs[key])
    for field in [field for field, values in fields.items() if not values]:
        del fields[field]
    return fields


def _base(kind: str, args: GeneratorArgs) -> dict[str, Any]:
    if not args.name:
        raise _error(args, "expected a name for the generated object, found none")
    metadata: dict[str, Any] = {"name": args.name}
    if args.namespace:
        metadata["namespace"] = args.namespace
    if args.options.labels:
        metadata["labels"] = dict(args.options.labels)
    if args.options.annotations:
        metadata["annotations"] = dict(args.options.annotations)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _item(body: dict[str, Any], args: GeneratorArgs) -> Item:
    if args.options.immutable:
        body["immutable"] = True
    behavior = args.behavior if args.behavior in ("create", "merge", "replace") else "unspecified"
    return Item(body, needs_hash=not args.options.disable_hash, behavior=behavior)


def make_config_map(args: GeneratorArgs, load: Callable[[str], bytes]) -> Item:
    """Return the ConfigMap that a generator describes.

    Args:
        args: The generator.
        load: Reads a file that the generator names.

    Raises:
        RenderError: A source is not valid.
    """
    pairs = _pairs(args, load)
    return _item({**_base("ConfigMap", args), **_config_map_fields(pairs)}, args)


def make_secret(args: GeneratorArgs, load: Callable[[str], bytes]) -> Item:
    """Return the Secret that a generator describes; see `make_config_map`."""
    pairs = _pairs(args, load)
    body = _base("Secret", args)
    body["type"] = args.type or "Opaque"
    body["data"] = {key: _encode(pairs[key]) for key in sorted(pairs)}
    return _item(body, args)


def merge_generated(item: Item, old: Item, *, with_data: bool) -> None:
    """Give a generated object the identity, and for a merge the content, of the one that is there."""
    # A null has its text in labels and annotations ("~"), and none in data.
    labels = {key: text_of(value) for key, value in (*old.labels.items(), *item.labels.items())}
    annotations = {
        key: text_of(value) for key, value in (*old.annotations.items(), *item.annotations.items())
    }
    item.set_metadata("labels", labels or None)
    item.set_metadata("annotations", annotations or None)
    item.set_metadata("name", old.name)
    item.set_metadata("namespace", old.namespace or None)
    item.previous, item.prefixes, item.suffixes = old.previous, old.prefixes, old.suffixes
    item.variables = old.variables
    item.needs_hash = item.needs_hash and old.needs_hash
    item.behavior = old.behavior
    if not with_data:
        return
    body = dict(item.body)
    for field in ("data", "binaryData"):
        values = {**_texts(old.body.get(field)), **_texts(body.get(field))}
        body.pop(field, None)
        if not values:
            continue
        if field == "data":
            body.update(_config_map_fields({key: value.encode() for key, value in values.items()}))
        else:
            body[field] = values
    item.body = body


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, dict):
        return {}
    return {key: "" if value is None or is_null(value) else text_of(value) for key, value in values.items()}


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for char, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(char, escaped)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def content_hash(item: Item) -> str:
    """Return the ten letters that kustomize adds to the name of a generated object."""
    body = item.body
    kind = item.kind
    if kind not in ("ConfigMap", "Secret"):
        raise RenderError(
            f"expected a ConfigMap or Secret to hash, found {item.shown()}",
            code="hash",
            hint="remove internal.config.kubernetes.io/needsHashSuffix",
        )

    def field(name: str) -> Any:
        value = body.get(name, "")
        return plain(value) if isinstance(value, dict | list) else text_of(value)

    content: dict[str, Any] = {"kind": kind, "name": "", "data": field("data")}
    if kind == "Secret":
        content["type"] = field("type")
        extra = "stringData"
    else:
        extra = "binaryData"
    if isinstance(body.get(extra), dict):
        content[extra] = field(extra)
    digest = hashlib.sha256(_json(content).encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:10].translate(_HASH_LETTERS)
