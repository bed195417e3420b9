"""The command `wayside`: finds the command's module, turns errors into messages and exit codes.

Exit codes: 0 fine, 1 findings at or above the threshold (or a refused sync), 2 usage or environment error.
Results go to standard output; progress, logs and errors to standard error.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler import __version__
from reconciler.cli.style import Style
from reconciler.errors import InputError, WaysideError

__all__ = ["COMMANDS", "Command", "main", "run"]

EXIT_FINE = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
#: As of a process that SIGPIPE ends: not fine, since nobody knows what the rest would have said.
EXIT_CUT_OFF = 141


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, the module that carries it out, and what it does in a line."""

    name: str
    module: str
    summary: str


COMMANDS: tuple[Command, ...] = (
    Command("init", "reconciler.cli.commands.init", "make a new fleet repository from the template"),
    Command("check", "reconciler.cli.commands.check", "check every site of a fleet: will it run there?"),
    Command(
        "diff", "reconciler.cli.commands.diff", "say what a change does to which sites, or to a live one"
    ),
    Command("render", "reconciler.cli.commands.render", "print what an overlay, or a site, renders to"),
    Command("explain", "reconciler.cli.commands.explain", "explain a rule, or what uses a site's resources"),
    Command("sites", "reconciler.cli.commands.sites", "list the sites of a fleet"),
    Command("graph", "reconciler.cli.commands.graph", "draw which sites use which bases"),
    Command("test", "reconciler.cli.commands.test", "run the tests of rules"),
    Command("eval", "reconciler.cli.commands.eval", "evaluate a CEL expression on an object"),
    Command("admit", "reconciler.cli.commands.admit", "try admission policies on one object"),
    Command("export", "reconciler.cli.commands.export", "write schemas, CRDs or policies for other tools"),
    Command("images", "reconciler.cli.commands.images", "lock, list and verify the images that sites use"),
    Command("agent", "reconciler.agent.command", "sync one site from the repository, as long as it runs"),
    Command("hub", "reconciler.hub.command", "take the reports of all sites, and show the fleet"),
    Command("install", "reconciler.cli.commands.install", "write what a site needs to run its agent"),
    Command(
        "status",
        "reconciler.cli.commands.status",
        "say how sites are, from an agent's state or from a cluster",
    ),
    Command(
        "doctor", "reconciler.cli.commands.doctor", "look for what is missing here, and say how to get it"
    ),
    Command("completion", "reconciler.cli.commands.completion", "print completion for bash, zsh or fish"),
    Command(
        "demo", "reconciler.cli.commands.demo", "see three sites checked and synced, in a folder of its own"
    ),
)

_USAGE = "usage: wayside COMMAND [ARGUMENTS]"


def run() -> None:
    """Run the command line of this process and exit."""
    # Output that is cut off by a closed pipe (`wayside render . | head`) is not an error worth a traceback.
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_CUT_OFF
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        if len(arguments) > 1 and arguments[0] == "help":
            return main([arguments[1], "--help"])
        print(_overview())
        return EXIT_FINE if arguments else EXIT_USAGE
    if arguments[0] in {"-V", "--version", "version"}:
        print(f"wayside {__version__}")
        return EXIT_FINE
    style = Style.for_stream(sys.stderr, os.environ)
    command = next((known for known in COMMANDS if known.name == arguments[0]), None)
    if command is None:
        _print_error(style, _unknown(arguments[0]))
        return EXIT_USAGE
    module = importlib.import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f"wayside {command.name}",
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    try:
        options = parser.parse_args(arguments[1:])
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(module.run(options))
    except WaysideError as err:
        _print_error(style, err)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _overview() -> str:
    width = max(len(command.name) for command in COMMANDS)
    lines = [
        "Wayside: GitOps for fleets of edge sites, checked before they are merged.",
        "",
        _USAGE,
        "",
        "commands:",
        *(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS),
        "",
        "options:",
        "  -h, --help     show this; `wayside COMMAND --help` shows a command's arguments",
        "  -V, --version  show the version",
        "",
        "exit codes: 0 fine, 1 findings or a refused sync, 2 usage or environment error",
    ]
    return "\n".join(lines)


def _unknown(word: str) -> WaysideError:
    close = difflib.get_close_matches(word, [command.name for command in COMMANDS], n=1)
    hint = f"did you mean `wayside {close[0]}`?" if close else "`wayside --help` lists the commands"
    what = "option" if word.startswith("-") else "command"
    return WaysideError(f"there is no {what} {word!r}", code="usage", hint=hint)


def _print_error(style: Style, err: WaysideError) -> None:
    print(style.error(f"error[{err.code}]") + f": {err.message}", file=sys.stderr)
    if isinstance(err, InputError) and err.at is not None:
        print(f"  --> {err.at}", file=sys.stderr)
    if err.hint:
        print(f"  = {style.strong('hint')}: {err.hint}", file=sys.stderr)
