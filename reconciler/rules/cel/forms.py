"""The texts that stand for an opaque value: the canonical one, and another where it is read from that."""

from __future__ import annotations

from reconciler.rules.cel.library import network, quantity, semver, url
from reconciler.rules.cel.library.catalog import Format

__all__ = ["form_of"]


def form_of(value: object) -> tuple[str, str, str] | None:
    """Return type, canonical text and source of an opaque value, or None for any other value.

    Equal values have equal canonical texts. The source is "" where the canonical text gives the same value.
    """
    match value:
        case quantity.Quantity():
            text = value.canonical()
            source = f"{value.unscaled}e{value.scale}{'' if value.compact else 'd'}"
            return "kubernetes.Quantity", text, "" if source == text else source
        case network.Ip():
            return "net.IP", str(value), ""
        case network.Cidr():
            return "net.CIDR", str(value), ""
        case url.Url():
            return "kubernetes.URL", str(value), ""
        case semver.Semver():
            return "kubernetes.Semver", value.canonical(), ""
        case Format():
            return "kubernetes.NamedFormat", value.name, ""
        case _:
            return None
