"""What stands in `deploy/` is what `wayside install` writes, and any kustomize builds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.render import build
from tests.packaging.deploy_files import AGENT, files


@pytest.mark.parametrize("name", sorted(files()))
def test_a_file_of_deploy_is_what_the_code_writes(name: str) -> None:
    assert (AGENT / name).read_text() == files()[name], "python -m tests.packaging.deploy_files"


@pytest.mark.parametrize("overlay", ["cluster-wide", "namespaced"])
def test_an_overlay_builds_as_kubectl_builds_it(overlay: str, kubectl: Path) -> None:
    folder = AGENT / "overlays" / overlay
    theirs = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=True)
    assert build(str(folder)).to_yaml() == theirs.stdout
