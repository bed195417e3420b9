"""`wayside install`: what a site needs to run its agent."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.cli.install.rights import Rights
    from reconciler.documents.tree import FileTree
    from reconciler.model.resource import Resource

__all__ = ["add_arguments", "run"]

_TRUST = ("known_hosts", "allowed_signers", "signers.asc", "ca.crt", "hub-ca.crt", "image-keys.pub")
_CREDENTIALS = ("username", "password", "identity", "hub-token", "webhook-secret")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("site", help="the site's name")
    parser.add_argument(
        "--repo", required=True, metavar="URL", help="the fleet's repository as the site reaches it"
    )
    parser.add_argument("--branch", default="main", metavar="NAME", help="branch (default: main)")
    parser.add_argument("--sink", default="", metavar="SINK", help="the hub's URL, or git (default: none)")
    parser.add_argument("--image", default="", metavar="REF", help="the agent's image, best by its digest")
    parser.add_argument(
        "--rights",
        choices=("exact", "namespaced", "usual"),
        default="exact",
        help="exact: over the kinds that the site has now; namespaced: the same, in its namespaces only;"
        " usual: over the kinds of a usual site (default: exact)",
    )
    parser.add_argument(
        "--trust", type=Path, metavar="DIR", help=f"folder with some of {', '.join(_TRUST)}, to go along"
    )
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="DIR",
        help=f"folder with some of {', '.join(_CREDENTIALS)}, to go along as a Secret",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="one file, for kubectl apply or the auto-deploy folder of k3s or k0s (default: standard output)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the manifests."""
    from reconciler.adapters.kube.site_crd import site_crd
    from reconciler.cli.install.objects import IMAGE, Installation, access, base, configuration
    from reconciler.render.emitter import to_yaml

    installation = Installation(
        site=options.site,
        repository=options.repo,
        branch=options.branch,
        sink=options.sink,
        image=options.image or IMAGE,
        trust={name: content.decode() for name, content in _folder(options.trust, _TRUST).items()},
        credentials=_folder(options.credentials, _CREDENTIALS),
    )
    rights = _rights(options.site, options.rights)
    for name in rights.guessed:
        print(
            f"note: the plural of {name} is guessed; add its CRD to the fleet's schemas/ to be sure",
            file=sys.stderr,
        )
    namespace, *rest = base(image=installation.image, storage=installation.storage)
    objects = [namespace, site_crd(), *configuration(installation), *access(rights), *rest]
    text = to_yaml(objects)
    if options.output:
        path = Path(options.output)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
        if installation.credentials:
            print(f"{path} holds credentials: keep it out of the repository", file=sys.stderr)
    else:
        sys.stdout.write(text)
    return 0


def _rights(name: str, which: str) -> Rights:
    from reconciler.cli.install.rights import cluster_wide, rights_over
    from reconciler.cli.repository import open_repository
    from reconciler.cli.site import evaluate_named
    from reconciler.documents.tree import EntryType

    with open_repository(".") as repository:
        tree = repository.tree
        site, found = evaluate_named(tree, name, at=datetime.datetime.now(datetime.UTC))
        definitions = []
        if which != "usual" and tree.entry_type("schemas") is EntryType.DIRECTORY:
            definitions = _definitions(tree)
    if found.resources is None:
        first = found.findings[0]
        raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
    del site
    if which == "usual":
        return cluster_wide()
    return rights_over(found.resources, definitions, everywhere=which == "exact")


def _definitions(tree: FileTree) -> list[Resource]:
    """Return the CRDs in the fleet's `schemas/`."""
    from reconciler.documents import yaml
    from reconciler.documents.tree import EntryType
    from reconciler.model.resource import Resource

    found: list[Resource] = []
    for name in tree.list("schemas"):
        path = f"schemas/{name}"
        if tree.entry_type(path) is not EntryType.FILE or not name.endswith((".yaml", ".yml", ".json")):
            continue
        for document in yaml.load(tree.read(path), path):
            value = document.value
            if isinstance(value, dict) and value.get("kind") == "CustomResourceDefinition":
                found.append(Resource(value))
    return found


def _folder(folder: Path | None, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return the files that may go along.

    Raises:
        UsageError: There is no such folder, or a file in it that means nothing to the agent.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise UsageError(f"there is no directory {str(folder)!r}", code="no-directory")
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if path.name not in names:
            raise UsageError(
                f"expected {', '.join(names)} in {folder}, found {path.name!r}",
                code="bad-file",
                hint="nothing but what the agent reads goes to a site",
            )
        found[path.name] = path.read_bytes()
    return found
