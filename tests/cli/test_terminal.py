"""What helps at a terminal: tables, graphs, completion, the doctor, narrow lines, and a quick start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from reconciler.cli.main import COMMANDS, main
from tests.cli.fleets import FILES, git, write_fleet

SITE = "sites/market/site.yaml"
LABELLED = {SITE: FILES[SITE].replace("{name: market}", "{name: market, labels: {region: north}}")}


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(arguments) == code
    return capsys.readouterr().out


def test_sites_are_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "sites", str(write_fleet(tmp_path, LABELLED))).splitlines()
    assert lines[0].split() == ["NAME", "PLATFORM", "VERSION", "NODES", "ARCH", "MEMORY", "CLASS", "LABELS"]
    assert lines[2].split() == ["market", "k3s", "1.33", "1", "arm64", "4Gi", "-", "region=north"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("region=north", ["market"]),
        ("region!=north", ["harbour"]),
        ("region", ["market"]),
        ("!region", ["harbour"]),
        ("region==north,!lab", ["market"]),
        ("", ["harbour", "market"]),
    ],
)
def test_sites_are_chosen_by_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], selector: str, names: list[str]
) -> None:
    write_fleet(tmp_path, LABELLED)
    assert shown(capsys, "sites", str(tmp_path), "-l", selector, "--format", "name").split() == names
    found = json.loads(shown(capsys, "sites", str(tmp_path), "-l", selector, "--format", "json"))
    assert [site["name"] for site in found] == names


def test_a_selector_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sites", str(write_fleet(tmp_path)), "-l", "region=(a"]) == 2
    assert "expected a label selector" in capsys.readouterr().err


def test_a_table_leaves_out_what_a_narrow_terminal_has_no_room_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines = shown(capsys, "sites", str(write_fleet(tmp_path, LABELLED))).splitlines()
    assert lines[0].split()[0] == "NAME"
    assert max(map(len, lines)) <= 30


def test_a_graph_shows_which_sites_use_which_bases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path)
    drawn = shown(capsys, "graph", str(tmp_path))
    assert drawn == ('graph LR\n  s0(["harbour"]) --> b1["bases/pos"]\n  s2(["market"]) --> b1\n')
    dot = shown(capsys, "graph", str(tmp_path), "--format", "dot")
    assert '"site market" -> "bases/pos";' in dot


def test_a_graph_of_many_equal_sites_draws_them_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        f"sites/s{n:02}/{name}": FILES[f"sites/market/{name}"].replace("market", f"s{n:02}")
        for n in range(20)
        for name in ("site.yaml", "kustomization.yaml")
    }
    write_fleet(tmp_path, more)
    assert '"22 sites: harbour, market ..."' in shown(capsys, "graph", str(tmp_path))
    assert shown(capsys, "graph", str(tmp_path), "--all").count("-->") == 22


def test_the_doctor_says_what_is_here_and_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = shown(capsys, "doctor", str(write_fleet(tmp_path)))
    assert "fleet shops: 2 sites" in said
    assert "the fleet is not in a git repository" in said
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not on the PATH" in shown(capsys, "doctor", str(tmp_path), code=1)


def test_the_doctor_finds_a_fleet_that_wants_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, {"fleet.yaml": FILES["fleet.yaml"] + 'spec: {requires: {wayside: ">=99"}}\n'})
    assert "this fleet requires wayside >=99" in shown(capsys, "doctor", str(tmp_path), code=1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_its_options(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    text = shown(capsys, "completion", shell)
    for command in COMMANDS:
        assert command.name in text
    assert ("--fail-on" if shell != "fish" else "-l fail-on") in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    script = shown(capsys, "completion", "bash") + textwrap.dedent(
        """
        COMP_WORDS=(wayside che); COMP_CWORD=1; _wayside; echo "${COMPREPLY[@]}"
        COMP_WORDS=(wayside check --fa); COMP_CWORD=2; _wayside; echo "${COMPREPLY[@]}"
        """
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["check", "--fail-on"]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("width", [40, 60, 80])
def test_text_fits_the_terminal(tmp_path: Path, width: int) -> None:
    poor = FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")
    write_fleet(
        tmp_path, {SITE: poor, "bases/pos/deployment.yaml": FILES["bases/pos/deployment.yaml"] + " " * 200}
    )
    done = run("check", cwd=tmp_path, COLUMNS=str(width))
    for line in done.stdout.splitlines():
        # Only a path or an address, which nobody breaks, may be longer.
        assert len(line) <= width or " " not in line.strip().partition(" ")[2].rpartition("= rule: ")[
            2
        ].strip("-> ")


def test_no_color_and_pipes_have_no_colour(tmp_path: Path) -> None:
    write_fleet(tmp_path, {SITE: FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")})
    assert "\033" in run("check", cwd=tmp_path, FORCE_COLOR="1").stdout
    assert "\033" not in run("check", cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\033" not in run("check", cwd=tmp_path).stdout


def test_quiet_says_nothing_where_nothing_is_wrong(tmp_path: Path) -> None:
    done = run("check", "--quiet", cwd=write_fleet(tmp_path))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_several_formats_go_to_their_files(tmp_path: Path) -> None:
    write_fleet(tmp_path)
    done = run(
        *("check", "--format", "text", "--format", "sarif", "--output", "a.sarif", "--format", "json=b.json"),
        cwd=tmp_path,
    )
    assert done.stdout.startswith("ok: ")
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert json.loads((tmp_path / "b.json").read_text())["kind"] == "CheckReport"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "xml"),
        ("--output", "a", "--output", "b"),
        ("--format", "json=a", "--format", "text=a"),
        ("--output", "no/such/folder/a"),
    ],
    ids=["an unknown format", "two outputs of one format", "one file for two", "a folder that is not there"],
)
def test_a_wrong_output_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run("check", *arguments, cwd=write_fleet(tmp_path)).returncode == 2


def test_the_step_summary_gets_the_report(tmp_path: Path) -> None:
    write_fleet(tmp_path, {SITE: FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")})
    done = run("check", "--format", "github", cwd=tmp_path, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    assert done.stdout.startswith("::error file=sites/market/site.yaml,line=11,")
    assert "**memory-budget**" in (tmp_path / "summary.md").read_text()


LIGHT = {
    "help": ("--help",),
    "a command's help": ("check", "--help"),
    "sites": ("sites",),
    "render": ("render", "sites/market"),
    "check": ("check",),
    "check --base": ("check", "--base", "HEAD"),
}
#: What no command of a pull request needs, and what help does not need.
NEVER = (
    "kubernetes",
    "urllib3",
    "git",
    "requests",
    "cryptography",
    "reconciler.agent",
    "reconciler.hub",
    "asyncio",
)
NOT_FOR_HELP = ("yaml", "jsonschema", "cel_expr_python", "celpy", "reconciler.render", "reconciler.rules")


@pytest.mark.parametrize(("name", "arguments"), LIGHT.items(), ids=LIGHT.keys())
def test_a_command_imports_nothing_heavy_that_it_does_not_need(
    tmp_path: Path, name: str, arguments: tuple[str, ...]
) -> None:
    write_fleet(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    script = (
        "import sys; from reconciler.cli.main import main; main(sys.argv[1:]); "
        "print(' '.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = set(done.stderr.split())
    unwanted: tuple[str, ...] = (*NEVER, *NOT_FOR_HELP) if "help" in name else NEVER
    if name == "sites":
        unwanted = (*NEVER, "cel_expr_python", "celpy", "reconciler.rules")
    assert not [
        module
        for module in modules
        if module in unwanted or module.startswith(tuple(f"{u}." for u in unwanted))
    ]
