"""Links of the documentation lead somewhere, its reference is today's, and the tutorial's commands work."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *DOCS.glob("**/*.md"),
        ROOT / "README.md",
        ROOT / "deploy/ci/README.md",
        ROOT / "repo-template/README.md",
    ]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and mkdocs make them."""
    heads = re.findall(
        r"^#+ +(.+)$",
        CODE.sub(lambda m: m[0].strip("`") if "\n" not in m[0] else "", page.read_text()),
        re.MULTILINE,
    )
    found = set()
    for head in heads:
        text = unicodedata.normalize("NFKD", re.sub(r"[`*]", "", head)).lower()
        found.add(re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for match in LINK.finditer(CODE.sub("", page.read_text())):
        target = match[1] or match[2]
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_the_reference_is_made_from_today_s_code() -> None:
    made = runpy.run_path(str(DOCS / "reference/generate.py"))["pages"]()
    for name, text in made.items():
        assert (DOCS / "reference" / name).read_text() == text, "run `python docs/reference/generate.py`"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--config-file",
            ".mkdocs.yml",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/tutorial/index.html").is_file()


BLOCK = re.compile(r"^```sh(?P<fails> fails)?\n(?P<script>.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    blocks = list(BLOCK.finditer((DOCS / "tutorial.md").read_text()))
    assert len(blocks) >= 6
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "wayside").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    (programs / "wayside").chmod(0o755)
    folder = tmp_path
    said = []
    for block in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", block["script"] + "\npwd > $MARK\n"],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "MARK": str(tmp_path / "pwd"),
                "GIT_AUTHOR_NAME": "T",
                "GIT_AUTHOR_EMAIL": "t@example.org",
                "GIT_COMMITTER_NAME": "T",
                "GIT_COMMITTER_EMAIL": "t@example.org",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == (1 if block["fails"] else 0), done.stdout + done.stderr
        said.append(done.stdout)
        if (tmp_path / "pwd").exists():
            folder = Path((tmp_path / "pwd").read_text().strip())
    assert "error[image-platforms]" in said[2]
    assert "2 sites: berlin-mitte, munich-depot" in said[3]
    assert "applied:" in said[4]


def test_there_is_a_shell_for_the_tutorial() -> None:
    assert shutil.which("bash")
