"""`wayside status --hub`: the sites of a fleet as its hub knows them, as a table, in full, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.cli.style import Style
from reconciler.model.site_state import SiteState

__all__ = ["BAD", "details", "table"]

#: States that a person has to look at; the exit code is 1 where a site is in one.
BAD = frozenset({"Degraded", "RolledBack", "Held", "Offline"})
_HEADINGS = ("SITE", "STATE", "SINCE", "APPLIED", "BEHIND", "LAST SEEN", "WHY")


def table(sites: Sequence[Mapping[str, Any]], style: Style, *, width: int) -> list[str]:
    """Return a line for each site, and one with how many there are in each state.

    Args:
        sites: As the hub lists them.
        style: For colour.
        width: Columns of the terminal; what does not fit of the last column is cut.
    """
    if not sites:
        return ["no sites"]
    rows = [_HEADINGS, *(_row(site) for site in sites)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADINGS) - 1)]
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=True)]
        room = max(12, width - sum(widths) - 3 * len(widths))
        why = row[-1] if len(row[-1]) <= room else row[-1][: room - 1] + "…"
        cells[1] = cells[1] if number == 0 else _painted(row[1], cells[1], style)
        lines.append("   ".join([*cells, why]).rstrip())
    counts = Counter(str(site["state"]) for site in sites)
    shown = [f"{counts[state.value]} {state.value}" for state in SiteState if counts[state.value]]
    lines.append(f"{len(sites)} {'site' if len(sites) == 1 else 'sites'}: {', '.join(shown)}")
    return lines


def details(site: Mapping[str, Any], style: Style) -> list[str]:
    """Return everything that is known of a site, for people."""
    state = str(site["state"])
    since = f" since {site['since']}" if site.get("since") else ""
    head = f"{style.strong(str(site['name']))}: {_painted(state, state, style)}{since}"
    rows = [
        ("applied", _applied(site)),
        ("attempted", _attempted(site)),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(site["labels"].items()))),
        ("last seen", str(site.get("lastSeen") or "never")),
        ("before", f"{site['lastState']}" if state == SiteState.OFFLINE.value else ""),
        ("clock", _clock(site.get("clockSkew"))),
        ("agent", " on ".join(text for text in (str(site["version"]), str(site["platform"])) if text)),
        ("link", _link(site.get("link") or {})),
        ("lost", f"{site['lostEvents']} events had to be dropped" if site.get("lostEvents") else ""),
        ("conflict", str(site.get("conflict") or "")),
        *((name, "does not work") for name in site["faults"]),
        *(("unhealthy", f"{name}: {why}") for name, why in sorted(site["unhealthy"].items())),
        *(("drift", str(name)) for name in site["drift"]),
        *(("finding", str(found.get("message") or "")) for found in site["findings"]),
    ]
    why = f" ({site['reason']}: {site['message']})"
    return [head + why, *(f"  {name + ':':<11}{text}" for name, text in rows if text)]


def _row(site: Mapping[str, Any]) -> tuple[str, ...]:
    behind = site.get("behind")
    return (
        str(site["name"]),
        str(site["state"]),
        _minute(site.get("since")),
        str(site.get("applied") or "")[:10] or "-",
        "-" if behind is None else str(behind),
        _minute(site.get("lastSeen")),
        f"{site['reason']}: {site['message']}" if site.get("message") else str(site["reason"]),
    )


def _painted(state: str, text: str, style: Style) -> str:
    if state == SiteState.READY.value:
        return style.good(text)
    return style.error(text) if state in BAD else style.warning(text)


def _minute(moment: object) -> str:
    return str(moment)[:16].replace("T", " ") if moment else "-"


def _applied(site: Mapping[str, Any]) -> str:
    if not site.get("applied"):
        return "nothing yet"
    subject = f" ({site['subject']})" if site.get("subject") else ""
    return f"{str(site['applied'])[:12]} at {site.get('appliedAt') or 'a time that nobody told'}{subject}"


def _attempted(site: Mapping[str, Any]) -> str:
    if not site.get("attempted") or site["attempted"] == site.get("applied"):
        return ""
    return f"{str(site['attempted'])[:12]}, {site.get('attempt') or 'looked at'}"


def _clock(skew: object) -> str:
    if not isinstance(skew, int | float) or abs(skew) < 5:
        return ""
    return f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"


def _link(link: Mapping[str, Any]) -> str:
    if not link.get("requests"):
        return ""
    return f"{link.get('sent', 0)} bytes sent and {link.get('received', 0)} received since its agent started"
