"""A fleet is read whole: what is right is there, and everything that is wrong is said on its line."""

# ruff: noqa: E501 - golden messages are one line each, as people see them

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.documents.tree import MemoryTree, WorkingTree
from reconciler.fleet.loading import FleetLoad, load_fleet
from reconciler.fleet.origin import SiteOrigins
from reconciler.model.location import Location
from reconciler.model.site import TargetType

FLEET = "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\n"
HEAD = "apiVersion: wayside.dev/v1alpha1\nkind: Site\nmetadata: {name: one}\nspec:\n"
KIND = '  platform: k3s\n  kubernetesVersion: "1.33"\n'
NODES = "  nodes: [{architecture: linux/arm64, allocatable: {memory: 4Gi}}]\n"
SITE = HEAD + KIND + NODES


def read(site: str | bytes = SITE, fleet: str = FLEET, **more: str) -> FleetLoad:
    """Load a fleet of one site, sites/one/site.yaml, and other files."""
    files = {
        "fleet.yaml": fleet.encode(),
        "sites/one/site.yaml": site.encode() if isinstance(site, str) else site,
    }
    return load_fleet(MemoryTree(files | {path: text.encode() for path, text in more.items()}))


def told(load: FleetLoad) -> list[str]:
    """Return findings as people see them."""
    return [
        f"{each.location} {each.rule}: {each.message}{f' ({each.hint})' if each.hint else ''}"
        for each in load.findings
    ]


def test_the_smallest_fleet_has_its_defaults() -> None:
    load = read()
    assert load.findings == ()
    assert load.fleet is not None
    site = load.fleet.sites["one"]
    assert (site.name, site.directory, site.platform, site.kubernetes_version) == (
        "one",
        "sites/one",
        "k3s",
        (1, 33),
    )
    assert site.nodes[0].name == "node-0"
    assert site.nodes[0].allocatable == {"memory": Decimal(4 * 2**30)}
    assert site.sync.interval == 60
    assert site.target.type is TargetType.IN_CLUSTER
    assert site.storage_classes is None
    assert site.vars is None
    assert site.pin_images
    assert site.manifest["spec"]["platform"] == "k3s"
    assert load.fleet.policy_paths == ("policies",)


def test_every_field_of_a_site_arrives() -> None:
    text = """# a comment first
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata: {name: shop-7, labels: {ring: canary}, annotations: {who: me}}
spec:
  platform: k0s
  kubernetesVersion: "1.34"
  nodes:
    - name: workers
      count: 3
      architecture: linux/arm/v7
      allocatable: {cpu: 1500m, memory: 1Gi, example.com/npu: 2}
      labels: {zone: a}
      taints: [{key: dedicated, value: x, effect: NoSchedule}]
      devices: [/dev/ttyUSB0]
      runtimeClasses: [wasm]
  budgets: {memory: 3Gi, cpu: 2, ephemeralStorage: 1G, download: 500M}
  link: {bandwidth: 20M, metered: true}
  storageClasses: [local-path]
  target: {type: directory, path: /var/lib/k0s/manifests/shop}
  sync: {interval: 1m30s, timeout: 10m, suspend: true, prune: false, rollback: false, drift: report,
         conflicts: report, confirmDeletes: [Namespace/shop], decommission: true}
  vars: {CITY: Ulm}
  images: {pin: false}
"""
    load = read(text)
    assert load.findings == ()
    assert load.fleet is not None
    site = load.fleet.sites["shop-7"]
    assert site.at == Location("sites/one/site.yaml", 2, 1)
    assert site.labels == {"ring": "canary"}
    (node,) = site.nodes
    assert (node.count, node.devices, node.runtime_classes) == (3, ("/dev/ttyUSB0",), ("wasm",))
    assert node.allocatable["example.com/npu"] == 2
    assert node.allocatable["cpu"] == Decimal("1.5")
    assert node.taints[0].effect == "NoSchedule"
    assert (site.budgets.cpu, site.budgets.download) == (Decimal(2), Decimal(500_000_000))
    assert (site.link.bandwidth, site.link.metered) == (Decimal(20_000_000), True)
    assert site.target.path == "/var/lib/k0s/manifests/shop"
    assert (site.sync.interval, site.sync.timeout, site.sync.drift) == (90, 600, "report")
    assert site.sync.confirm_deletes == ("Namespace/shop",)
    assert site.vars == {"CITY": "Ulm"}
    assert not site.pin_images


CLASS = "apiVersion: wayside.dev/v1alpha1\nkind: SiteClass\nmetadata: {name: box}\nspec:\n"


def test_a_class_and_the_defaults_stand_under_the_site() -> None:
    defaults = "spec:\n  defaults:\n    sync: {interval: 30s, timeout: 1m}\n    budgets: {cpu: 1}\n"
    of_class = CLASS + KIND + NODES + "  sync: {timeout: 2m, drift: report}\n"
    load = read(
        HEAD + "  class: box\n  sync: {drift: ignore}\n", FLEET + defaults, **{"classes/box.yaml": of_class}
    )
    assert told(load) == []
    assert load.fleet is not None
    site = load.fleet.sites["one"]
    assert (site.sync.interval, site.sync.timeout, site.sync.drift) == (30, 120, "ignore")
    assert site.class_name == "box"
    assert site.budgets.cpu == 1
    files = {
        "fleet.yaml": (FLEET + defaults).encode(),
        "classes/box.yaml": of_class.encode(),
        "sites/one/site.yaml": (HEAD + "  class: box\n  sync: {drift: ignore}\n").encode(),
    }
    origins = SiteOrigins(MemoryTree(files), load)
    assert str(origins.locate(site, ("spec", "sync", "drift"))) == "sites/one/site.yaml:6:17"
    assert str(origins.locate(site, ("spec", "sync", "timeout"))) == "classes/box.yaml:8:19"
    assert str(origins.locate(site, ("spec", "nodes", 0, "architecture"))) == "classes/box.yaml:7:26"
    assert str(origins.locate(site, ("spec", "budgets", "cpu"), key=True)) == "fleet.yaml:7:15"
    assert str(origins.locate(site, ("spec", "link"))) == "sites/one/site.yaml:4:1"


WRONG = {
    "unknown field": (SITE + "  storageclasses: [x]\n", "8:3 site-schema: expected a known field in spec, found 'storageclasses' (did you mean storageClasses?)"),
    "wrong type": (SITE + "  link: fast\n", "8:9 site-schema: expected a mapping in spec.link, found 'fast'"),
    "number as version": (SITE.replace('"1.33"', "1.30"), '6:22 site-schema: expected a Kubernetes version in quotes, such as "1.33" in spec.kubernetesVersion, found the number 1.3 (put it in quotes: without them YAML reads 1.30 as the number 1.3)'),
    "patch version": (SITE.replace('"1.33"', "v1.33.2"), '6:22 site-schema: expected a Kubernetes version in quotes, such as "1.33" in spec.kubernetesVersion, found \'v1.33.2\' (write the minor version only: "1.33")'),
    "missing fields": (HEAD + KIND, "4:1 site-schema: expected the field spec.nodes, found none (add it)"),
    "exponent and suffix": (SITE.replace("4Gi", "1e3Ki"), "7:61 site-schema: expected a quantity such as 500m, 128Mi or 2 in spec.nodes[0].allocatable.memory, found '1e3Ki' (use either an exponent or a suffix, not both)"),
    "negative amount": (SITE.replace("4Gi", "-1"), "7:61 site-schema: expected a quantity such as 500m, 128Mi or 2 in spec.nodes[0].allocatable.memory, found the number -1 (an amount cannot be negative)"),
    "space in an amount": (SITE.replace("4Gi", "128 Mi"), "7:61 site-schema: expected a quantity such as 500m, 128Mi or 2 in spec.nodes[0].allocatable.memory, found '128 Mi' (write it without spaces: 128Mi)"),
    "bytes": (SITE.replace("4Gi", "4GB"), "7:61 site-schema: expected a quantity such as 500m, 128Mi or 2 in spec.nodes[0].allocatable.memory, found '4GB' (write 4G, or 4Gi for powers of 1024)"),
    "bits": (SITE + "  link: {bandwidth: 2Mbit}\n", "8:21 site-schema: expected a quantity such as 500m, 128Mi or 2 in spec.link.bandwidth, found '2Mbit' (write 2M)"),
    "merge conflict": (SITE.replace("  platform: k3s\n", "<<<<<<< HEAD\n  platform: k3s\n=======\n  platform: k0s\n>>>>>>> other\n"), "5:1 yaml: expected YAML, found the mark of a merge conflict: <<<<<<< (settle the conflict: keep one side, and remove the lines with <<<<<<<, ======= and >>>>>>>)"),
    "architecture": (SITE.replace("linux/arm64", "aarch64"), "7:26 site-schema: expected an OCI platform such as linux/amd64, linux/arm64 or linux/arm/v7 in spec.nodes[0].architecture, found 'aarch64' (did you mean linux/arm64?)"),
    "enum": (SITE + "  sync: {drift: Correct}\n", "8:17 site-schema: expected correct or report or ignore in spec.sync.drift, found 'Correct' (did you mean correct?)"),
    "duration without unit": (SITE + '  sync: {interval: "5"}\n', "8:20 site-schema: expected a duration such as 30s, 5m or 1h30m in spec.sync.interval, found '5' (add a unit: 5s)"),
    "unknown class": (HEAD + "  class: box\n", "5:10 site-schema: expected the name of a SiteClass in spec.class, found 'box' (known classes: none)"),
    "target without path": (SITE + "  target: {type: directory}\n", "8:11 site-schema: expected spec.target.path for the target 'directory', found none (add the path of the kubeconfig or directory)"),
    "nodes of one name": (SITE.replace("}}]", "}}, {name: node-0, architecture: linux/amd64, allocatable: {memory: 1Gi}}]"), "7:75 site-schema: expected different names of nodes, found 'node-0' again (rename one, or use one entry with `count`)"),
    "two sites in a file": (SITE + "---\n" + SITE, "9:1 site-schema: expected one Site in the file, found 2 (one file, one site)"),
    "no site in a file": ("# nothing\n", "1:1 site-schema: expected one Site in the file, found 0 (one file, one site)"),
    "duplicate key": (SITE + "  platform: k0s\n", "8:3 yaml: expected each key once, found 'platform' again (remove one of the two, or merge their values)"),
    "tab": (HEAD + "\tplatform: k3s\n", "5:1 yaml: expected valid YAML, but found a tab where a value, a key or a comment begins (indent with spaces; YAML does not allow tabs there)"),
    "not UTF-8": (b"a: 1\nb: \xff\n", "2:4 yaml: expected UTF-8 text, found the byte 0xff (save the file as UTF-8)"),
    "NUL": ("a: 1\nb: x\0\n", "2:5 yaml: expected text, found a NUL (remove it, or write it as an escape in double quotes)"),
    "too large": (b"#" * (1024 * 1024 + 1), "1:1 yaml: expected at most 1048576 bytes of YAML, found 1048577 (split the file, or generate large values in the cluster)"),
    "exploding aliases": ("a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)), "6:8 yaml: expected aliases that repeat at most 100000 values, found more (write the values out, or use fewer aliases of aliases)"),
    "deep nesting": ("[" * 100_000, "1:201 yaml: expected at most 200 collections inside each other, found more (flatten the document)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str | bytes, expected: str) -> None:
    load = read(text, **{"sites/two/site.yaml": SITE.replace("one", "two")})
    assert told(load) == [f"sites/one/site.yaml:{expected}"]
    assert load.fleet is not None
    assert list(load.fleet.sites) == ["two"], "a broken site hides no other"
    assert [each.name for each in load.broken] == ["one"], "and nobody takes it for removed"


def test_all_mistakes_are_told_at_once() -> None:
    text = SITE.replace("4Gi", "4Q").replace("k3s", "K3S") + "  budgets: {memory: -3Gi, cpus: 1}\n"
    load = read(text, FLEET + "spec: {rules: {failOn: warn}}\n", **{"sites/two/site.yaml": "a: ["})
    assert [(str(each.location), each.rule) for each in load.findings] == [
        ("fleet.yaml:4:24", "fleet-schema"),
        ("sites/one/site.yaml:5:13", "site-schema"),
        ("sites/one/site.yaml:7:61", "site-schema"),
        ("sites/one/site.yaml:8:21", "site-schema"),
        ("sites/one/site.yaml:8:27", "site-schema"),
        ("sites/two/site.yaml:2:1", "yaml"),
    ]
    assert load.fleet is None
    assert [each.name for each in load.broken] == ["one", "two"]


def test_two_sites_of_one_name_are_refused() -> None:
    load = read(**{"sites/two/site.yaml": SITE})
    assert told(load) == [
        "sites/two/site.yaml:3:18 site-schema: expected each name of a site once, found 'one' again"
        " (rename one; the first is at sites/one/site.yaml:1:1)"
    ]
    assert load.fleet is not None
    assert load.fleet.sites["one"].directory == "sites/one", "the second takes no one's place"
    assert [(each.name, each.directory) for each in load.broken] == [("one", "sites/two")]


WRONG_FLEETS = {
    "fail on": ("rules: {failOn: warn}", "4:24 fleet-schema: expected error or warning or info in spec.rules.failOn, found 'warn' (did you mean warning?)"),
    "outside": ("sites: [../*/site.yaml]", "4:16 fleet-schema: expected a path in the repository in spec.sites[0], found '../*/site.yaml'"),
    "unknown field": ("default: {}", "4:8 fleet-schema: expected a known field in spec, found 'default' (did you mean defaults?)"),
    "no such day": ("rules: {waivers: [{rule: a, reason: b, expires: 2027-02-31}]}", "4:56 fleet-schema: expected a day of the calendar, found '2027-02-31'"),
    "waiver without a reason": ("rules: {waivers: [{rule: a, expires: 2027-02-01}]}", "4:26 fleet-schema: expected the field spec.rules.waivers[0].reason, found none (add it: Why. It is shown wherever the waiver counts.)"),
    "versions": ("requires: {wayside: latest}", "4:28 fleet-schema: expected versions such as >=0.2,<1 in spec.requires.wayside, found 'latest'"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), WRONG_FLEETS.values(), ids=WRONG_FLEETS.keys())
def test_a_mistake_of_the_fleet_is_told(spec: str, expected: str) -> None:
    load = read(fleet=FLEET + f"spec: {{{spec}}}\n")
    assert told(load) == [f"fleet.yaml:{expected}"]
    assert load.fleet is None


def test_settings_of_the_fleet_arrive() -> None:
    spec = """spec:
  sites: [places/*/*.yaml]
  requires: {wayside: ">=0.1,<2"}
  rules:
    failOn: warning
    settings: {memory-budget: {severity: warning, parameters: {reserve: 10}}, digest-pinned: {enabled: false}}
    waivers:
      - {rule: memory-budget, reason: old boxes, expires: 2027-01-31, sites: ["o*"]}
"""
    files = {"fleet.yaml": (FLEET + spec).encode(), "places/r1/one.yaml": SITE.encode()}
    load = load_fleet(MemoryTree(files))
    assert told(load) == []
    assert load.fleet is not None
    assert load.fleet.requires == ">=0.1,<2"
    assert load.fleet.rules.fail_on.value == "warning"
    assert load.fleet.rules.rules["memory-budget"].parameters == {"reserve": 10}
    assert not load.fleet.rules.rules["digest-pinned"].enabled
    (waiver,) = load.fleet.rules.waivers
    assert str(waiver.expires) == "2027-01-31"
    assert str(waiver.at) == "fleet.yaml:11:9"
    assert list(load.fleet.sites) == ["one"]


def test_a_repository_without_a_fleet_says_so() -> None:
    load = load_fleet(MemoryTree({"README.md": b""}))
    assert load.fleet is None
    assert told(load)[0].startswith("fleet.yaml:1:1 fleet-schema: expected fleet.yaml at the root")


def test_links_out_of_the_repository_are_findings(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    (root / "sites/one").mkdir(parents=True)
    (root / "fleet.yaml").write_text(FLEET)
    (root / "sites/one/site.yaml").write_text(SITE)
    (root / "sites/evil").symlink_to("/etc")
    (root / "sites/pipe").mkdir()
    os.mkfifo(root / "sites/pipe/site.yaml")
    load = load_fleet(WorkingTree(root))
    assert told(load) == [
        "sites/evil:1:1 fleet-schema: the path 'sites/evil' leaves the repository through a symlink"
        " (replace the symlink by what it names)",
        "sites/pipe/site.yaml:1:1 site-schema: expected a file at 'sites/pipe/site.yaml', found a device, pipe or socket",
    ]
    assert load.fleet is not None
    assert list(load.fleet.sites) == ["one"]


def test_a_right_fleet_needs_no_explainer() -> None:
    """Importing jsonschema would cost more than reading a thousand sites."""
    code = (
        "import sys; from reconciler.documents.tree import MemoryTree; from reconciler.fleet.loading import load_fleet;"
        f"load = load_fleet(MemoryTree({{'fleet.yaml': {FLEET.encode()!r}, 'sites/one/site.yaml': {SITE.encode()!r}}}));"
        "assert load.fleet and not load.findings; assert 'jsonschema' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
