"""The origin of a value is the line that a person would point at."""

from __future__ import annotations

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.model.fieldpath import parse_field_path
from reconciler.model.resource import ResourceId
from reconciler.render import ResourceSet, build

FILES = {
    "base/kustomization.yaml": """\
resources:
- app.yaml
- extra.yaml
commonAnnotations:
  owner: team-base
configMapGenerator:
- name: settings
  literals:
  - LEVEL=info
  - REGION=none
  files:
  - motd.txt
- name: fixed
  literals: [a=1]
  options: {disableNameSuffixHash: true}
patches:
- path: probe.yaml
""",
    "base/motd.txt": "hello\n",
    "base/app.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  labels:
    app: app
spec:
  replicas: 1
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels:
        app: app
    spec:
      containers:
      - name: app
        image: example.com/app:1.0
        args: [--a, --b]
        env:
        - name: MODE
          value: slow
        - name: KEEP
          value: "yes"
        envFrom:
        - configMapRef:
            name: settings
      - name: side
        image: example.com/side:1.0
---
apiVersion: v1
kind: Service
metadata:
  name: app
spec:
  selector: {app: app}
  ports:
  - name: http
    port: 80
  - name: metrics
    port: 9090
""",
    "base/extra.yaml": """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ServiceAccount
  metadata:
    name: app
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: listed
  data:
    key: from-list
""",
    "base/probe.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  template:
    spec:
      containers:
      - name: app
        livenessProbe:
          httpGet:
            path: /healthz
            port: 8080
""",
    "component/kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources:
- monitor.yaml
patches:
- target:
    kind: Deployment
  patch: |-
    - op: add
      path: /spec/template/spec/containers/0/env/-
      value:
        name: MONITOR
        value: "on"
    - op: replace
      path: /spec/template/spec/containers/1/image
      value: example.com/side:2.0
""",
    "component/monitor.yaml": """\
apiVersion: example.com/v1
kind: Monitor
metadata:
  name: app
spec:
  interval: 30s
""",
    "site/kustomization.yaml": """\
resources:
- ../base
components:
- ../component
namespace: edge
namePrefix: eu-
labels:
- pairs:
    site: one
    ring: canary
  includeTemplates: true
images:
- name: example.com/app
  newTag: "1.5"
replicas:
- name: app
  count: 3
configMapGenerator:
- name: settings
  behavior: merge
  literals:
  - REGION=eu
  - EXTRA=1
patches:
- path: patch.yaml
- patch: |
    apiVersion: v1
    kind: Service
    metadata:
      name: app
    spec:
      type: NodePort
      ports:
      - port: 80
        nodePort: 30080
patchesStrategicMerge:
- legacy.yaml
replacements:
- source: {kind: Service, name: app, fieldPath: spec.type}
  targets:
  - select: {kind: Monitor}
    fieldPaths: [spec.kind]
    options: {create: true}
""",
    "site/patch.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  template:
    spec:
      containers:
      - name: app
        env:
        - name: MODE
          value: fast
        resources:
          limits:
            memory: 128Mi
      - name: new
        image: example.com/new:1
""",
    "site/legacy.yaml": """\
apiVersion: example.com/v1
kind: Monitor
metadata:
  name: app
spec:
  interval: 60s
""",
}

DEPLOYMENT = ResourceId("apps", "Deployment", "edge", "eu-app")
SERVICE = ResourceId("", "Service", "edge", "eu-app")
ACCOUNT = ResourceId("", "ServiceAccount", "edge", "eu-app")
LISTED = ResourceId("", "ConfigMap", "edge", "eu-listed")
FIXED = ResourceId("", "ConfigMap", "edge", "eu-fixed")
MONITOR = ResourceId("example.com", "Monitor", "edge", "eu-app")
POD = "spec.template.spec"


@pytest.fixture(scope="module")
def site() -> ResourceSet:
    return build("site", MemoryTree({path: text.encode() for path, text in FILES.items()}))


@pytest.fixture(scope="module")
def settings(site: ResourceSet) -> ResourceId:
    return next(resource.id for resource in site if resource.id.name.startswith("eu-settings-"))


#: Resource, field, file and the text that the line begins with, and the files of the whole chain.
FIELDS = [
    (DEPLOYMENT, "apiVersion", "base/app.yaml", "apiVersion: apps/v1", ["base/app.yaml"]),
    (DEPLOYMENT, "kind", "base/app.yaml", "kind: Deployment", ["base/app.yaml"]),
    (DEPLOYMENT, "metadata.name", "site/kustomization.yaml", "namePrefix: eu-", None),
    (DEPLOYMENT, "metadata.namespace", "site/kustomization.yaml", "namespace: edge", None),
    (DEPLOYMENT, "metadata.labels.app", "base/app.yaml", "    app: app", ["base/app.yaml"]),
    (DEPLOYMENT, "metadata.labels.site", "site/kustomization.yaml", "    site: one", None),
    (DEPLOYMENT, "metadata.labels.ring", "site/kustomization.yaml", "    ring: canary", None),
    (DEPLOYMENT, "metadata.annotations.owner", "base/kustomization.yaml", "  owner: team-base", None),
    (
        DEPLOYMENT,
        "spec.replicas",
        "site/kustomization.yaml",
        "  count: 3",
        ["base/app.yaml", "site/kustomization.yaml"],
    ),
    (DEPLOYMENT, "spec.selector.matchLabels.app", "base/app.yaml", "    matchLabels: {app", None),
    (DEPLOYMENT, "spec.template.metadata.labels.app", "base/app.yaml", "        app: app", None),
    (DEPLOYMENT, "spec.template.metadata.labels.site", "site/kustomization.yaml", "    site: one", None),
    (DEPLOYMENT, "spec.template.metadata.annotations.owner", "base/kustomization.yaml", "  owner:", None),
    (DEPLOYMENT, f"{POD}.containers[0].name", "base/app.yaml", "      - name: app", None),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].image",
        "site/kustomization.yaml",
        '  newTag: "1.5"',
        ["base/app.yaml", "site/kustomization.yaml"],
    ),
    (DEPLOYMENT, f"{POD}.containers[0].args[0]", "base/app.yaml", "        args: [--a, --b]", None),
    (DEPLOYMENT, f"{POD}.containers[0].args[1]", "base/app.yaml", "        args: [--a, --b]", None),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].env[0].value",
        "site/patch.yaml",
        "          value: fast",
        ["base/app.yaml", "site/patch.yaml"],
    ),
    (DEPLOYMENT, f"{POD}.containers[0].env[1].value", "base/app.yaml", '          value: "yes"', None),
    (DEPLOYMENT, f"{POD}.containers[0].env[1].name", "base/app.yaml", "        - name: KEEP", None),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].env[2].value",
        "component/kustomization.yaml",
        '        value: "on"',
        None,
    ),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].envFrom[0].configMapRef.name",
        "site/kustomization.yaml",
        "- name: settings",
        None,
    ),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].livenessProbe.httpGet.path",
        "base/probe.yaml",
        "            path: /healthz",
        None,
    ),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].livenessProbe.httpGet.port",
        "base/probe.yaml",
        "            port: 8080",
        None,
    ),
    (
        DEPLOYMENT,
        f"{POD}.containers[0].resources.limits.memory",
        "site/patch.yaml",
        "            memory: 128Mi",
        None,
    ),
    (DEPLOYMENT, f"{POD}.containers[1].image", "site/patch.yaml", "        image: example.com/new:1", None),
    (
        DEPLOYMENT,
        f"{POD}.containers[2].image",
        "component/kustomization.yaml",
        "      value: example.com/side:2.0",
        ["base/app.yaml", "component/kustomization.yaml"],
    ),
    (DEPLOYMENT, f"{POD}.containers[2].name", "base/app.yaml", "      - name: side", None),
    (DEPLOYMENT, "spec.nope.deeper", "base/app.yaml", "  replicas: 1", None),
    (
        SERVICE,
        "metadata.name",
        "site/kustomization.yaml",
        "namePrefix: eu-",
        ["base/app.yaml", "site/kustomization.yaml"],
    ),
    (SERVICE, "metadata.namespace", "site/kustomization.yaml", "namespace: edge", None),
    (SERVICE, "spec.selector.app", "base/app.yaml", "  selector: {app: app}", None),
    (SERVICE, "spec.type", "site/kustomization.yaml", "      type: NodePort", None),
    (SERVICE, "spec.ports[0].nodePort", "site/kustomization.yaml", "        nodePort: 30080", None),
    (SERVICE, "spec.ports[0].name", "base/app.yaml", "  - name: http", None),
    (SERVICE, "spec.ports[1].port", "base/app.yaml", "    port: 9090", None),
    (SERVICE, "metadata.labels.site", "site/kustomization.yaml", "    site: one", None),
    (
        ACCOUNT,
        "metadata.name",
        "site/kustomization.yaml",
        "namePrefix: eu-",
        ["base/extra.yaml", "site/kustomization.yaml"],
    ),
    (ACCOUNT, "kind", "base/extra.yaml", "  kind: ServiceAccount", None),
    (LISTED, "data.key", "base/extra.yaml", "    key: from-list", ["base/extra.yaml"]),
    (LISTED, "metadata.annotations.owner", "base/kustomization.yaml", "  owner: team-base", None),
    (FIXED, "data.a", "base/kustomization.yaml", "  literals: [a=1]", None),
    (FIXED, "metadata.name", "site/kustomization.yaml", "namePrefix: eu-", None),
    (
        MONITOR,
        "spec.interval",
        "site/legacy.yaml",
        "  interval: 60s",
        ["component/monitor.yaml", "site/legacy.yaml"],
    ),
    (MONITOR, "spec.kind", "site/kustomization.yaml", "- source: {kind: Service", None),
    (MONITOR, "metadata.name", "site/kustomization.yaml", "namePrefix: eu-", None),
    (MONITOR, "metadata.labels.ring", "site/kustomization.yaml", "    ring: canary", None),
]
GENERATED = [
    ("data.LEVEL", "base/kustomization.yaml", "  - LEVEL=info"),
    ("data.REGION", "site/kustomization.yaml", "  - REGION=eu"),
    ("data.EXTRA", "site/kustomization.yaml", "  - EXTRA=1"),
    ('data["motd.txt"]', "base/kustomization.yaml", "  - motd.txt"),
    ("metadata.namespace", "site/kustomization.yaml", "namespace: edge"),
    ("metadata.labels.site", "site/kustomization.yaml", "    site: one"),
]


def line_at(path: str, line: int) -> str:
    return FILES[path].splitlines()[line - 1]


@pytest.mark.parametrize("expected", FIELDS, ids=lambda each: f"{each[0].kind}-{each[0].name}-{each[1]}")
def test_a_field_comes_from_the_line_that_set_it(
    site: ResourceSet, expected: tuple[ResourceId, str, str, str, list[str] | None]
) -> None:
    resource, field, path, text, chain = expected

    origin = site.origin(resource, parse_field_path(field))

    found = origin.location
    assert (found.path, line_at(found.path, found.line)[: len(text)]) == (path, text)
    if chain is not None:
        assert [step.location.path for step in origin.chain] == chain


@pytest.mark.parametrize(("field", "path", "text"), GENERATED, ids=[field for field, *_ in GENERATED])
def test_generated_data_comes_from_the_entry_that_holds_it(
    site: ResourceSet, settings: ResourceId, field: str, path: str, text: str
) -> None:
    found = site.origin(settings, parse_field_path(field)).location

    assert (found.path, line_at(found.path, found.line)[: len(text)]) == (path, text)


def test_a_build_that_nobody_asks_for_origins_keeps_no_history(site: ResourceSet) -> None:
    assert all(not hasattr(resource, "history") for resource in site)


def test_an_unknown_resource_has_no_origin(site: ResourceSet) -> None:
    with pytest.raises(LookupError, match="no ConfigMap/nope"):
        site.origin(ResourceId("", "ConfigMap", "", "nope"), ())


REST = {
    "base/kustomization.yaml": """\
resources:
- app.yaml
commonLabels:
  team: one
nameSuffix: -v1
secretGenerator:
- name: keys
  envs: [keys.env]
vars:
- name: WHERE
  objref: {apiVersion: v1, kind: Service, name: web}
""",
    "base/keys.env": "# keys\nA=1\nTOKEN=abc\n",
    "base/app.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {}
  template:
    spec:
      containers:
      - name: web
        image: nginx:1
        env:
        - {name: HOST, value: http://$(WHERE)/}
        envFrom:
        - secretRef: {name: keys}
---
apiVersion: v1
kind: Service
metadata: {name: web}
""",
    "site/kustomization.yaml": """\
resources: [../base]
patchesJson6902:
- target: {group: apps, version: v1, kind: Deployment, name: web}
  path: ops.yaml
images:
- name: nginx
  newName: r.example.com/nginx
  digest: sha256:0123
transformers:
- plugins.yaml
- |-
  apiVersion: builtin
  kind: NamespaceTransformer
  metadata:
    name: any
    namespace: shop
  fieldSpecs: []
""",
    "site/ops.yaml": """\
- op: add
  path: /spec/replicas
  value: 2
""",
    "site/plugins.yaml": """\
apiVersion: builtin
kind: AnnotationsTransformer
metadata: {name: notes}
annotations:
  note: x
fieldSpecs: [{path: metadata/annotations, create: true}]
---
apiVersion: builtin
kind: PrefixTransformer
metadata: {name: front}
prefix: p-
fieldSpecs: [{path: metadata/name}]
""",
}
WEB = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("kind", "field", "place", "what"),
    [
        ("Deployment", "metadata.labels.team", "base/kustomization.yaml:4:9", "commonLabels"),
        ("Deployment", "spec.selector.matchLabels.team", "base/kustomization.yaml:4:9", "commonLabels"),
        ("Deployment", "spec.replicas", "site/ops.yaml:3:10", "patch"),
        ("Deployment", f"{WEB}.image", "site/kustomization.yaml:8:11", "images"),
        ("Deployment", f"{WEB}.env[0].value", "base/kustomization.yaml:10:3", "vars"),
        ("Deployment", "metadata.annotations.note", "site/plugins.yaml:5:9", "AnnotationsTransformer"),
        ("Deployment", "metadata.namespace", "site/kustomization.yaml:16:16", "NamespaceTransformer"),
        ("Service", "metadata.name", "site/plugins.yaml:11:9", "PrefixTransformer"),
        ("Secret", "data.TOKEN", "base/keys.env:3:7", "generator"),
        ("Secret", "data.A", "base/keys.env:2:3", "generator"),
    ],
)
def test_other_transformers_are_pointed_at_just_as_well(kind: str, field: str, place: str, what: str) -> None:
    built = build("site", MemoryTree({path: text.encode() for path, text in REST.items()}))
    resource = next(each for each in built if each.id.kind == kind)

    origin = built.origin(resource, parse_field_path(field))

    assert (str(origin.location), origin.what) == (place, what)
