"""`wayside check` of a fleet against the usual pipeline, in the same run.

Usage: `python -m tests.benchmarks.check [--sites 1000] [--large 10000] [--sample 20] [--kubectl PATH]`

The usual pipeline is `kubectl kustomize` for every overlay, then a schema validator (kubernetes-validate
where it is installed, otherwise the library jsonschema with a schema of three fields), then three policies in
cel-python. Each step runs over a sample of the overlays, two at a time, and is scaled to all. Every run of
Wayside is a whole process, cold. On a busy machine, read the seconds of processors.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.check_fleet import write_checked_fleet

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class _Run:
    """What a process took: seconds by the clock, of processors, and its largest memory in MiB."""

    wall: float
    cpu: float
    peak: float
    said: str


def _wayside(root: Path, *arguments: str) -> _Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(
        ["time", "-f", "%M", sys.executable, "-P", "-m", "reconciler", "check", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(_ROOT)} | {"PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    words = done.stderr.split()
    peak = int(words[-1]) / 1024 if words and words[-1].isdigit() else 0.0
    return _Run(wall, cpu, peak, done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr)


_VALIDATE = """
import sys, yaml
documents = [d for path in sys.argv[1:] for d in yaml.load_all(open(path), yaml.CSafeLoader) if d]
try:
    import kubernetes_validate
    for document in documents:
        kubernetes_validate.validate(document, "1.33", strict=True)
except ImportError:
    import jsonschema
    schema = {"type": "object", "required": ["apiVersion", "kind", "metadata"]}
    for document in documents:
        jsonschema.Draft202012Validator(schema).validate(document)
"""

_POLICY = """
import sys, yaml, celpy
environment = celpy.Environment()
rules = [environment.program(environment.compile(text)) for text in (
    "!has(object.spec) || !has(object.spec.replicas) || object.spec.replicas <= 10",
    "!has(object.spec) || !has(object.spec.template) || object.spec.template.spec.containers.all(c, "
    "has(c.resources.limits.memory))",
    "!has(object.spec) || !has(object.spec.template) || object.spec.template.spec.containers.all(c, "
    "!c.image.endsWith(':latest'))",
)]
for path in sys.argv[1:]:
    for document in yaml.load_all(open(path), yaml.CSafeLoader):
        value = {"object": celpy.json_to_cel(document)}
        assert all(rule.evaluate(value) for rule in rules)
"""


def _usual(root: Path, overlays: Sequence[str], kubectl: str, out: Path) -> tuple[float, float, float]:
    """Run the usual pipeline on some overlays, two at a time; return the seconds of each step."""

    def timed(step: str, command: Sequence[str]) -> None:
        if step:
            with (out / f"{step}.yaml").open("wb") as file:
                subprocess.run([*command], cwd=root, stdout=file, check=True, timeout=300)
        else:
            subprocess.run([*command], cwd=root, check=True, timeout=300)

    seconds = []
    names = [overlay.rpartition("/")[2] for overlay in overlays]
    steps = (
        [(name, [kubectl, "kustomize", overlay]) for name, overlay in zip(names, overlays, strict=True)],
        [("", [sys.executable, "-c", _VALIDATE, str(out / f"{name}.yaml")]) for name in names],
        [("", [sys.executable, "-c", _POLICY, str(out / f"{name}.yaml")]) for name in names],
    )
    for commands in steps:
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda item: timed(*item), commands))
        seconds.append(time.perf_counter() - begun)
    return seconds[0], seconds[1], seconds[2]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _say(what: str, run: _Run, budget: str) -> None:
    sys.stdout.write(
        f"{what}: {run.wall:.2f} s by the clock, {run.cpu:.2f} s of processors, {run.peak:.0f} MiB "
        f"({budget})\n  {run.said}\n"
    )
    sys.stdout.flush()


def main() -> int:
    """Measure everything, and print one line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--large", type=int, default=0, help="also check a fleet of so many sites")
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--kubectl", default=shutil.which("kubectl") or "")
    parser.add_argument("--json", default="", help="write the figures to a file")
    options = parser.parse_args()
    kubectl = options.kubectl or _built_kubectl()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "fleet"
        root.mkdir()
        overlays = write_checked_fleet(root, sites=options.sites)
        _wayside(root, "--site", "site-00000")  # so that modules are compiled, as after an installation
        cold = _wayside(root)
        _say(f"cold, {options.sites} sites", cold, "8 s for 1,000")
        figures["cold"] = cold.wall
        _edit(root / overlays[7] / "patch.yaml", "replicas: ", "replicas: 1")
        one = _wayside(root, "--base", "main")
        _say("one overlay changed, --base", one, "0.5 s")
        figures["one_overlay"] = one.wall
        for base in range(3):
            _edit(root / f"bases/base-{base}/workloads.yaml", "cpu: 50m", "cpu: 60m")
        every = _wayside(root, "--base", "main")
        _say("every site reached by bases, --base", every, "5 s for 1,000")
        figures["bases"] = every.wall
        out = Path(folder) / "rendered"
        out.mkdir()
        step = max(1, len(overlays) // options.sample)
        sample = overlays[::step][: options.sample]
        usual = _usual(root, sample, kubectl, out)
        scaled = sum(usual) * len(overlays) / len(sample)
        sys.stdout.write(
            f"usual pipeline, {len(sample)} of {len(overlays)} overlays, two at a time: kubectl kustomize "
            f"{usual[0]:.1f} s, schemas {usual[1]:.1f} s, policies {usual[2]:.1f} s; scaled to all "
            f"{scaled:.0f} s: {scaled / cold.wall:.0f} times Wayside's\n"
        )
        figures["times"] = scaled / cold.wall
    if options.large:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "fleet"
            root.mkdir()
            write_checked_fleet(root, sites=options.large)
            large = _wayside(root)
            _say(f"cold, {options.large} sites", large, "linear, 1.5 GiB")
            figures["large"], figures["large_mib"] = large.wall, large.peak
    if options.json:
        Path(options.json).write_text(json.dumps(figures))
    return 0


def _built_kubectl() -> str:
    from tests.cluster.binaries import binary

    return str(binary("kubectl"))


if __name__ == "__main__":
    sys.exit(main())
