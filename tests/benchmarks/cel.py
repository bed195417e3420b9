"""Measure CEL over rendered Deployments, beside cel-go on the same expressions and objects in the same run.

    python -m tests.benchmarks.cel [--seconds 2]

Prints evaluations a second with a shared activation, objects converted a second, and end to end (each object
converted, every rule evaluated) beside cel-go, per process and on two processes. All rates are by processor
time, so that a busy machine measures alike. Needs Go for the comparison.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from reconciler.rules.cel import Environment

TOOL = Path(__file__).parent / "go" / "cel"
VERSION = "1.36"
EXPRESSIONS = [
    "object.spec.replicas <= 5",
    "has(object.metadata.labels) && 'app' in object.metadata.labels",
    "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.example/'))",
    "object.spec.template.spec.containers.all(c, has(c.resources.limits) && 'memory' in c.resources.limits)",
    "object.spec.template.spec.containers.all(c, !has(c.securityContext.privileged)"
    " || !c.securityContext.privileged)",
    "!has(object.spec.template.spec.hostNetwork) || !object.spec.template.spec.hostNetwork",
    "object.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "object.spec.template.spec.containers.exists(c, c.?livenessProbe.hasValue())",
    "object.spec.template.spec.containers.all(c, c.env.all(e, e.name != ''))",
    "object.spec.selector.matchLabels == object.spec.template.metadata.labels",
]


def deployment(number: int) -> dict[str, Any]:
    """Return a Deployment as a rendered overlay has it, with two containers."""
    labels = {"app": f"app-{number}"}
    containers = [
        {
            "name": f"c{index}",
            "image": f"registry.example/team/app-{number}:1.{index}",
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
            "resources": {
                "limits": {"cpu": "500m", "memory": "256Mi"},
                "requests": {"cpu": "100m", "memory": "128Mi"},
            },
            "env": [{"name": f"SETTING_{item}", "value": str(item)} for item in range(8)],
            "securityContext": {"privileged": False, "runAsNonRoot": True},
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 10},
        }
        for index in range(2)
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{number}", "namespace": "site", "labels": labels},
        "spec": {
            "replicas": number % 5,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def end_to_end(seconds: float) -> tuple[int, float, int]:
    """Convert objects and evaluate every rule: evaluations, processor seconds, and how many were true."""
    environment = Environment(kubernetes=VERSION, variables={"object": "dyn"}, engine="native")
    programs = [environment.compile(text) for text in EXPRESSIONS]
    objects = [deployment(number) for number in range(50)]
    count = true = 0
    began = time.process_time()
    while time.process_time() - began < seconds:
        for item in objects:
            activation = environment.bind({"object": item})
            for program in programs:
                true += program.evaluate(activation) is True
                count += 1
    return count, time.process_time() - began, true


def shared(seconds: float) -> float:
    """Return evaluations a second over one activation."""
    environment = Environment(kubernetes=VERSION, variables={"object": "dyn"}, engine="native")
    programs = [environment.compile(text) for text in EXPRESSIONS]
    activation = environment.bind({"object": deployment(1)})
    count = 0
    began = time.process_time()
    while time.process_time() - began < seconds:
        for program in programs * 10:
            program.evaluate(activation)
            count += 1
    return count / (time.process_time() - began)


def conversions(seconds: float) -> float:
    """Return objects converted a second, each asked one thing so that it must be converted."""
    environment = Environment(kubernetes=VERSION, variables={"object": "dyn"}, engine="native")
    program = environment.compile("object.spec.replicas <= 5")
    objects = [deployment(number) for number in range(50)]
    count = 0
    began = time.process_time()
    while time.process_time() - began < seconds:
        for item in objects:
            program.evaluate({"object": item})
            count += 1
    return count / (time.process_time() - began)


def cel_go(seconds: float) -> dict[str, Any] | None:
    """Return cel-go's figures, or None where there is no Go."""
    if shutil.which("go") is None:
        return None
    work = {
        "version": VERSION,
        "expressions": EXPRESSIONS,
        "objects": [deployment(number) for number in range(50)],
        "seconds": seconds,
    }
    found = subprocess.run(
        ["go", "run", ".", "bench"],
        cwd=TOOL,
        input=json.dumps(work),
        text=True,
        capture_output=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(found.stdout)
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    count, took, true = end_to_end(seconds)
    figures = {
        "evaluations_per_second_shared_activation": round(shared(seconds)),
        "objects_converted_per_second": round(conversions(seconds)),
        "end_to_end_evaluations_per_second": round(count / took),
        "true_share": round(true / count, 4),
    }
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        both = pool.map(end_to_end, [seconds, seconds])
    figures["end_to_end_evaluations_per_second_two_processes"] = round(sum(n / s for n, s, _ in both))
    go = cel_go(seconds)
    if go is not None:
        rate = go["evaluations"] / go["cpu_seconds"]
        figures["cel_go_evaluations_per_second"] = round(rate)
        figures["cel_go_true_share"] = round(go["true"] / go["evaluations"], 4)
        figures["times_slower_than_cel_go"] = round(rate / (count / took), 2)
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
