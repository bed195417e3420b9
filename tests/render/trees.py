"""Random trees of kustomizations, made from a seed."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.render.cases import Case

NAMES = ["web", "db", "cache", "api"]
CONFIGS = ["settings", "files", "extra"]
SECRETS = ["keys", "token"]
SCALARS = [
    *(
        "5",
        '"5"',
        "'5'",
        "true",
        '"true"',
        "True",
        "yes",
        '"yes"',
        "null",
        "~",
        "",
        "word",
        '"word"',
        "'a b'",
    ),
    *("1.10", '"1.10"', "0644", "1e3", "-1", '""', "2001-01-01", "x", '"x"', "a-b_c", "0x1F", "1000000"),
    *("$(VAR)", "'$(VAR)'", "é", '"tab\\there"', '"two\\nlines\\n"', "1:20", "<&>", "on", "12345678901"),
]
TEXTS = ["one", '"two words"', "'it''s'", '"5"', "plain text", "'true'", "a.b/c", '"x: y"']


class Raw(str):
    """A scalar as it is written in YAML."""

    __slots__ = ()


def _flow(value: Any) -> str:
    if isinstance(value, Raw):
        text = str(value)
        return (
            '""'
            if not text
            else text
            if not set(",[]{}: <>&$") & set(text) or text[0] in "\"'"
            else f'"{text}"'
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(child) for child in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    text = str(value)
    safe = text and text[0].isalpha() and all(char.isalnum() or char in "-_./" for char in text)
    return text if safe and text not in ("yes", "no", "on", "off", "true", "null", "y", "n") else f"'{text}'"


def dump(random: Random, value: Any, indent: int = 0) -> str:
    """Return a value as YAML, in a style that chance chooses."""
    pad = " " * indent
    lines = []
    pairs = value.items() if isinstance(value, dict) else ((None, child) for child in value)
    for key, child in pairs:
        head = f"{pad}- " if key is None else f"{pad}{key}: "
        if isinstance(child, str) and not isinstance(child, Raw) and "\n" in child:
            body = "".join(f"{pad}  {line}\n" if line else "\n" for line in child.split("\n")[:-1])
            lines.append(f"{head}|\n{body}")
        elif isinstance(child, dict | list) and child and not (random.random() < 0.2 and _is_small(child)):
            inner = dump(random, child, indent + 2)
            lines.append(f"{pad}- {inner[indent + 2 :]}" if key is None else f"{pad}{key}:\n{inner}")
        else:
            lines.append(f"{head}{child if isinstance(child, Raw) else _flow(child)}\n")
    return "".join(lines)


def _is_small(value: Any) -> bool:
    text = _flow(value)
    return len(text) < 60 and "\n" not in text


class Tree:
    """One tree in the making."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - trees, not secrets
        self.files: dict[str, str] = {}
        self.seed = seed
        self.known: list[tuple[str, str, str]] = []
        self.generated: list[str] = []
        self.layers = 0

    def case(self) -> Case:
        """Return the tree as a case."""
        top = self.layer("top", depth=self.random.choice([0, 1, 1, 2]))
        return Case("random", str(self.seed), self.files, top)

    # Values

    def pick(self, values: list[Any]) -> Any:
        return self.random.choice(values)

    def maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def some(self, make: Any, most: int = 3) -> list[Any]:
        return [make() for _ in range(self.random.randint(1, most))]

    def scalar(self) -> Raw:
        return Raw(self.pick(SCALARS))

    def text(self) -> Raw:
        return Raw(self.pick(TEXTS))

    def labels(self) -> dict[str, Any]:
        return {self.pick(["app", "team", "tier"]): self.pick(["a", "b", "c"]) for _ in range(2)}

    # Resources

    def container(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {"name": name}
        if self.maybe(0.8):
            made["image"] = self.pick(
                ["nginx:1", "nginx", "busybox:1.36", "r.example.com:5000/x/app:2", "app@sha256:aa"]
            )
        if self.maybe(0.4):
            names = ["A", "B", "C", "D"]
            self.random.shuffle(names)
            made["env"] = [
                {"name": each, "value": self.scalar()} for each in names[: self.random.randint(1, 3)]
            ]
        if self.maybe(0.2):
            reference = {"name": self.pick(CONFIGS), "key": "k"}
            made.setdefault("env", []).append({"name": "REF", "valueFrom": {"configMapKeyRef": reference}})
        if self.maybe(0.3):
            made["envFrom"] = [
                {"configMapRef": {"name": self.pick(CONFIGS)}}
                if self.maybe(0.6)
                else {"secretRef": {"name": self.pick(SECRETS)}}
            ]
        if self.maybe(0.3):
            made["ports"] = [
                {
                    "containerPort": self.pick([80, 81, 8080]),
                    **({"protocol": "UDP"} if self.maybe(0.3) else {}),
                }
                for _ in range(self.random.randint(1, 3))
            ]
        if self.maybe(0.2):
            made["args"] = [self.text() for _ in range(2)]
        if self.maybe(0.1):
            made["command"] = self.pick([Raw(""), Raw("null"), ["sh", "-c"]])
        if self.maybe(0.2):
            made["resources"] = {"limits": {"cpu": self.pick([Raw("1"), Raw('"2"'), "500m"])}}
        return made

    def pod(self) -> dict[str, Any]:
        names = ["main", "side", "log"][: self.random.randint(1, 3)]
        made: dict[str, Any] = {"containers": [self.container(name) for name in names]}
        if self.maybe(0.2):
            made["initContainers"] = [self.container("init")]
        if self.maybe(0.4):
            names = ["v1", "v2", "v3"][: self.random.randint(1, 3)]
            made["volumes"] = [self.volume(name) for name in names]
        if self.maybe(0.3):
            made["serviceAccountName"] = self.pick(NAMES)
        if self.maybe(0.1):
            made["tolerations"] = [{"key": self.pick(["a", "b"]), "operator": "Exists"}]
        return made

    def volume(self, name: str) -> dict[str, Any]:
        chosen: dict[str, Any] = self.pick(
            [
                {"configMap": {"name": self.pick(CONFIGS)}},
                {"secret": {"secretName": self.pick(SECRETS)}},
                {"emptyDir": {}},
                {"persistentVolumeClaim": {"claimName": self.pick(NAMES)}},
            ]
        )
        return {"name": name, **chosen}

    def workload(self) -> dict[str, Any]:
        kind = self.pick(["Deployment", "Deployment", "StatefulSet", "DaemonSet"])
        name = self.pick(NAMES)
        template: dict[str, Any] = {"spec": self.pod()}
        if self.maybe(0.7):
            template = {"metadata": {"labels": self.labels()}, **template}
        spec: dict[str, Any] = {"selector": {"matchLabels": self.labels()}, "template": template}
        if kind != "DaemonSet" and self.maybe(0.6):
            spec["replicas"] = self.random.randint(0, 3)
        if kind == "StatefulSet":
            spec["serviceName"] = self.pick(NAMES)
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": self.metadata(name), "spec": spec}

    def metadata(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {"name": name}
        if self.maybe(0.15):
            made["namespace"] = self.pick(["one", "two", "default"])
        if self.maybe(0.3):
            made["labels"] = self.labels()
        if self.maybe(0.25):
            made["annotations"] = {self.pick(["note", "example.com/x"]): self.scalar() for _ in range(2)}
        return made

    def resource(self) -> dict[str, Any]:
        name = self.pick(NAMES)
        match self.random.randint(0, 13):
            case 0 | 1 | 2 | 3:
                return self.workload()
            case 4 | 5:
                ports = [{"port": self.pick([80, 81]), "name": self.pick(["http", "x"])} for _ in range(2)]
                spec = {"selector": self.labels(), "ports": ports}
                return {"apiVersion": "v1", "kind": "Service", "metadata": self.metadata(name), "spec": spec}
            case 6:
                data = {key: self.scalar() for key in ("a", "b", "c.txt")[: self.random.randint(1, 3)]}
                return {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": self.metadata(self.pick(CONFIGS)),
                    "data": data,
                }
            case 7:
                return {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": self.metadata(self.pick(SECRETS)),
                    "stringData": {"k": self.text()},
                }
            case 8:
                template = {"spec": {"template": {"spec": self.pod()}}}
                return {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "metadata": self.metadata(name),
                    "spec": {"jobTemplate": template},
                }
            case 9:
                spec = {
                    "scaleTargetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": self.pick(NAMES),
                    }
                }
                return {
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": self.metadata(name),
                    "spec": spec,
                }
            case 10:
                return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": self.metadata(name)}
            case 11:
                kind = self.pick(["Role", "ClusterRole"])
                return {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": f"{kind}Binding",
                    "metadata": self.metadata(name),
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": kind,
                        "name": self.pick(NAMES),
                    },
                    "subjects": [
                        {
                            "kind": "ServiceAccount",
                            "name": self.pick([*NAMES, "default"]),
                            **({"namespace": self.pick(["one", "default"])} if self.maybe(0.6) else {}),
                        }
                    ],
                }
            case 12:
                kind = self.pick(["Role", "ClusterRole"])
                rules = [
                    {
                        "resources": ["configmaps"],
                        "resourceNames": [self.pick(CONFIGS), self.pick(SECRETS)],
                        "verbs": ["get"],
                    }
                ]
                return {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": kind,
                    "metadata": self.metadata(name),
                    "rules": rules,
                }
            case _:
                spec = {
                    "size": self.scalar(),
                    "list": [self.scalar(), {"k": self.scalar()}],
                    "deep": {"er": {"est": self.scalar()}},
                }
                return {
                    "apiVersion": "example.com/v1",
                    "kind": self.pick(["Thing", "Widget"]),
                    "metadata": self.metadata(name),
                    "spec": spec,
                }

    # Kustomizations

    def layer(self, name: str, *, depth: int, component: bool = False) -> str:
        folder = f"{name}{self.layers}"
        self.layers += 1
        fields: dict[str, Any] = {}
        bases = self.random.randint(1, 2) if depth else 0
        resources = ["../" + self.layer("base", depth=depth - 1) for _ in range(bases)]
        made: list[dict[str, Any]] = []
        if not resources or self.maybe(0.5):
            seen = set()
            for each in self.some(self.resource, 5):
                if each["kind"] in ("ConfigMap", "Secret"):
                    self.generated.append(each["metadata"]["name"])
                key = (each["kind"], each["metadata"]["name"], str(each["metadata"].get("namespace", "")))
                if key not in seen or self.maybe(0.03):
                    made.append(each)
                seen.add(key)
            text = "---\n".join(dump(self.random, each) for each in made)
            self.files[f"{folder}/res.yaml"] = text
            resources.append("res.yaml")
        self.known += [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in made]
        if component:
            fields |= {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        if resources:
            fields["resources"] = resources
        self.transformers(fields, folder)
        if depth and self.maybe(0.3):
            fields["components"] = ["../" + self.layer("part", depth=0, component=True)]
        self.files[f"{folder}/kustomization.yaml"] = dump(self.random, fields)
        return folder

    def transformers(self, fields: dict[str, Any], folder: str) -> None:
        chances: list[tuple[str, float, Any]] = [
            ("namespace", 0.3, lambda: self.pick(["one", "two", "three"])),
            ("namePrefix", 0.3, lambda: self.pick(["p-", "q-"])),
            ("nameSuffix", 0.2, lambda: self.pick(["-s", "-t"])),
            ("commonLabels", 0.15, self.labels),
            ("labels", 0.25, lambda: self.some(self.label, 2)),
            ("commonAnnotations", 0.2, lambda: {"note": self.text()}),
            ("images", 0.3, lambda: self.some(self.image, 2)),
            (
                "replicas",
                0.15 if self.known else 0,
                lambda: [{"name": self.workload_name(), "count": self.random.randint(0, 9)}],
            ),
            ("configMapGenerator", 0.35, lambda: self.some(lambda: self.generator(CONFIGS), 2)),
            ("secretGenerator", 0.15, lambda: self.some(lambda: self.generator(SECRETS), 1)),
            (
                "generatorOptions",
                0.1,
                lambda: {"disableNameSuffixHash": self.maybe(0.5), "labels": self.labels()},
            ),
            ("patches", 0.5 if self.known else 0, lambda: self.some(lambda: self.patch(folder), 3)),
            (
                "patchesStrategicMerge",
                0.1 if self.known else 0,
                lambda: [dump(self.random, self.merge_patch())],
            ),
            ("replacements", 0.15 if self.known else 0, lambda: self.some(self.replacement, 2)),
            ("sortOptions", 0.1, lambda: {"order": self.pick(["fifo", "legacy"])}),
            ("vars", 0.05, lambda: [self.var()]),
        ]
        for name, chance, make in chances:
            if self.maybe(chance):
                fields[name] = make()

    def workload_name(self) -> str:
        names = [name for _, kind, name in self.known if kind in ("Deployment", "StatefulSet")]
        return str(self.pick(names or [self.known[0][2]]))

    def label(self) -> dict[str, Any]:
        made: dict[str, Any] = {"pairs": self.labels()}
        if self.maybe(0.3):
            made[self.pick(["includeSelectors", "includeTemplates"])] = True
        return made

    def image(self) -> dict[str, Any]:
        made: dict[str, Any] = {"name": self.pick(["nginx", "busybox", "app", "r.example.com:5000/x/app"])}
        made[self.pick(["newTag", "newName", "digest", "tagSuffix"])] = self.pick(
            ["v2", "other", "sha256:bb"]
        )
        return made

    def generator(self, names: list[str]) -> dict[str, Any]:
        unused = [name for name in names if name not in self.generated]
        made: dict[str, Any] = {"name": self.pick(unused or names)}
        if made["name"] in self.generated and self.maybe(0.9):
            made["behavior"] = self.pick(["merge", "replace"])
        elif self.maybe(0.05):
            made["behavior"] = self.pick(["create", "merge", "replace"])
        self.generated.append(made["name"])
        made["literals"] = [
            f"{self.pick(['a', 'b', 'k'])}{number}={self.pick(['x', '5', 'yes'])}" for number in range(2)
        ]
        return made

    def target(self) -> tuple[str, str, str]:
        if self.known and self.maybe(0.98):
            chosen: tuple[str, str, str] = self.pick(self.known)
            return chosen
        return ("apps/v1", "Deployment", self.pick(NAMES))

    def merge_patch(self) -> dict[str, Any]:
        api_version, kind, name = self.target()
        made: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
        if self.maybe(0.3):
            made["metadata"]["labels"] = self.labels()
        if self.maybe(0.2):
            made["metadata"]["annotations"] = {"note": self.scalar()}
        if self.maybe(0.05):
            return {"$patch": "delete", **made}
        match kind:
            case "Deployment" | "StatefulSet" | "DaemonSet":
                spec: dict[str, Any] = {"template": {"spec": self.patch_pod()}}
                if self.maybe(0.3):
                    spec["replicas"] = self.pick([Raw("4"), Raw('"4"'), Raw("null")])
                if self.maybe(0.1):
                    spec["strategy"] = {
                        "$patch": self.pick(["replace", "delete", "merge"]),
                        "type": "Recreate",
                    }
                made["spec"] = spec
            case "CronJob":
                made["spec"] = {"jobTemplate": {"spec": {"template": {"spec": self.patch_pod()}}}}
            case "ConfigMap":
                made["data"] = {self.pick(["a", "b", "new"]): self.scalar()}
            case "Service":
                made["spec"] = {"ports": [{"port": self.pick([80, 82]), "targetPort": self.scalar()}]}
            case _:
                made["spec"] = {"size": self.scalar(), "list": [1], "deep": {"er": {"new": self.scalar()}}}
        return made

    def patch_pod(self) -> dict[str, Any]:
        containers = [
            self.container(self.pick(["main", "side", "new"])) for _ in range(self.random.randint(1, 2))
        ]
        if self.maybe(0.15):
            containers[0]["$patch"] = self.pick(["delete", "replace", "merge"])
        if self.maybe(0.05):
            containers.insert(0, {"$patch": "replace"})
        made: dict[str, Any] = {"containers": containers}
        if self.maybe(0.2):
            made["volumes"] = [
                {
                    "name": self.pick(["v1", "v9"]),
                    "emptyDir": self.pick([{}, {"medium": "Memory"}, Raw("null")]),
                }
            ]
        return made

    def operations(self, kind: str) -> list[dict[str, Any]]:
        paths = ["/metadata/labels", "/metadata/annotations", "/metadata/annotations/op", "/metadata/name"]
        if kind in ("Deployment", "StatefulSet", "DaemonSet"):
            paths += ["/spec/replicas", "/spec/template/spec/containers/0/image", "/spec/x"]
            if self.maybe(0.1):
                paths = ["/spec/template/spec/containers/0/env/-"]
        made = []
        for _ in range(self.random.randint(1, 2)):
            path = self.pick(paths)
            value: Any = self.scalar()
            if path in ("/metadata/labels", "/metadata/annotations"):
                value = {"j": self.pick(["x", "y"])}
            elif path.endswith("-"):
                value = {"name": "J", "value": "1"}
            elif path == "/metadata/name":
                value = self.pick(NAMES)
            made.append(
                {"op": self.pick(["add"] * 40 + ["replace", "remove", "test"]), "path": path, "value": value}
            )
        return made

    def patch(self, folder: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.maybe(0.3):
            target = self.target()
            text = dump(self.random, self.operations(target[1]))
            made["target"] = {"kind": target[1], **({"name": target[2]} if self.maybe(0.5) else {})}
        else:
            text = dump(self.random, self.merge_patch())
            if self.maybe(0.3):
                made["target"] = self.selector()
            if self.maybe(0.05):
                made["options"] = {self.pick(["allowNameChange", "allowKindChange"]): True}
        if self.maybe(0.4):
            path = f"patch{len(self.files)}.yaml"
            self.files[f"{folder}/{path}"] = text
            made["path"] = path
        else:
            made["patch"] = text
        return made

    def selector(self) -> dict[str, Any]:
        _, kind, name = self.target()
        made: dict[str, Any] = {"kind": self.pick([kind, f"{kind}|Service", ".*Set", "Deployment"])}
        if self.maybe(0.3):
            made["name"] = self.pick([name, ".*b.*", "web"])
        if self.maybe(0.1):
            made["labelSelector"] = self.pick(["app=a", "team in (a,b)", "!tier", "app!=c"])
        if self.maybe(0.1):
            made["namespace"] = self.pick(["one", "default"])
        return made

    def replacement(self) -> dict[str, Any]:
        _, kind, name = self.target()
        source: dict[str, Any] = {"kind": kind, "name": name}
        if self.maybe(0.25):
            source["fieldPath"] = self.pick(
                ["metadata.name", "spec.replicas", "spec.template.spec.containers.0.image", "metadata.labels"]
            )
        if self.maybe(0.1):
            source["options"] = {"delimiter": self.pick([":", "-"]), "index": self.pick([0, 1])}
        target: dict[str, Any] = {
            "select": {"kind": self.pick(["Deployment", "ConfigMap", "Service", "Thing"])},
            "fieldPaths": [
                self.pick(
                    [
                        "metadata.annotations.note",
                        "metadata.labels.app",
                        "spec.template.spec.containers.[name=main].image",
                        "spec.template.spec.containers.*.image",
                        "data.a",
                        "spec.size",
                    ]
                )
            ],
        }
        if self.maybe(0.9):
            target["options"] = {"create": True}
        if self.maybe(0.1):
            target["reject"] = [{"name": "web"}]
        return {"source": source, "targets": [target]}

    def var(self) -> dict[str, Any]:
        api_version, kind, name = self.target()
        return {"name": "VAR", "objref": {"apiVersion": api_version, "kind": kind, "name": name}}


def make_case(seed: int) -> Case:
    """Return the tree of a seed."""
    return Tree(seed).case()
