"""Write `reconciler/rules/admission/shapes.json`: how the built-in kinds are written as JSON.

It holds, for every struct of k8s.io/api and of metav1, which fields are left out when they are empty, and
which are there though nobody wrote them. Run it with the directories of k8s.io/api and k8s.io/apimachinery.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parents[3] / "reconciler" / "rules" / "admission" / "shapes.json"
#: Types with a JSON form of their own, which stay as they are.
OPAQUE = {
    "metav1.Time",
    "metav1.MicroTime",
    "metav1.Duration",
    "metav1.FieldsV1",
    "resource.Quantity",
    "intstr.IntOrString",
    "runtime.RawExtension",
    "runtime.Object",
}
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^type (\w+) (?!struct\b)([\w.\[\]*]+)$", re.MULTILINE)
FIELD = re.compile(r'^\s*(?:(\w+)\s+)?([\w.\[\]*]+)\s+`[^`]*json:"([^"]*)"[^`]*`', re.MULTILINE)
IMPORT = re.compile(r'^\s*(?:(\w+)\s+)?"([^"]+)"$', re.MULTILINE)


class Package:
    """One package of types."""

    def __init__(self, path: str, directory: Path) -> None:
        self.path = path
        self.structs: dict[str, str] = {}
        self.named: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        for file in sorted(directory.glob("*.go")):
            if (
                file.name.endswith("_test.go")
                or file.name.startswith("zz_")
                or file.name == "generated.pb.go"
            ):
                continue
            text = file.read_text(encoding="utf-8")
            self.structs |= dict(STRUCT.findall(text))
            self.named |= dict(NAMED.findall(text))
            self.imports |= {
                alias or target.rpartition("/")[2]: target for alias, target in IMPORT.findall(text)
            }


def main(api: Path, machinery: Path) -> None:
    """Write the table."""
    packages = {
        "k8s.io/apimachinery/pkg/apis/meta/v1": Package(
            "k8s.io/apimachinery/pkg/apis/meta/v1", machinery / "pkg/apis/meta/v1"
        )
    }
    kinds: dict[str, str] = {}
    for directory in sorted(api.glob("*/v*")):
        if not re.fullmatch(r"v\d+", directory.name):
            continue
        path = f"k8s.io/api/{directory.relative_to(api).as_posix()}"
        packages[path] = Package(path, directory)
        register = (directory / "register.go").read_text(encoding="utf-8")
        group = re.search(r'GroupName\s*=\s*"([^"]*)"', register)
        assert group is not None, directory
        api_version = f"{group[1]}/{directory.name}" if group[1] else directory.name
        for name, body in packages[path].structs.items():
            if "TypeMeta" in body and "ObjectMeta" in body:
                kinds[f"{api_version} {name}"] = f"{short(path)}.{name}"
    table: dict[str, dict[str, list[str]]] = {}
    todo = sorted(set(kinds.values()))
    while todo:
        name = todo.pop()
        if name in table:
            continue
        path, _, struct = name.rpartition(".")
        package = next(one for one in packages.values() if short(one.path) == path)
        table[name] = dict(fields(package, struct, packages))
        todo += [entry[1] for entry in table[name].values() if len(entry) > 1]
    text = json.dumps({"kinds": kinds, "types": dict(sorted(table.items()))}, separators=(",", ":"))
    TARGET.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


def short(path: str) -> str:
    """Return a package's name in the table."""
    return path.removeprefix("k8s.io/api/").replace("k8s.io/apimachinery/pkg/apis/", "")


def fields(package: Package, struct: str, packages: dict[str, Package]) -> Iterator[tuple[str, list[str]]]:
    """Yield the JSON fields of a struct: a code, and the struct inside where there is one.

    Codes: `s` a struct, `p` a pointer to one, `l` a list and `m` a map (of structs where one is named), `v`
    another value, `x` a pointer to one or a value in a form of its own. An upper-case code is written though
    it is empty.
    """
    for field, kind, tag in FIELD.findall(re.sub(r"//.*", "", package.structs[struct])):
        name, *options = tag.split(",")
        if name == "-":
            continue
        if "inline" in options or (not name and not field):
            embedded = resolve(package, kind.lstrip("*"), packages)
            if embedded is not None and embedded[1] != "TypeMeta":
                yield from fields(embedded[0], embedded[1], packages)
            continue
        code, inner = classify(package, kind, packages)
        kept = "omitempty" not in options and code in {"l", "m", "v"}
        yield name, [code.upper() if kept else code, *([inner] if inner else [])]


def classify(package: Package, kind: str, packages: dict[str, Package]) -> tuple[str, str]:
    """Return the code of a field's type, and the struct inside."""
    kind = named(package, kind)
    if kind.startswith("*"):
        inner = resolve(package, kind[1:], packages)
        return ("p", reference(inner)) if inner is not None else ("x", "")
    if kind == "[]byte":
        return "v", ""
    if kind.startswith("[]"):
        inner = resolve(package, kind[2:].lstrip("*"), packages)
        return "l", reference(inner) if inner is not None else ""
    if kind.startswith("map["):
        inner = resolve(package, kind[kind.index("]") + 1 :].lstrip("*"), packages)
        return "m", reference(inner) if inner is not None else ""
    if qualified(package, kind) in OPAQUE:
        return "x", ""
    inner = resolve(package, kind, packages)
    if inner is not None:
        return "s", reference(inner)
    return (other(package, kind, packages) if "." in kind else "v"), ""


def other(package: Package, kind: str, packages: dict[str, Package]) -> str:
    """Return the code of a type of another package that is no struct."""
    alias, _, name = kind.partition(".")
    target = packages.get(package.imports.get(alias, ""))
    if target is None:
        return "x" if alias in {"intstr", "resource", "runtime"} else "v"
    return classify(target, name, packages)[0]


def named(package: Package, kind: str) -> str:
    """Return what a name of a package stands for where it is no struct."""
    seen = kind
    while seen in package.named and seen not in package.structs:
        seen = package.named[seen]
    return seen


def qualified(package: Package, kind: str) -> str:
    """Return a type with the usual alias of its package."""
    alias, dot, name = kind.partition(".")
    if not dot:
        return f"metav1.{kind}" if package.path.endswith("meta/v1") else kind
    return f"metav1.{name}" if package.imports.get(alias, "").endswith("apis/meta/v1") else f"{alias}.{name}"


def resolve(package: Package, kind: str, packages: dict[str, Package]) -> tuple[Package, str] | None:
    """Return the struct that a type names, or None where it names none."""
    if qualified(package, kind) in OPAQUE:
        return None
    alias, dot, name = kind.partition(".")
    target = packages.get(package.imports.get(alias, "")) if dot else package
    name = name if dot else kind
    return (target, name) if target is not None and name in target.structs else None


def reference(found: tuple[Package, str]) -> str:
    """Return a struct's name in the table."""
    return f"{short(found[0].path)}.{found[1]}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
