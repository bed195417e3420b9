"""Record what the real `kubectl kustomize` prints for the corpus.

Usage: `python -m tests.render.record KUBECTL [area]`
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.render.cases import CORPUS, REFUSED, Case, load_cases


def kustomize(kubectl: str, directory: Path) -> str:
    """Return what kubectl prints for a directory, or `!refused`."""
    run = subprocess.run([kubectl, "kustomize", str(directory)], capture_output=True, check=False, timeout=60)
    return run.stdout.decode("utf-8") if run.returncode == 0 else REFUSED


def main() -> None:
    kubectl, *chosen = sys.argv[1:]
    by_area: dict[str, list[Case]] = {}
    for case in load_cases():
        if not chosen or case.area in chosen:
            by_area.setdefault(case.area, []).append(case)

    def output(case: Case) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return kustomize(kubectl, case.write(Path(folder)))

    with ThreadPoolExecutor(2) as pool:
        for area, cases in by_area.items():
            outputs = pool.map(output, cases)
            text = "".join(f"=== {case.name}\n{out}" for case, out in zip(cases, outputs, strict=True))
            (CORPUS / f"{area}.golden.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
