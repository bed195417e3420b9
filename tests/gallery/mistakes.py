"""Forty mistakes in the template's fleet, each with where it is seen and a fix that does what the hint says."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MISTAKES", "Edit", "Mistake"]

_POS = "bases/pos/deployment.yaml"
_MQTT = "bases/mqtt/statefulset.yaml"
_KIOSK = "bases/kiosk/deployment.yaml"
_EXPORTER = "bases/node-exporter/daemonset.yaml"
_BERLIN = "sites/berlin-mitte/kustomization.yaml"
_BREMEN = "sites/bremen-kiosk/kustomization.yaml"
_BREMEN_SITE = "sites/bremen-kiosk/site.yaml"
_MUNICH = "sites/munich-depot/kustomization.yaml"
_MUNICH_SITE = "sites/munich-depot/site.yaml"


@dataclass(frozen=True, slots=True)
class Edit:
    """A text of a file that is replaced; "" as the old text makes a new file, "" as both removes it."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake that somebody made.

    Attributes:
        title: What was done, in words.
        edits: The mistake.
        rule: The id of the one finding.
        path: The file that it is shown in.
        line: A text on the line that it is shown on.
        fix: What follows the hint.
    """

    title: str
    edits: tuple[Edit, ...]
    rule: str
    path: str
    line: str
    fix: tuple[Edit, ...]


def _one(  # noqa: PLR0917 - the columns of a table
    title: str, path: str, old: str, new: str, rule: str, line: str, fix: str | None = None, *, at: str = ""
) -> Mistake:
    """Return a mistake of one edit; `fix` replaces what was written, None takes it back."""
    return Mistake(
        title,
        (Edit(path, old, new),),
        rule,
        at or path,
        line,
        (Edit(path, new, old if fix is None else fix),),
    )


_SEALED = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: door\nstringData:\n  password: hunter2\n"
_PROBE = "          readinessProbe:\n            tcpSocket:\n              port: mqtt\n"

MISTAKES: tuple[Mistake, ...] = (
    # fleet.yaml, classes, sites, lock
    _one(
        "A field of fleet.yaml is misspelt",
        "fleet.yaml",
        "  defaults:\n",
        "  default:\n",
        "fleet-schema",
        "default:",
    ),
    _one(
        "A rule is set that does not exist",
        "fleet.yaml",
        "      digest-pinned:",
        "      digest-pined:",
        "rule-settings",
        "digest-pined",
        "      digest-pinned:",
    ),
    _one(
        "A site names a class that is not there",
        "sites/berlin-mitte/site.yaml",
        "class: till-box",
        "class: tillbox",
        "site-schema",
        "class: tillbox",
    ),
    _one(
        "A site's memory has a unit that Kubernetes does not know",
        _BREMEN_SITE,
        "memory: 900Mi",
        "memory: 900MB",
        "site-schema",
        "memory: 900MB",
    ),
    _one(
        "A field of a class is misspelt",
        "classes/till-box.yaml",
        "  platform: k3s",
        "  plattform: k3s",
        "site-schema",
        "plattform",
    ),
    _one("A platform is no OCI platform", _BREMEN_SITE, "linux/arm/v7", "armv7l", "site-schema", "armv7l"),
    _one("site.yaml is indented wrongly", _MUNICH_SITE, "  budgets:\n", " budgets:\n", "yaml", "budgets:"),
    _one("The lock has a digest that is none", "images.lock", "sha256:", "sha512:", "lock-schema", "sha512:"),
    _one(
        "A waiver has ended",
        "fleet.yaml",
        "    failOn: error\n",
        "    failOn: error\n    waivers:\n      - {rule: probes, reason: the old till, expires: 2020-01-31, sites: [lab]}\n",
        "waiver-expired",
        "2020-01-31",
    ),
    # overlays and bases
    _one("A base is misspelt", _BERLIN, "../../bases/pos\n", "../../bases/poss\n", "render", "poss"),
    _one(
        "A patch finds nothing to patch",
        "sites/berlin-mitte/till-printer.yaml",
        "kind: Deployment\nmetadata:\n  name: pos\n",
        "kind: Deployment\nmetadata:\n  name: pos-till\n",
        "render",
        "till-printer.yaml",
        at=_BERLIN,
    ),
    _one(
        "A field of a kustomization is misspelt",
        _BERLIN,
        "components:\n",
        "component:\n",
        "render",
        "component:",
    ),
    _one(
        "A manifest is not YAML",
        "bases/pos/service.yaml",
        "  ports:\n",
        "  ports: [\n",
        "render",
        "name: http",
    ),
    _one(
        "A variable is not set",
        "sites/berlin-mitte/site.yaml",
        "CITY: Berlin",
        "TOWN: Berlin",
        "vars",
        "${CITY}",
        at=_POS,
    ),
    _one(
        "A field of a Deployment is misspelt",
        _POS,
        "  replicas: 1\n",
        "  replica: 1\n",
        "schema",
        "replica: 1",
    ),
    _one(
        "A port is a word where a number must be",
        "bases/pos/service.yaml",
        "port: 80\n",
        "port: eighty\n",
        "schema",
        "eighty",
    ),
    # architecture and images
    _one(
        "The till is put on a 32-bit board",
        _BREMEN,
        "  - ../../bases/node-exporter\n",
        "  - ../../bases/node-exporter\n  - ../../bases/pos\n",
        "image-platforms",
        "shop/pos",
        at=_POS,
    ),
    _one(
        "A JSON patch changes what is not there",
        _MUNICH,
        "path: /spec/resources/requests/storage",
        "path: /spec/resources/limits/storage",
        "render",
        "- op: replace",
    ),
    _one(
        "A variable comes from a Secret that is not there",
        _POS,
        "              value: ${CITY} # from spec.vars of each site\n",
        "              value: ${CITY} # from spec.vars of each site\n            - name: KEY\n              valueFrom: {secretKeyRef: {name: till-key, key: key}}\n",
        "references",
        "till-key",
        "              value: ${CITY}\n            - name: KEY\n              valueFrom: {secretKeyRef: {name: till-key, key: key, optional: true}}\n",
    ),
    # resources
    Mistake(
        "The kiosk asks for more memory than the site may use",
        (Edit(_KIOSK, "memory: 48Mi", "memory: 500Mi"), Edit(_KIOSK, "memory: 96Mi", "memory: 500Mi")),
        "memory-budget",
        _BREMEN_SITE,
        "memory: 512Mi",
        (Edit(_KIOSK, "memory: 500Mi", "memory: 200Mi"),),
    ),
    _one(
        "The till asks for more CPU than the site may use",
        _POS,
        "cpu: 250m",
        "cpu: 2900m",
        "cpu-budget",
        "spec:",
        "cpu: 2000m",
        at="sites/berlin-mitte/site.yaml",
    ),
    _one(
        "A pod asks for a device that is nowhere",
        _POS,
        "              memory: 768Mi\n",
        "              memory: 768Mi\n              nvidia.com/gpu: 1\n",
        "extended-resources",
        "name: pos",
    ),
    # security
    _one(
        "A container is privileged",
        _EXPORTER,
        "allowPrivilegeEscalation: false",
        "privileged: true",
        "privileged",
        "privileged: true",
    ),
    _one(
        "A container gets a capability that is not needed",
        _MQTT,
        "drop: [ALL]",
        "drop: [ALL]\n              add: [SYS_ADMIN]",
        "capabilities",
        "SYS_ADMIN",
    ),
    _one(
        "A pod sees the processes of its node",
        _EXPORTER,
        "      serviceAccountName: node-exporter\n",
        "      serviceAccountName: node-exporter\n      hostPID: true\n",
        "host-namespaces",
        "hostPID",
    ),
    _one(
        "A pod mounts a folder of its node", _EXPORTER, "path: /sys\n", "path: /etc\n", "host-paths", "/etc"
    ),
    _one(
        "A password is written into the environment",
        _POS,
        "              value: ${CITY} # from spec.vars of each site\n",
        "              value: ${CITY} # from spec.vars of each site\n            - name: DB_PASSWORD\n              value: hunter2\n",
        "plain-secrets",
        "hunter2",
    ),
    Mistake(
        "A Secret stands in git",
        (
            Edit("bases/pos/secret.yaml", "", _SEALED),
            Edit("bases/pos/kustomization.yaml", "  - storage.yaml\n", "  - storage.yaml\n  - secret.yaml\n"),
        ),
        "secret-in-git",
        "bases/pos/secret.yaml",
        "apiVersion: v1",
        (Edit("bases/pos/kustomization.yaml", "  - secret.yaml\n", ""),),
    ),
    # references
    _one(
        "A Deployment names a ServiceAccount that is not there",
        _KIOSK,
        "serviceAccountName: kiosk",
        "serviceAccountName: kiosks",
        "references",
        "kiosks",
    ),
    _one(
        "A volume names a ConfigMap that is not there",
        _MQTT,
        "name: mqtt-config\n",
        "name: mqtt-configs\n",
        "references",
        "mqtt-configs",
    ),
    _one(
        "A Service selects nothing",
        "bases/pos/service.yaml",
        "spec:\n",
        "spec:\n  selector: {app: till}\n",
        "service-selector",
        "app: till",
    ),
    _one(
        "A claim names a storage class that the site does not have",
        "bases/pos/storage.yaml",
        "storageClassName: local-path",
        "storageClassName: fast",
        "storage-class",
        "fast",
    ),
    _one(
        "A pod names a runtime class that is nowhere",
        _KIOSK,
        "      serviceAccountName: kiosk\n",
        "      serviceAccountName: kiosk\n      runtimeClassName: gvisor\n",
        "runtime-class",
        "gvisor",
    ),
    _one(
        "A node's label contradicts its architecture",
        _BREMEN_SITE,
        "kubernetes.io/arch: arm\n",
        "kubernetes.io/arch: arm64\n",
        "site-facts",
        "arm64",
    ),
    _one(
        "A patch names a storage class that the site does not have",
        "sites/munich-depot/storage.yaml",
        "metadata:\n  name: pos-data\nspec:\n  storageClassName: openebs-hostpath",
        "metadata:\n  name: pos-data\nspec:\n  storageClassName: fast-nvme",
        "storage-class",
        "fast-nvme",
    ),
    _one(
        "A pod wants a node that is not there",
        _KIOSK,
        "      serviceAccountName: kiosk\n",
        "      serviceAccountName: kiosk\n      nodeSelector: {disk: ssd}\n",
        "schedulable",
        "disk: ssd",
    ),
    # edge
    _one(
        "An image is pulled at every start, over a link that may be down",
        _POS,
        "shop/pos:2.4.1\n",
        "shop/pos:2.4.1\n          imagePullPolicy: Always\n",
        "pull-policy-offline",
        "shop/pos:2.4.1",
    ),
    Mistake(
        "A workload that serves has no readiness probe",
        (Edit(_MQTT, _PROBE, ""),),
        "probes",
        _MQTT,
        "mosquitto",
        (Edit(_MQTT, "          resources:\n", f"{_PROBE}          resources:\n"),),
    ),
    # policies
    _one(
        "A rule of the fleet does not compile",
        "policies/memory-limit.yaml",
        "\"'memory' in each.limits\"",
        "\"'memory' in each.limit(\"",
        "rule-error",
        "each.limit",
    ),
    _one(
        "A rule names a parameter that it does not declare",
        "policies/memory-limit.yaml",
        "\"'memory' in each.limits\"",
        '"params.resource in each.limits"',
        "rule-error",
        "params.resource",
    ),
)
