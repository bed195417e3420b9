"""Benchmark of rendering: cold, after one change, by number of sites, against `kubectl kustomize`.

Usage: `python -m tests.benchmarks.render [--sites 1000] [--kubectl PATH] [--sample 60] [--svg FILE]`

kubectl runs once per overlay, two at a time, on a sample of the overlays; its time for all of them is that of
the sample, scaled. Each measurement of Wayside is a new process tree, so that nothing is warm.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.render_fleet import write_fleet

PROCESSES = 2


def _work(root: str, overlays: list[str]) -> tuple[int, int]:
    """Render overlays to YAML; return the characters and the peak memory in KiB."""
    from reconciler.documents.tree import WorkingTree
    from reconciler.render import Renderer

    renderer = Renderer(WorkingTree(Path(root)))
    size = sum(len(renderer.build(overlay).to_yaml()) for overlay in overlays)
    return size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cold(root: str, overlays: list[str], processes: int) -> dict[str, Any]:
    """Render all overlays in this process tree, from imports on."""
    begun = time.perf_counter()
    if processes == 1:
        size, peak = _work(root, overlays)
    else:
        parts = [overlays[number::processes] for number in range(processes)]
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            results = pool.starmap(_work, [(root, part) for part in parts])
            pool.close()
            pool.join()
        size, peak = sum(each[0] for each in results), sum(each[1] for each in results)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": _processor_time(resource.RUSAGE_SELF) + _processor_time(resource.RUSAGE_CHILDREN),
        "size": size,
        "peak_kib": peak,
    }


def _processor_time(who: int) -> float:
    """Return the seconds of user and system time of this process, or of those that it awaited."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _changed(root: str, overlays: list[str]) -> dict[str, Any]:
    """Render everything, change one overlay, and render what that touches."""
    from reconciler.documents.tree import WorkingTree
    from reconciler.render import Renderer

    tree = WorkingTree(Path(root))
    renderer = Renderer(tree)
    for overlay in overlays:
        renderer.build(overlay)
    patch = Path(root) / overlays[0] / "patch.yaml"
    patch.write_text(patch.read_text().replace("replicas: ", "replicas: 1"))
    begun = time.perf_counter()
    after = renderer.at(WorkingTree(Path(root)))
    built = [overlay for overlay in overlays if not after.is_built(overlay)]
    for overlay in overlays:
        after.build(overlay)
    seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    told = renderer.at(WorkingTree(Path(root)), changed=[f"{overlays[0]}/patch.yaml"])
    for overlay in overlays:
        told.build(overlay)
    return {"seconds": seconds, "told_seconds": time.perf_counter() - begun, "built": len(built)}


def _in_new_process(task: str, root: Path, overlays: list[str], processes: int = PROCESSES) -> dict[str, Any]:
    question = json.dumps({"root": str(root), "overlays": overlays, "processes": processes})
    run = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.render", "--task", task],
        input=question,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)  # type: ignore[no-any-return] # what _task writes


def _task(task: str) -> None:
    asked = json.load(sys.stdin)
    if task == "cold":
        answer = _cold(asked["root"], asked["overlays"], asked["processes"])
    else:
        answer = _changed(asked["root"], asked["overlays"])
    json.dump(answer, sys.stdout)


def _kubectl(kubectl: str, root: Path, overlays: list[str]) -> tuple[float, float]:
    """Return the seconds, and those of processor time, per overlay of kubectl, two at a time."""

    def build(overlay: str) -> None:
        subprocess.run([kubectl, "kustomize", str(root / overlay)], capture_output=True, check=True)

    begun, used = time.perf_counter(), _processor_time(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(build, overlays))
    used = _processor_time(resource.RUSAGE_CHILDREN) - used
    return (time.perf_counter() - begun) / len(overlays), used / len(overlays)


def _scaling(folder: Path, largest: int) -> list[dict[str, Any]]:
    """Measure the processor time of fleets of growing size: three bases for all, or one for each site."""
    rows = []
    for sites in sorted({max(1, largest * part // 20) for part in (1, 2, 4, 10, 20)}):
        row: dict[str, Any] = {"sites": sites}
        for name, bases in (("shared", 3), ("own", sites)):
            root = folder / f"{name}-{sites}"
            overlays = write_fleet(root, sites=sites, bases=bases)
            row[name] = _in_new_process("cold", root, overlays, 1)["cpu_seconds"]
            shutil.rmtree(root)
        rows.append(row)
    return rows


def chart(rows: list[dict[str, Any]]) -> str:
    """Return an SVG of milliseconds per site by number of sites."""
    width, height, left, bottom = 640, 320, 56, 40
    series = {"shared": ("three shared bases", "#2563eb"), "own": ("a base for each site", "#9ca3af")}
    values = {name: [(row["sites"], row[name] / row["sites"] * 1000) for row in rows] for name in series}
    top = max(value for points in values.values() for _, value in points) * 1.1
    most = max(row["sites"] for row in rows)

    def place(sites: float, value: float) -> tuple[float, float]:
        x = left + (width - left - 16) * sites / most
        return round(x, 1), round(height - bottom - (height - bottom - 16) * value / top, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="Milliseconds per site by number of sites">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number in range(5):
        value = top * number / 4
        x, y = place(0, value)
        parts.append(f'<line x1="{x}" y1="{y}" x2="{width - 16}" y2="{y}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{value:.0f} ms</text>')
    for row in rows:
        x, y = place(row["sites"], 0)
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{row["sites"]}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">sites in the fleet</text>')
    for number, (name, (title, colour)) in enumerate(series.items()):
        points = [place(*point) for point in values[name]]
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points)
        parts.append(
            f'<text x="{width - 24}" y="{28 + 18 * number}" text-anchor="end" fill="{colour}">{title}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure rendering.")
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL") or shutil.which("kubectl"))
    parser.add_argument("--sample", type=int, default=60, help="overlays that kubectl builds; 0 for all")
    parser.add_argument("--svg", type=Path, help="where to write the chart")
    parser.add_argument("--scaling", action="store_true", help="measure fleets of several sizes, too")
    parser.add_argument("--task", choices=["cold", "changed"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        _task(options.task)
        return
    result: dict[str, Any] = {"sites": options.sites, "processes": PROCESSES}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "fleet"
        overlays = write_fleet(root, sites=options.sites)
        cold = _in_new_process("cold", root, overlays)
        result["cold"] = cold
        result["cold_one_process"] = _in_new_process("cold", root, overlays, 1)
        if options.kubectl:
            sample = overlays if not options.sample else overlays[:: max(1, len(overlays) // options.sample)]
            each, used = _kubectl(options.kubectl, root, sample)
            result["kubectl_seconds_each"] = each
            result["kubectl_cpu_seconds_each"] = used
            result["times_faster_cold"] = each * options.sites / cold["seconds"]
            result["times_less_cpu_cold"] = used * options.sites / cold["cpu_seconds"]
        result["changed"] = _in_new_process("changed", root, overlays)
        result["times_faster_changed"] = cold["seconds"] / result["changed"]["seconds"]
        if options.scaling or options.svg:
            result["scaling"] = _scaling(Path(folder), options.sites)
            if options.svg:
                options.svg.write_text(chart(result["scaling"]), encoding="utf-8")
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
