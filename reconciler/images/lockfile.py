"""Writing `images.lock`: sorted, one line a value, comments kept, unchanged entries as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.model.lock import LockedImage, normalized

__all__ = ["format_lock", "lock_order", "same_entry"]

_HEADER = "# Written by `wayside images lock`."
_LIST = re.compile(r"images:[ \t]*(?P<comment>#.*)?\Z")
_EMPTY_LIST = re.compile(r"images:[ \t]*\[[ \t]*\][ \t]*(?P<comment>#.*)?\Z")
_DASH = re.compile(r"(?P<indent> *)-(?= )")
_KEY = re.compile(r" *(?:- +)?(?P<key>[A-Za-z]+):(?P<value>.*)\Z")
_ITEM = re.compile(r" *- +(?P<value>\S.*)\Z")
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9._/:@+-]*\Z")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 does not hold to be printable: with it in a comment, nobody could read the lock."""
_NOT_PLAIN = re.compile(r"(?i)(true|false|yes|no|on|off|null|y|n|nan|inf)\Z|.*:\Z|.*: ")


def lock_order(image: LockedImage) -> tuple[str, str, str]:
    """Return a key by which entries are sorted: repository, tag, digest."""
    return normalized(image.name), image.tag, image.digest


def same_entry(one: LockedImage, other: LockedImage) -> bool:
    """Tell whether two entries say the same, wherever they stand."""
    return replace(one, at=None) == replace(other, at=None)


def format_lock(
    images: Sequence[LockedImage], *, before: bytes = b"", known: Sequence[LockedImage] = ()
) -> bytes:
    """Return the text of `images.lock`.

    Args:
        images: What it is to say, in any order.
        before: What the file says now, b"" where there is none.
        known: The entries that `before` says, in its order; comments above and in an entry stay with it.
    """
    text = _UNREADABLE.sub("\ufffd", before.decode("utf-8", "replace").removeprefix("\ufeff"))
    old = _split(text.splitlines(), len(known))
    blocks = dict(zip((_identity(each) for each in known), zip(known, old.blocks, strict=True), strict=True))
    lines = list(old.head)
    if not images:
        lines[-1] = lines[-1].replace("images:", "images: []", 1)
    for image in sorted(images, key=lock_order):
        previous, block = blocks.get(_identity(image), (None, _Block((), ())))
        lines += block.above
        if previous is not None and same_entry(previous, image):
            lines += block.lines
        else:
            lines += _commented(_entry(image), block.lines)
    lines += old.tail
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Block:
    """One entry of the old text: comments above it, and its lines."""

    above: Sequence[str]
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Parts:
    head: Sequence[str]
    blocks: Sequence[_Block]
    tail: Sequence[str]


def _identity(image: LockedImage) -> tuple[str, str]:
    return normalized(image.name), image.tag or f"@{image.digest}"


def _split(lines: Sequence[str], count: int) -> _Parts:
    """Split a file into what stands above the list, its entries and what follows.

    A file in another style than this module's own is written anew; of it, the comments above the list stay.
    """
    top = next(
        (n for n, line in enumerate(lines) if not (line.startswith("#") or not line.strip())), len(lines)
    )
    if top < len(lines) and lines[top].strip() == "---":
        top += 1
    comments = [line for line in lines[:top] if line.startswith("#") or line.strip() == "---"]
    anew = _Parts([*(comments or [_HEADER]), "images:"], [_Block((), ())] * count, ())
    if top >= len(lines):
        return anew
    rest = lines[top + 1 :]
    head = _LIST.match(lines[top])
    empty = _EMPTY_LIST.match(lines[top])
    if empty is not None and all(not line.strip() or line.lstrip().startswith("#") for line in rest):
        comment = f"  {empty['comment']}" if empty["comment"] else ""
        return _Parts([*lines[:top], f"images:{comment}"], (), rest)
    first = next((match for line in rest if (match := _DASH.match(line))), None)
    if head is None or first is None:
        return anew
    starts = [n for n, line in enumerate(rest) if line.startswith(f"{first['indent']}- ")]
    if len(starts) != count or first["indent"] != "  ":
        return anew
    blocks: list[_Block] = []
    cuts = [_above(rest, start) for start in starts]
    end = len(rest)
    while end > starts[-1] and _is_remark(rest[end - 1]):
        end -= 1
    for number, start in enumerate(starts):
        stop = cuts[number + 1] if number + 1 < count else end
        blocks.append(_Block(rest[cuts[number] : start], rest[start:stop]))
    return _Parts([*lines[: top + 1], *rest[: cuts[0]]], blocks, rest[end:])


def _above(lines: Sequence[str], start: int) -> int:
    """Return where the comments and blank lines directly above a line begin."""
    while start > 0 and _is_remark(lines[start - 1]):
        start -= 1
    return start


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _entry(image: LockedImage) -> Iterator[str]:
    yield f"  - name: {_scalar(image.name)}"
    if image.tag:
        yield f"    tag: {json.dumps(image.tag)}"
    yield f"    digest: {image.digest}"
    if image.platforms:
        yield "    platforms:"
        for each in image.platforms:
            yield f"      - platform: {each.platform}"
            yield f"        digest: {each.digest}"
            yield f"        size: {each.size}"
    else:
        yield "    platforms: []"
    if image.signatures:
        yield "    signatures:"
        yield from (f"      - {digest}" for digest in image.signatures)
    if image.resolved_at:
        yield f"    resolvedAt: {json.dumps(image.resolved_at)}"


def _scalar(text: str) -> str:
    """Write a repository's name; one that YAML could take for something else in quotes."""
    return text if _PLAIN.match(text) and not _NOT_PLAIN.match(text) else json.dumps(text, ensure_ascii=False)


def _commented(lines: Iterator[str], old: Sequence[str]) -> Iterator[str]:
    """Yield new lines with the comments that stood in the old ones, beside or above the same value."""
    beside: dict[str, str] = {}
    above: dict[str, list[str]] = {}
    waiting: list[str] = []
    place = ""
    for line in old:
        if _is_remark(line):
            waiting += [line] if line.strip() else []
            continue
        place = _place(line, place)
        comment = _comment(line)
        if comment:
            beside[place] = comment
        if waiting:
            above[place], waiting = waiting, []
    place = ""
    for line in lines:
        place = _place(line, place)
        yield from above.pop(place, ())
        comment_text = beside.get(place)
        yield f"{line}  {comment_text}" if comment_text else line
    # What stood above a value that is gone says something of the entry still.
    for remarks in above.values():
        yield from remarks
    yield from waiting


def _comment(line: str) -> str:
    """Return the comment that ends a line, or ""; a `#` within quotes begins none."""
    quote = ""
    for at, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#" and line[at - 1 : at].isspace():
            return line[at:]
    return ""


def _place(line: str, before: str) -> str:
    """Name what a line is of: `tag`, or `linux/arm64 size` within a platform."""
    found = _KEY.match(line)
    if found is None or line.lstrip().startswith("- sha256:"):
        item = _ITEM.match(line)
        return f"signature {item['value'].split()[0]}" if item else line.strip()
    key = found["key"]
    if key == "platform":
        return f"{found['value'].split()[0] if found['value'].split() else ''} platform"
    inside = before.rpartition(" ")[0] if before.endswith((" platform", " digest", " size")) else ""
    if inside and key in {"digest", "size"} and line.startswith("        "):
        return f"{inside} {key}"
    return key
