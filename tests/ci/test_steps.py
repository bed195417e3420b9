"""The steps of the ready-made CI are run here as a runner would, on changes of friends and of strangers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.cli.fleets import FILES, git, write_fleet

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy" / "ci"
SITE = "sites/market/site.yaml"
POOR = FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone with a base commit, on a branch."""
    root = write_fleet(tmp_path / "clone")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "base")
    git(root, "checkout", "-q", "-b", "change")
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for the PATH: `wayside` as it would be installed, and `pip` that installs nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m reconciler "$@"\n'
    for name, text in {
        "wayside": script,
        # pip is started as the step starts it, but only says its version.
        "python": f'#!/bin/sh\n[ "$2 $3" = "-m pip" ] && exec "{sys.executable}" "$1" -m pip --version\n'
        f'exec "{sys.executable}" "$@"\n',
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def run(script: str, tree: Path, programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=tree,
        env={**plain, "PATH": f"{programs}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def steps() -> dict[str, Any]:
    action = yaml.safe_load((CI / "action.yml").read_text())
    return {step["name"]: step for step in action["runs"]["steps"]}


def action(tree: Path, programs: Path, **inputs: str) -> tuple[list[subprocess.CompletedProcess[str]], Path]:
    """Run the action's steps but the comment."""
    temporary = programs.parent / "runner"
    temporary.mkdir(exist_ok=True)
    environment = {
        "BASE": git(tree, "rev-parse", "main"),
        "DIRECTORY": ".",
        "FAIL_ON": "error",
        "SARIF": str(temporary / "wayside.sarif"),
        "VERSION": "",
        "RUNNER_TEMP": str(temporary),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
        **inputs,
    }
    known = steps()
    done = [run(known[name]["run"], tree, programs, **environment) for name in ("Install", "Check", "Result")]
    return done, temporary


def change(tree: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "change")


def test_a_change_that_fits_passes_and_says_what_it_does(tree: Path, programs: Path) -> None:
    change(
        tree,
        {
            SITE: FILES[SITE].replace("1Gi", "2Gi"),
            "sites/market/kustomization.yaml": FILES["sites/market/kustomization.yaml"] + "nameSuffix: -b\n",
        },
    )
    done, temporary = action(tree, programs)
    assert [each.returncode for each in done] == [0, 0, 0]
    assert "ok: " in done[1].stdout
    assert "What changes at the sites" in (temporary / "summary.md").read_text()


def test_a_change_that_does_not_fit_fails_with_annotations_summary_and_sarif(
    tree: Path, programs: Path
) -> None:
    change(tree, {SITE: POOR})
    done, temporary = action(tree, programs)
    assert [each.returncode for each in done] == [0, 0, 1]
    assert f"::error file={SITE},line=11," in done[1].stdout
    assert "memory-budget" in (temporary / "summary.md").read_text()
    assert json.loads((temporary / "wayside.sarif").read_text())["runs"][0]["results"]


def test_a_fleet_in_a_folder_is_annotated_with_the_paths_of_the_repository(
    tmp_path: Path, programs: Path
) -> None:
    write_fleet(tmp_path / "clone" / "shops", {SITE: POOR})
    git(tmp_path / "clone", "init", "-q", "-b", "main")
    git(tmp_path / "clone", "add", ".")
    git(tmp_path / "clone", "commit", "-q", "-m", "base")
    done, _ = action(tmp_path / "clone", programs, DIRECTORY="shops", BASE="")
    assert f"::error file=shops/{SITE},line=11," in done[1].stdout
    assert done[2].returncode == 1


TRAP = 'open("FOLDER/wayside-was-here", "w").write("x")\nraise SystemExit(0)\n'
TRAPS: dict[str, str] = dict.fromkeys(
    (
        "argparse.py",
        "json.py",
        "pip/__init__.py",
        "pip/__main__.py",
        "reconciler/__init__.py",
        "sitecustomize.py",
        "urllib/__init__.py",
        "yaml.py",
    ),
    TRAP,
)


def test_nothing_of_a_stranger_s_tree_is_executed(tree: Path, programs: Path, tmp_path: Path) -> None:
    mark = tmp_path / "wayside-was-here"
    touch = f"touch {mark}"
    hook = tree / ".git" / "hooks" / "post-checkout"
    files = {path: text.replace("FOLDER", str(tmp_path)) for path, text in TRAPS.items()}
    files |= {
        "wayside": f"#!/bin/sh\n{touch}\n",
        "setup.py": f"import os; os.system('{touch}')\n",
        ".gitattributes": "*.yaml diff=evil filter=evil\n",
        "plugin.sh": f"#!/bin/sh\n{touch}\n",
        "sites/market/kustomization.yaml": "resources: [../../bases/pos]\ngenerators: [generator.yaml]\n",
        "sites/market/generator.yaml": "apiVersion: e/v1\nkind: Evil\nmetadata:\n  name: x\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec: {path: ../../plugin.sh}\n",
        f"sites/harbour/$({touch}).yaml": f"kind: $({touch})\n",
        "sites/harbour/kustomization.yaml": f"resources:\n- ../../bases/pos\n- '$({touch}).yaml'\n",
    }
    change(tree, files)
    for path in ("wayside", "plugin.sh"):
        (tree / path).chmod(0o755)
    assert not hook.exists()
    done, _ = action(tree, programs)
    assert done[2].returncode == 1, "the generator is refused"
    assert not mark.exists()
    commented = comment(tree, programs, "http://127.0.0.1:9", tmp_path)
    assert commented.returncode == 0
    assert not mark.exists()


class GitHub(BaseHTTPRequestHandler):
    """So much of GitHub's API as the comment needs."""

    comments: ClassVar[list[dict[str, Any]]] = []
    may_write: ClassVar[bool] = True
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer(200, self.comments)

    def do_POST(self) -> None:
        self._write(lambda body: self.comments.append({"id": 7, "body": body, "user": {"type": "Bot"}}))

    def do_PATCH(self) -> None:
        self._write(lambda body: self.comments[-1].update(body=body))

    def _write(self, change: Any) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        self.asked.append(self.command)
        if not self.may_write:
            self._answer(403, {"message": "Resource not accessible by integration"})
            return
        change(body)
        self._answer(201, {})

    def _answer(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def github() -> Iterator[str]:
    GitHub.comments, GitHub.may_write, GitHub.asked = [], True, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def comment(tree: Path, programs: Path, address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    runner = folder / "runner" / "wayside"
    runner.mkdir(parents=True, exist_ok=True)
    if not (runner / "check.md").exists():
        (runner / "check.md").write_text("<!-- wayside -->\nreport\n")
    return run(
        steps()["Comment"]["run"],
        tree,
        programs,
        COMMENT=str(CI / "comment.py"),
        RUNNER_TEMP=str(folder / "runner"),
        GITHUB_API_URL=address,
        GITHUB_REPOSITORY="acme/fleet",
        GITHUB_TOKEN="t",  # noqa: S106 - no token of anything
        PULL_REQUEST="1",
    )


def test_one_comment_is_written_and_then_updated_in_place(
    tree: Path, programs: Path, github: str, tmp_path: Path
) -> None:
    assert comment(tree, programs, github, tmp_path).returncode == 0
    (tmp_path / "runner/wayside/check.md").write_text("<!-- wayside -->\nsecond\n")
    assert comment(tree, programs, github, tmp_path).returncode == 0
    assert [each["body"] for each in GitHub.comments] == ["<!-- wayside -->\nsecond\n"]
    assert GitHub.asked == ["POST", "PATCH"]


def test_a_stranger_s_comment_with_the_mark_is_left_alone(
    tree: Path, programs: Path, github: str, tmp_path: Path
) -> None:
    GitHub.comments.append({"id": 2, "body": "<!-- wayside -->\nof a deleted user", "user": None})
    GitHub.comments.append({"id": 4, "body": None, "user": {"type": "Bot"}})
    GitHub.comments.append({"id": 3, "body": "<!-- wayside -->\nmine", "user": {"type": "User"}})
    comment(tree, programs, github, tmp_path)
    assert GitHub.asked == ["POST"]


def test_a_fork_s_token_that_may_not_write_does_not_fail_the_job(
    tree: Path, programs: Path, github: str, tmp_path: Path
) -> None:
    GitHub.may_write = False
    done = comment(tree, programs, github, tmp_path)
    assert (done.returncode, "may not write comments" in done.stdout) == (0, True)


def test_reports_that_are_too_long_together_leave_the_check_whole(
    tree: Path, programs: Path, github: str, tmp_path: Path
) -> None:
    folder = tmp_path / "runner/wayside"
    folder.mkdir(parents=True)
    (folder / "check.md").write_text("<!-- wayside -->\n" + "c" * 50_000)
    (folder / "diff.md").write_text("d" * 50_000)
    comment(tree, programs, github, tmp_path)
    (body,) = [each["body"] for each in GitHub.comments]
    assert len(body) < 65_536
    assert "too long to be shown here" in body


def test_the_steps_of_gitlab_write_its_reports_and_keep_the_exit_code(tree: Path, programs: Path) -> None:
    change(tree, {SITE: POOR})
    job = yaml.safe_load((CI / "gitlab.yml").read_text())["wayside"]
    base = git(tree, "rev-parse", "main")
    done = run(
        "\n".join(job["script"]), tree, programs, WAYSIDE_DIRECTORY=".", CI_MERGE_REQUEST_DIFF_BASE_SHA=base
    )
    assert done.returncode == 1, done.stderr
    issues = json.loads((tree / "gl-code-quality-report.json").read_text())
    assert [issue["check_name"] for issue in issues] == ["memory-budget"]
    assert "<failure" in (tree / "wayside-junit.xml").read_text()
    assert {"codequality", "junit"} == set(job["artifacts"]["reports"])


def test_the_template_s_workflow_runs_and_asks_for_the_least(
    tree: Path, programs: Path, tmp_path: Path
) -> None:
    workflow = yaml.safe_load((ROOT / "repo-template/.github/workflows/wayside.yaml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads `on` as true
    change(tree, {SITE: POOR})
    by_name = {step.get("name"): step for step in workflow["jobs"]["check"]["steps"]}
    base = git(tree, "rev-parse", "main")
    summary = str(tmp_path / "summary.md")
    done = run(by_name["wayside check"]["run"], tree, programs, BASE=base, GITHUB_STEP_SUMMARY=summary)
    assert done.returncode == 1
    done = run(by_name["wayside diff"]["run"], tree, programs, BASE=base, GITHUB_STEP_SUMMARY=summary)
    assert done.returncode == 0


def test_the_workflow_that_the_readme_shows_fits_the_action_and_asks_for_no_more_than_it_says() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", (CI / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    workflow = yaml.safe_load(text)
    action = yaml.safe_load((CI / "action.yml").read_text())
    (used,) = [s for s in workflow["jobs"]["check"]["steps"] if "wayside-action" in s.get("uses", "")]
    schema = get_builtin_schema("vendor.github-workflows")
    document = {("on" if key is True else key): value for key, value in workflow.items()}

    jsonschema.validators.validator_for(schema)(schema).validate(document)
    assert list(document["on"]) == ["pull_request"]
    assert document["permissions"] == {
        "contents": "read",
        "pull-requests": "write",
        "security-events": "write",
    }
    assert set(used.get("with", {})) <= set(action["inputs"])
    upload = workflow["jobs"]["check"]["steps"][-1]
    assert upload["with"]["sarif_file"] == action["inputs"]["sarif"]["default"]


def test_no_text_of_a_stranger_stands_in_a_script() -> None:
    for path in (CI / "action.yml", ROOT / "repo-template/.github/workflows/wayside.yaml"):
        document = yaml.safe_load(path.read_text())
        found = document["runs"]["steps"] if "runs" in document else document["jobs"]["check"]["steps"]
        assert not [step for step in found if "${{" in step.get("run", "")]


def test_the_hooks_run(tree: Path, programs: Path) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    (tree / SITE).write_text(POOR)
    assert run(hooks["wayside-check"]["entry"], tree, programs).returncode == 1
    assert run(hooks["wayside-test"]["entry"], tree, programs).returncode in (0, 2)


SCHEMAS = {
    "github-actions": CI / "action.yml",
    "github-workflows": ROOT / "repo-template/.github/workflows/wayside.yaml",
    "gitlab-ci": CI / "gitlab.yml",
}


@pytest.mark.parametrize(("name", "path"), SCHEMAS.items(), ids=SCHEMAS.keys())
def test_the_files_follow_their_published_schemas(name: str, path: Path) -> None:
    schema = get_builtin_schema(f"vendor.{name}")
    document = yaml.safe_load(path.read_text())
    document = {("on" if key is True else key): value for key, value in document.items()}
    jsonschema.validators.validator_for(schema)(schema).validate(document)
