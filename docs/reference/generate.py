"""Write the pages of `docs/reference/` from the code: `python docs/reference/generate.py`."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from functools import partial
from pathlib import Path

from reconciler.agent.vitals import AGENT_METRICS
from reconciler.cli.main import COMMANDS
from reconciler.events import event_schema, file_name
from reconciler.hub.metrics import HUB_METRICS
from reconciler.model.event import EventType
from reconciler.model.metric import MetricFamily

_NOTE = "<!-- Made from the code by docs/reference/generate.py; change that. -->\n"
_ROOT = Path(__file__).resolve().parents[2]


def commands() -> str:
    """Return the page of all commands with their arguments."""
    parts = [_NOTE, "# Commands\n"]
    for command in COMMANDS:
        parser = argparse.ArgumentParser(
            prog=f"wayside {command.name}",
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=98),
            allow_abbrev=False,
        )
        importlib.import_module(command.module).add_arguments(parser)
        text = f"{command.summary[0].upper()}{command.summary[1:]}."
        parts.append(
            f"## `wayside {command.name}`\n\n{text}\n\n```text\n{parser.format_help().rstrip()}\n```\n"
        )
    parts.append("Exit codes: 0 fine, 1 findings or a refused sync, 2 usage or environment error.\n")
    return "\n".join(parts)


def schemas() -> str:
    """Return the page of all published schemas, with their fields at the top."""
    parts = [_NOTE, "# Schemas\n", "`wayside export schemas` writes them, for editors and other tools.\n"]
    for path in sorted((_ROOT / "reconciler").glob("**/schemas/*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## `{path.stem}`\n\n{schema.get('description', schema.get('title', ''))}\n")
        spec = schema.get("properties", {}).get("spec", {}).get("properties") or schema.get("properties", {})
        rows = [
            f"| `{name}` | {_kind(value)} | {_cell(value.get('description', ''))} |"
            for name, value in sorted(spec.items())
            if isinstance(value, dict)
        ]
        parts += ["| field | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _kind(value: dict[str, object]) -> str:
    kind = value.get("type", "")
    return ", ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def events() -> str:
    """Return the page of all events that agents send, with the fields of their data."""
    parts = [
        _NOTE,
        "# Events\n",
        "CloudEvents 1.0 that a site's agent sends, numbered per site; [the agent](../agent.md) says when. "
        "Any event may tell `state`, `reason`, `message` and `since` of the site. "
        "`wayside export schemas` writes a JSON Schema of each type; "
        "the hub refuses what does not fit, and puts up with fields that are not named.\n",
        "| type | meaning |",
        "|---|---|",
        *(f"| [`{type_.value}`](#{_anchor(type_)}) | {_meaning(type_)} |" for type_ in EventType),
        "",
    ]
    for type_ in EventType:
        data = event_schema(type_)["properties"]["data"]
        parts.append(f"## `{type_.value}`\n\n{_meaning(type_)} Schema: `{file_name(type_)}.json`.\n")
        rows = [
            f"| `{name}`{' (required)' if name in data.get('required', ()) else ''} "
            f"| {_kind(value)} | {_cell(value.get('description', ''))} |"
            for name, value in data["properties"].items()
        ]
        parts += ["| field of `data` | type | meaning |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join(parts)


def _anchor(type_: EventType) -> str:
    return type_.value.replace(".", "")


def _meaning(type_: EventType) -> str:
    return _cell(str(event_schema(type_)["description"]))


def metrics() -> str:
    """Return the page of all figures that agent and hub tell Prometheus."""
    parts = [
        _NOTE,
        "# Metrics\n",
        "In the text format of Prometheus. A counter begins at 0 with the process, and shows once it has "
        "counted something.\n",
    ]
    for title, intro, declared in (
        (
            "The agent",
            "`wayside agent --listen :8080` answers `GET /metrics`; [the agent](../agent.md) says more.",
            AGENT_METRICS,
        ),
        (
            "The hub",
            "`GET /metrics` wants a token that may read; [the hub](../hub.md) says more.",
            HUB_METRICS,
        ),
    ):
        rows = [
            f"| `{metric.name}` | {metric.kind} | {_cell(metric.words)} | {_labels(metric)} |"
            for metric in declared.values()
        ]
        table = ["| metric | type | meaning | labels |", "|---|---|---|---|", *rows, ""]
        parts += [f"## {title}\n\n{intro}\n", *table]
    return "\n".join(parts)


def _labels(metric: MetricFamily) -> str:
    return "; ".join(f"`{name}`: {_cell(words)}" for name, words in metric.labels.items())


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "commands.md": commands(),
        "schemas.md": schemas(),
        "events.md": events(),
        "metrics.md": metrics(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(__file__).resolve().parent / name).write_text(text, encoding="utf-8")
