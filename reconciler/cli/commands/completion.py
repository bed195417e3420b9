"""`wayside completion`: completion for shells, made from the commands themselves."""

from __future__ import annotations

import argparse
import importlib

__all__ = ["add_arguments", "run"]

_BASH = """\
# wayside completion for bash: eval "$(wayside completion bash)"
_wayside() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands} --help --version"
  else
    case "$command" in
{cases}
    esac
    case "${{COMP_WORDS[COMP_CWORD-1]}}" in
      --site) words="$(wayside sites --format name 2>/dev/null)" ;;
    esac
    case "$command:$current" in
      render:-*|explain:-*) ;;
      render:*|explain:*) words="$words $(wayside sites --format name 2>/dev/null)" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}}
complete -o filenames -F _wayside wayside
"""

_ZSH = """\
#compdef wayside
# wayside completion for zsh: wayside completion zsh > "${{fpath[1]}}/_wayside"
autoload -U +X bashcompinit && bashcompinit
{bash}"""

_FISH_HEAD = "# wayside completion for fish: wayside completion fish | source\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def run(options: argparse.Namespace) -> int:
    """Print the completion of a shell."""
    known = _options()
    match options.shell:
        case "bash":
            text = _bash(known)
        case "zsh":
            text = _ZSH.format(bash=_bash(known))
        case _:
            text = _fish(known)
    print(text, end="")
    return 0


def _options() -> dict[str, tuple[str, dict[str, str]]]:
    """Return, for every command, its summary and its options with their help."""
    from reconciler.cli.main import COMMANDS

    found = {}
    for command in COMMANDS:
        parser = argparse.ArgumentParser(prog=command.name, add_help=True)
        importlib.import_module(command.module).add_arguments(parser)
        options = {
            option: str(action.help or "").split(";")[0]
            for action in parser._actions
            for option in action.option_strings
        }
        found[command.name] = (command.summary, options)
    return found


def _bash(known: dict[str, tuple[str, dict[str, str]]]) -> str:
    cases = "\n".join(
        f'      {name}) words="{" ".join(sorted(options))}" ;;' for name, (_, options) in known.items()
    )
    return _BASH.format(commands=" ".join(known), cases=cases)


def _fish(known: dict[str, tuple[str, dict[str, str]]]) -> str:
    lines = [_FISH_HEAD]
    for name, (summary, options) in known.items():
        lines.append(f"complete -c wayside -n __fish_use_subcommand -a {name} -d {_quoted(summary)}\n")
        for option, text in sorted(options.items()):
            flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            condition = _quoted(f"__fish_seen_subcommand_from {name}")
            lines.append(f"complete -c wayside -n {condition} {flag} -d {_quoted(text)}\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
