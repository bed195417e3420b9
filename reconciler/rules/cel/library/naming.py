"""`format`: the named formats that Kubernetes validates, each with the API server's own complaints."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from reconciler.rules.cel.library import url

__all__ = ["FORMATS", "validate"]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035_MESSAGE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_KEY_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\Z")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})\Z")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _wrong(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _label(text: str) -> list[str]:
    problems = [_too_long(63)] if _bytes(text) > 63 else []
    if not re.fullmatch(_LABEL, text):
        if re.fullmatch(_SUBDOMAIN, text):
            problems.append("must not contain dots")
        else:
            problems.append(_wrong(_LABEL_MESSAGE, _LABEL, "my-name", "123-abc"))
    return problems


def _subdomain(text: str) -> list[str]:
    problems = [_too_long(253)] if _bytes(text) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, text):
        problems.append(_wrong(_SUBDOMAIN_MESSAGE, _SUBDOMAIN, "example.com"))
    return problems


def _label_1035(text: str) -> list[str]:
    problems = [_too_long(63)] if _bytes(text) > 63 else []
    if not re.fullmatch(_LABEL_1035, text):
        problems.append(_wrong(_LABEL_1035_MESSAGE, _LABEL_1035, "my-name", "abc-123"))
    return problems


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Return a check of a name's beginning: a trailing dash is fine."""
    return lambda text: check(text[:-2] + "a" if len(text) > 1 and text.endswith("-") else text)


def _qualified_name(text: str) -> list[str]:
    problems: list[str] = []
    parts = text.split("/")
    if len(parts) > 2:
        wrong = _wrong(_KEY_MESSAGE, _KEY, "MyName", "my.name", "123-abc")
        return [
            f"a valid label key {wrong} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        problems += [f"prefix part {problem}" for problem in _subdomain(parts[0])] if parts[0] else []
    if not name:
        problems.append("name part must be non-empty")
    elif _bytes(name) > 63:
        problems.append(f"name part {_too_long(63, 'bytes')}")
    if not re.fullmatch(_KEY, name):
        problems.append(f"name part {_wrong(_KEY_MESSAGE, _KEY, 'MyName', 'my.name', '123-abc')}")
    return problems


def _label_value(text: str) -> list[str]:
    problems = [_too_long(63, "bytes")] if _bytes(text) > 63 else []
    if not re.fullmatch(f"({_KEY})?", text):
        problems.append(_wrong(_VALUE_MESSAGE, f"({_KEY})?", "MyValue", "my_value", "12345"))
    return problems


def _is_date(text: str) -> bool:
    if not _DATE.match(text):
        return False
    year = int(text[:4])
    try:
        datetime.date(year or 4, int(text[5:7]), int(text[8:]))  # the year 0 is a leap year, as 4 is
    except ValueError:
        return False
    return True


def _is_datetime(text: str) -> bool:
    parts = text.lower().split("t")
    if len(text) < 4 or len(parts) < 2 or not _is_date(parts[0]):
        return False
    match = _TIME.match(parts[1])
    return match is not None and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def _uri(text: str) -> list[str]:
    problem = url.request_uri_problem(text)
    return [problem] if problem else []


def _simple(good: Callable[[str], object], problem: str) -> Callable[[str], list[str]]:
    return lambda text: [] if good(text) else [problem]


#: Name of each format, and its check: the complaints about a text, none where it is fine.
FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": _label,
    "dns1123Subdomain": _subdomain,
    "dns1035Label": _label_1035,
    "qualifiedName": _qualified_name,
    "dns1123LabelPrefix": _prefix(_label),
    "dns1123SubdomainPrefix": _prefix(_subdomain),
    "dns1035LabelPrefix": _prefix(_label_1035),
    "labelValue": _label_value,
    "uri": _uri,
    "uuid": _simple(_UUID.match, "does not match the UUID format"),
    "byte": _simple(_BASE64.match, "invalid base64"),
    "date": _simple(_is_date, "invalid date"),
    "datetime": _simple(_is_datetime, "invalid datetime"),
}


def validate(name: str, text: str) -> list[str]:
    """Return what is wrong with a text by a named format; empty where nothing is."""
    return FORMATS[name](text)
