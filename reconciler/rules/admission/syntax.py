"""What names, label keys and identifiers may look like (`k8s.io/apimachinery/pkg/util/validation`)."""

from __future__ import annotations

import re

__all__ = [
    "cel_identifier_fault",
    "dns_label_fault",
    "dns_subdomain_fault",
    "label_value_fault",
    "path_segment_fault",
    "qualified_name_fault",
]

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_DNS1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?\Z")
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?\Z")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*\Z")
_RESERVED = frozenset(
    {
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)


def dns_subdomain_fault(text: str) -> str:
    """Return why a text is no lower-case RFC 1123 subdomain, or ""."""
    if len(text) > 253:
        return "expected at most 253 characters"
    if _SUBDOMAIN.match(text) is None:
        return "expected lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    return ""


def dns_label_fault(text: str) -> str:
    """Return why a text is no RFC 1035 label, or ""."""
    if len(text) > 63:
        return "expected at most 63 characters"
    if _DNS1035.match(text) is None:
        return "expected lower-case letters, digits and '-', beginning with a letter"
    return ""


def qualified_name_fault(text: str) -> str:
    """Return why a text is no qualified name (`name` or `prefix/name`), or ""."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        if "/" in prefix:
            return "expected at most one '/'"
        if not prefix:
            return "expected a prefix before the '/'"
        if fault := dns_subdomain_fault(prefix):
            return f"in the prefix: {fault}"
    if not name:
        return "expected a name"
    if len(name) > 63:
        return "expected a name of at most 63 characters"
    if _NAME.match(name) is None:
        return "expected letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    return ""


def label_value_fault(text: str) -> str:
    """Return why a text is no label value, or ""."""
    if len(text) > 63:
        return "expected at most 63 characters"
    if text and _NAME.match(text) is None:
        return "expected letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    return ""


def path_segment_fault(text: str) -> str:
    """Return why a text cannot be the name of an object in a URL, or ""."""
    if text in {".", ".."} or "/" in text or "%" in text:
        return "expected a name without '/' and '%' that is not '.' or '..'"
    return ""


def cel_identifier_fault(text: str) -> str:
    """Return why a text cannot be the name of a variable, or ""."""
    if _IDENTIFIER.match(text) is None:
        return "expected a CEL identifier: letters, digits and '_', not beginning with a digit"
    return f"expected a CEL identifier, and {text!r} is a reserved word" if text in _RESERVED else ""
