"""Strategic merge, as kustomize does it: maps by field, built-in lists by their keys, `$patch` directives.

Values are never changed; what a merge leaves alone is shared with what went in.
"""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import MISSING
from reconciler.render.scalars import (
    CoercedText,
    LinkedText,
    NullText,
    PlainText,
    TimeText,
    is_null,
    reads_as_word,
    resolve_legacy,
    text_of,
)
from reconciler.render.schema import ListMerge, Schema, SchemaTable
from reconciler.render.styles import Styles

__all__ = ["Merger"]

_DIRECTIVE = "$patch"
_DIRECTIVES = ("delete", "replace", "merge")


def _absent(value: Any) -> bool:
    return value is MISSING or is_null(value)


class Merger:
    """Merges one patch into one resource.

    Args:
        schemas: The schemas of known kinds.
        styles: Which strings stood in quotes.
        odd: Whether the resource or the patch holds scalars with a text of their own.
        merged: Whether a patch was merged into the resource before.
        restyled: Whether the resource went through JSON before.
    """

    def __init__(
        self,
        schemas: SchemaTable,
        styles: Styles,
        *,
        odd: bool,
        merged: bool = False,
        restyled: bool = False,
    ) -> None:
        self._merged = merged
        self._restyled = restyled
        self._schemas = schemas
        self._styles = styles
        self._odd = odd
        #: Whether the result holds a scalar with a text of its own that came from neither side.
        self.made_odd = False
        #: New values of linked labels and annotations, by the identity of the old one.
        self.relinked: dict[int, tuple[LinkedText, Any]] = {}

    def merge(self, dest: Any, patch: Any) -> Any:
        """Return the resource `dest` with `patch` merged in, or `MISSING` if the patch deletes it."""
        return self._walk(dest, patch, None, ())

    def _walk(self, dest: Any, patch: Any, schema: Any, path: tuple[str, ...]) -> Any:
        first = patch if _absent(dest) else dest
        kind = first.__class__
        if kind is dict or _absent(first):
            self._expect(dest, patch, dict, path)
            return self._map(dest, patch, schema, path)
        if kind is list:
            self._expect(dest, patch, list, path)
            if isinstance(schema, ListMerge):
                return self._list(dest, patch, schema, path)
            if patch is MISSING:
                return dest
            return MISSING if is_null(patch) else patch
        if patch is MISSING:
            if dest.__class__ is PlainText and not isinstance(resolve_legacy(dest), str):
                return self._styles.quote(dest)
            return dest
        if isinstance(patch, dict | list):
            raise self._mismatch(dest, patch, path)
        return self._scalar(dest, patch)

    def _scalar(self, dest: Any, patch: Any) -> Any:
        if is_null(patch):
            return MISSING
        if dest is MISSING or dest is patch:
            return patch
        value = patch
        quoted = self._styles.quoted(dest, merged=self._merged, restyled=self._restyled)
        if quoted and (not isinstance(patch, str) or isinstance(patch, TimeText)):
            value = CoercedText(text_of(patch))
            self.made_odd = True
        elif isinstance(patch, TimeText):
            value = patch
        elif isinstance(patch, str) and quoted != self._styles.quoted(patch):
            value = self._styles.quote(patch) if quoted else self._plain(self._styles.unquote(patch))
        elif not quoted and reads_as_word(patch):
            value = self._plain(patch)
        if isinstance(dest, LinkedText):
            self.relinked[id(dest)] = (dest, value)
            return dest
        return value

    def _plain(self, text: str) -> str:
        """Return a text as a string that has no quotes, whether or not it needs them."""
        if not self._styles.quoted(text) and not reads_as_word(text):
            return text
        self.made_odd = True
        return PlainText(text)

    def _map(self, dest: Any, patch: Any, schema: Any, path: tuple[str, ...]) -> Any:
        if _absent(dest):
            if patch is MISSING:
                return dest if is_null(dest) and _text_of_null(dest) else MISSING
            if is_null(patch):
                return MISSING
            directive, patch = self._map_directive(patch, path)
            if directive == "delete":
                return MISSING
            dest = patch
        elif patch is not MISSING:
            if is_null(patch):
                return MISSING
            itself = dest is patch
            directive, patch = self._map_directive(patch, path)
            if directive == "delete":
                return MISSING
            if directive == "replace" or itself:
                dest = patch
        if schema is None:
            schema = self._schema_of(dest, patch)
        fields = schema.fields if isinstance(schema, Schema) else {}
        if patch is MISSING:
            return self._normalize(dest, fields, path)
        same = dest is patch
        changed: dict[str, Any] | None = None
        walk = self._walk
        for name in sorted(patch) if same else sorted({**dest, **patch}):
            old = dest.get(name, MISSING)
            new = walk(old, patch.get(name, MISSING), fields.get(name), (*path, name))
            if new is old:
                continue
            if changed is None:
                changed = dict(dest)
            if new is MISSING:
                del changed[name]
            else:
                changed[name] = new
        return dest if changed is None else changed

    def _normalize(self, dest: dict[str, Any], fields: dict[str, Any], path: tuple[str, ...]) -> Any:
        """Return a map that the patch does not touch, with what kustomize tidies on the way."""
        changed: dict[str, Any] | None = None
        for name in dest if self._odd else fields:
            old = dest.get(name, MISSING)
            if old is MISSING:
                continue
            new = self._walk(old, MISSING, fields.get(name), (*path, name))
            if new is old:
                continue
            if changed is None:
                changed = dict(dest)
            if new is MISSING:
                del changed[name]
            else:
                changed[name] = new
        return dest if changed is None else changed

    def _schema_of(self, dest: Any, patch: Any) -> Schema | None:
        for value in (dest, patch):
            if value.__class__ is dict and value.get("kind") and value.get("apiVersion"):
                found = self._schemas.of(value["apiVersion"], value["kind"])
                if found is not None:
                    return found
        return None

    def _map_directive(self, patch: dict[str, Any], path: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        if _DIRECTIVE not in patch:
            return "merge", patch
        value = text_of(patch[_DIRECTIVE])
        if value not in _DIRECTIVES:
            raise self._error(f"expected $patch to be delete, replace or merge, found {value[:40]!r}", path)
        return value, {name: child for name, child in patch.items() if name != _DIRECTIVE}

    def _list_directive(self, patch: list[Any], path: tuple[str, ...]) -> tuple[str, list[Any]]:
        marked = next((child for child in patch if child.__class__ is dict and _DIRECTIVE in child), None)
        if marked is None or len(marked) > 1:
            return "merge", patch
        value = text_of(marked[_DIRECTIVE])
        if value not in _DIRECTIVES:
            raise self._error(f"expected $patch to be delete, replace or merge, found {value[:40]!r}", path)
        return value, _set_element(patch, MISSING, (_DIRECTIVE,), (value,))

    def _list(self, dest: Any, patch: Any, schema: ListMerge, path: tuple[str, ...]) -> Any:
        if _absent(dest):
            if _absent(patch):
                return MISSING
            dest = patch
        elif is_null(patch) and patch is not MISSING:
            return MISSING
        elif patch is not MISSING:
            itself = dest is patch
            directive, patch = self._list_directive(patch, path)
            if directive == "delete":
                return MISSING
            if directive == "replace" or itself:
                dest = patch
        if patch is MISSING and self._is_tidy(dest, schema, path):
            return dest
        return self._elements(dest, patch, schema, path)

    def _is_tidy(self, dest: list[Any], schema: ListMerge, path: tuple[str, ...]) -> bool:
        """Return whether merging nothing into a list would leave it as it is."""
        if not schema.keys:
            return len({text_of(child) for child in dest}) == len(dest) and all(
                isinstance(child, str) for child in dest
            )
        if len(schema.keys) > 1:
            return False
        seen = set()
        for child in dest:
            if child.__class__ is not dict or not child:
                return False
            value = child.get(schema.keys[0])
            if not value or isinstance(value, dict | list) or value in seen:
                return False
            seen.add(value)
            if self._walk(child, MISSING, schema.elements, path) is not child:
                return False
        return True

    def _elements(self, dest: list[Any], patch: Any, schema: ListMerge, path: tuple[str, ...]) -> Any:
        sources = [patch, dest] if patch is not MISSING else [dest]
        wanted: list[tuple[str, ...]] = []
        keys = schema.keys
        for source in sources:
            for child in source:
                values = tuple(_key_text(child, key) for key in keys) if keys else (text_of(child),)
                if values not in wanted:
                    wanted.append(values)
        keys = keys or ("",)
        if len(keys) > 1:
            wanted = _join_values(wanted)
        added: list[Any] = []
        use_keys: tuple[str, ...] = ()
        for values in wanted:
            use_keys, use_values = _valid_keys(wanted, values, keys)
            pair_keys, pair_values = _valid_keys([use_values], use_values, use_keys)
            old = _find_element(dest, pair_keys, pair_values)
            change = MISSING if patch is MISSING else _find_element(patch, pair_keys, pair_values)
            value = self._walk(old, change, schema.elements, path)
            if _absent(value) or value == {}:
                for _ in use_keys:
                    dest = _set_element(dest, MISSING, use_keys, use_values)
                continue
            for key, text in zip(use_keys, use_values, strict=False):
                if key and text and isinstance(value, dict) and key not in value:
                    value = {**value, key: _untagged(text)}
            if value is not old and old.__class__ is dict and not _replaces(change):
                dest = [value if child is old else child for child in dest]
            added = _set_element(added, value, use_keys, use_values)
        if wanted:
            return _append(added, dest, use_keys)
        return dest

    def _expect(self, dest: Any, patch: Any, kind: type, path: tuple[str, ...]) -> None:
        for value in (dest, patch):
            if not _absent(value) and value.__class__ is not kind:
                raise self._mismatch(dest, patch, path)

    def _mismatch(self, dest: Any, patch: Any, path: tuple[str, ...]) -> RenderError:
        return self._error(f"expected {_kind_name(dest)} as in the resource, found {_kind_name(patch)}", path)

    def _error(self, message: str, path: tuple[str, ...]) -> RenderError:
        error = RenderError(message, code="patch-conflict", hint="give the field in the patch the same shape")
        error.field = path  # type: ignore[attr-defined] # read where the patch's place is known
        return error


def _kind_name(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else "a scalar"


def _text_of_null(value: Any) -> str:
    return value.text if isinstance(value, NullText) else "null"


def _key_text(element: Any, key: str) -> str:
    if element.__class__ is not dict:
        return ""
    value = element.get(key)
    if value is None or is_null(value) or value in ({}, []):
        return ""
    return text_of(value)


def _replaces(patch: Any) -> bool:
    return patch.__class__ is dict and text_of(patch.get(_DIRECTIVE, "")) == "replace"


def _untagged(text: str) -> Any:
    from reconciler.render.scalars import plain, resolve

    return plain(resolve(text))


def _join_values(wanted: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Fill gaps of key values from other elements that agree in the rest."""
    for first in range(len(wanted)):
        for second in range(len(wanted)):
            one, other = wanted[first], wanted[second]
            common = False
            joined = []
            for left, right in zip(one, other, strict=True):
                if left == right:
                    common = True
                elif left and right:
                    break
                joined.append(left or right)
            else:
                if common:
                    wanted[first] = wanted[second] = tuple(joined)
    return wanted


def _valid_keys(
    wanted: list[tuple[str, ...]], values: tuple[str, ...], keys: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys that some element has, and the values that go with them."""
    used = {keys[number] for each in wanted for number, value in enumerate(each) if value}
    if not used:
        return keys, values
    return (
        tuple(key for key in keys if key in used),
        tuple(value for number, value in enumerate(values) if value or keys[number] in used),
    )


def _find_element(elements: list[Any], keys: tuple[str, ...], values: tuple[str, ...]) -> Any:
    if not keys or not keys[0]:
        wanted = values[0] if values else ""
        return next((child for child in elements if text_of(child) == wanted), MISSING)
    if len(keys) != len(values):
        return MISSING
    for child in elements:
        if child.__class__ is not dict:
            continue
        if all(
            key in child and text_of(child[key]) == value for key, value in zip(keys, values, strict=True)
        ):
            return child
    return MISSING


def _matches(element: Any, keys: tuple[str, ...], values: tuple[str, ...]) -> bool:
    matched = False
    for number, key in enumerate(keys):
        if number < len(values):
            if not key:
                if isinstance(element, dict | list):
                    raise RenderError(
                        "expected scalars in the list, found a map or a list", code="patch-conflict"
                    )
                matched = text_of(element) == values[number]
            else:
                if element.__class__ is not dict:
                    raise RenderError("expected maps in the list, found a scalar", code="patch-conflict")
                matched = key in element and (not values[number] or text_of(element[key]) == values[number])
        if not matched:
            return False
    return matched


def _set_element(
    elements: list[Any], element: Any, keys: tuple[str, ...], values: tuple[str, ...]
) -> list[Any]:
    """Return a list with the elements that match replaced (removed for `MISSING`), or appended."""
    keys = keys or ("",)
    by_map = bool(keys[0] and values and values[0])
    result = []
    found = False
    for child in elements:
        if is_null(child) or child == {}:
            continue
        if by_map and child.__class__ is not dict:
            result.append(child)
            continue
        if not _matches(child, keys, values):
            if values:
                result.append(child)
            continue
        found = True
        if element is not MISSING:
            result.append(element)
    if element is not MISSING and not is_null(element) and not found:
        result.append(element)
    return result


def _append(target: list[Any], source: list[Any], keys: tuple[str, ...]) -> list[Any]:
    for child in source:
        if not keys or not keys[0]:
            target = _set_element(target, child, ("",), (text_of(child),))
            continue
        values: list[str] = []
        for key in keys:
            value = child.get(key, MISSING) if isinstance(child, dict) else MISSING
            if value is MISSING:
                target = [*target, child]
            else:
                values.append(text_of(value))
        if len(keys) > 1:
            target = _set_element(target, MISSING, keys, tuple(values))
        target = _set_element(target, child, keys, tuple(values))
    return target
