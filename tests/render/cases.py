"""The corpus: small trees in text files, each with what `kubectl kustomize` prints for it.

A file of cases holds `=== name`, then `+ file` for each file of `fixtures.txt` that the case uses, and
`--- path` before each file of its own. `@ path` names the directory that is built, if it is not the root.
The expected outputs stand beside it in `<area>.golden.txt`; `!refused` stands for an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
REFUSED = "!refused\n"

#: What `+ all` includes, and what `{{all}}` stands for in the list of resources.
ALL = (
    *("deployment", "service", "statefulset", "cronjob", "rbac", "config", "ingress"),
    *("more", "crd", "webhook", "pod", "job", "daemonset"),
)
_GOLDEN_MARK = re.compile(r"^=== (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One tree and the directory that is built.

    Attributes:
        area: Name of the file that it stands in.
        name: Its name there.
        files: Path to content.
        directory: The directory to build.
    """

    area: str
    name: str
    files: dict[str, str]
    directory: str

    @property
    def id(self) -> str:
        return f"{self.area}/{self.name}"

    def write(self, root: Path) -> Path:
        """Write the files below `root`, and return the directory to build."""
        for path, content in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode("utf-8", "surrogateescape"))
        return root / self.directory


def _sections(text: str) -> Iterator[tuple[str, str]]:
    marks = list(_GOLDEN_MARK.finditer(text))
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        yield mark[1].strip(), text[mark.end() + 1 : end]


def _files(body: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"^--- (\S+)\n", body, flags=re.MULTILINE)
    for number in range(1, len(parts), 2):
        yield parts[number], parts[number + 1]


def _fixtures() -> dict[str, str]:
    return dict(_files((CORPUS / "fixtures.txt").read_text(encoding="utf-8")))


def areas() -> list[str]:
    """Return the names of the files of cases."""
    return sorted(
        path.stem
        for path in CORPUS.glob("*.txt")
        if path.name != "fixtures.txt" and not path.name.endswith(".golden.txt")
    )


def load_cases() -> list[Case]:
    """Return every case of the corpus."""
    fixtures = _fixtures()
    cases = []
    for area in areas():
        for name, body in _sections((CORPUS / f"{area}.txt").read_text(encoding="utf-8")):
            directory = ""
            files = {}
            for line in body.split("\n--- ", 1)[0].splitlines():
                if line.startswith("+ "):
                    names = line[2:].replace("all", " ".join(f"{name}.yaml" for name in ALL), 1)
                    for fixture in names.split():
                        source, _, target = fixture.partition(":")
                        files[target or source] = fixtures[source]
                elif line.startswith("@ "):
                    directory = line[2:].strip()
            files.update(_files(body))
            listed = "[" + ", ".join(f"{name}.yaml" for name in ALL) + "]"
            files = {path: content.replace("{{all}}", listed) for path, content in files.items()}
            cases.append(Case(area, name, files, directory))
    return cases


def load_golden() -> dict[str, str]:
    """Return the recorded outputs by case id."""
    return {
        f"{area}/{name}": output
        for area in areas()
        if (CORPUS / f"{area}.golden.txt").exists()
        for name, output in _sections((CORPUS / f"{area}.golden.txt").read_text(encoding="utf-8"))
    }
