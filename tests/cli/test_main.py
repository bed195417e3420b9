"""The command finds its way, and says what to do where it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconciler import __version__
from reconciler.cli.main import COMMANDS, EXIT_CUT_OFF, main

HEAVY = {
    "celpy",
    "cel_expr_python",
    "git",
    "jsonschema",
    "kubernetes",
    "ruamel",
    "urllib3",
    "watchfiles",
    "yaml",
    "asyncio",
}


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name} " in shown


def test_without_arguments_the_help_comes_with_a_usage_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: wayside" in capsys.readouterr().out


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wayside {__version__}\n"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        pytest.param("chekc", "did you mean `wayside check`?", id="typo"),
        pytest.param("xyzzy", "`wayside --help` lists the commands", id="nothing-close"),
    ],
)
def test_an_unknown_command_gets_a_hint(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"error[usage]: there is no command '{word}'\n  = hint: {hint}\n"


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: wayside {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_an_unknown_option_is_a_usage_error(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--no-such-option"]) == 2
    assert "usage:" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reconciler.cli.main import main; main(['--help']);"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(eval(shown.stderr))  # noqa: S307 - the list that the line above printed
    assert not loaded & HEAVY


def test_output_that_nobody_reads_to_its_end_is_not_fine() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "reconciler", "export", "schemas"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == EXIT_CUT_OFF
