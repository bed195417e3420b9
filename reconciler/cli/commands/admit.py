"""`wayside admit`: what do these admission policies say of this object?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.cli.style import Style
from reconciler.errors import UsageError
from reconciler.model.fieldpath import format_field_path

if TYPE_CHECKING:
    from reconciler.cli.manifests import Sources
    from reconciler.documents.yaml import Document
    from reconciler.model.finding import Finding
    from reconciler.model.resource import Manifest
    from reconciler.rules.admission import AdmissionRequest, ApiKinds, Review

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--policy",
        action="extend",
        nargs="+",
        required=True,
        metavar="FILE",
        help="policies and their bindings; a policy without a binding denies everywhere",
    )
    parser.add_argument(
        "--object",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="the objects as they will be",
    )
    parser.add_argument(
        "--old", metavar="FILE", help="the object as it is: an update with --object, a deletion alone"
    )
    parser.add_argument(
        "--params", action="extend", nargs="+", default=[], metavar="FILE", help="parameters of policies"
    )
    parser.add_argument(
        "--context",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="Namespaces of the objects, and CustomResourceDefinitions",
    )
    parser.add_argument("--operation", choices=("CREATE", "UPDATE", "DELETE", "CONNECT"), help="what is done")
    parser.add_argument("--subresource", default="", metavar="NAME", help="for example scale")
    parser.add_argument(
        "--resource",
        default="",
        metavar="NAME",
        help="what a subresource is of, for example apps/v1/deployments",
    )
    parser.add_argument("--user", default="", metavar="NAME", help="who asks")
    parser.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="their group; repeatable"
    )
    parser.add_argument(
        "--kubernetes", default="1.36", metavar="VERSION", help="the cluster's version (default: 1.36)"
    )
    parser.add_argument(
        "--no-defaults",
        action="store_true",
        help="take objects as written, without the API server's defaults",
    )
    parser.add_argument("--engine", choices=("native", "pure"), default=None, help="CEL engine")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the result")


def run(options: argparse.Namespace) -> int:
    """Ask the policies and print what they say."""
    from reconciler.cli.manifests import Sources
    from reconciler.report.admission import format_reviews
    from reconciler.report.text import TextStyle, finding_lines
    from reconciler.rules.admission import Denial, Review, builtin_kinds
    from reconciler.rules.admission.compiling import policy_environment
    from reconciler.rules.admission.documents import is_admission
    from reconciler.rules.admission.pack import AdmissionPack

    # A version that is not known is a mistake in the command, not in the policies.
    policy_environment(options.kubernetes, options.engine)
    sources = Sources()
    documents = sources.documents(options.policy)
    others = [document.value for document in documents if not is_admission(document.value)]
    context = [*others, *(document.value for document in sources.documents(options.context))]
    definitions = [one for one in context if _kind(one) == "CustomResourceDefinition"]
    pack = AdmissionPack.load(
        documents,
        kubernetes=options.kubernetes,
        engine=options.engine,
        definitions=definitions,
        read=sources.read,
    )
    if not pack.policies and not pack.findings:
        raise UsageError(
            f"there is no ValidatingAdmissionPolicy in {', '.join(options.policy)}", code="no-policy"
        )
    params = _manifests(sources.documents(options.params))
    params += [one for one in others if isinstance(one, Mapping)]
    kinds = builtin_kinds().with_definitions(definitions)
    closed = [Denial(broken.message, broken.rule, "", broken.message, error=True) for broken in pack.broken]
    reviews = [
        _shown(
            request,
            Review.joined(
                [Review(tuple(closed)), *(policy.judge(request, params) for policy in pack.policies)]
            ),
        )
        for request in _requests(options, sources, context, kinds)
    ]
    if options.format == "json":
        shown = {
            "apiVersion": "wayside.dev/v1alpha1",
            "kind": "AdmissionReviews",
            "findings": [_shown_finding(finding) for finding in pack.findings],
            "reviews": reviews,
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        ink = Style.for_stream(sys.stdout, os.environ)
        for finding in pack.findings:
            print("\n".join(finding_lines(finding, sources.read_line, TextStyle(ink=ink))), end="\n\n")
        sys.stdout.write(format_reviews(reviews, ink=ink))
    return 1 if any(not review["allowed"] for review in reviews) else 0


def _requests(
    options: argparse.Namespace, sources: Sources, context: Sequence[Any], kinds: ApiKinds
) -> Iterator[AdmissionRequest]:
    from reconciler.rules.admission import AdmissionRequest
    from reconciler.rules.admission.defaulting import defaulted

    objects = _manifests(sources.documents(options.object))
    old = _manifests(sources.documents([options.old])) if options.old else []
    if len(old) > 1 or (old and len(objects) > 1):
        raise UsageError("expected one object with --old, found several", code="admission-request")
    if not objects and not old:
        raise UsageError("expected --object or --old with an object, found none", code="admission-request")
    if not options.no_defaults:
        objects, old = (
            [defaulted(manifest, options.kubernetes) for manifest in manifests]
            for manifests in (objects, old)
        )
    user = None
    if options.user or options.group:
        user = {"username": options.user, "groups": [*options.group, "system:authenticated"]}
    namespaces = {_name(one): one for one in context if _kind(one) == "Namespace"}
    asked: Sequence[Manifest | None] = objects or [None]
    for manifest in asked:
        metadata = (manifest if manifest is not None else old[0]).get("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
        yield AdmissionRequest.of(
            object=manifest,
            old_object=old[0] if old else None,
            operation=options.operation,
            namespace_object=namespaces.get(str(namespace or "default")),
            user_info=user,
            subresource=options.subresource,
            resource=options.resource,
            kinds=kinds,
        )


def _shown(request: AdmissionRequest, review: Review) -> dict[str, Any]:
    name = "/".join(part for part in (request.namespace, request.name) if part)
    if request.kind.kind == "Namespace":
        name = request.name
    return {
        "object": f"{request.kind.kind}/{name}",
        "operation": request.operation.value,
        "allowed": review.allowed,
        "denials": [
            {
                "policy": denial.policy,
                "binding": denial.binding,
                "message": denial.message,
                "reason": denial.reason,
                "code": denial.code,
                "field": format_field_path(denial.field),
                "error": denial.error,
            }
            for denial in review.denials
        ],
        "warnings": list(review.warnings),
        "auditAnnotations": dict(review.audit_annotations),
        "notChecked": [{"policy": note.rule, "reason": note.reason} for note in review.not_checked],
    }


def _shown_finding(finding: Finding) -> dict[str, Any]:
    at = finding.location
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "location": {"path": at.path, "line": at.line, "column": at.column},
    }


def _manifests(documents: Sequence[Document]) -> list[Manifest]:
    found: list[Manifest] = []
    for document in documents:
        if not isinstance(document.value, Mapping):
            raise UsageError(
                f"expected an object in {document.path}, found {type(document.value).__name__}",
                code="admission-request",
            )
        # A List, as `kubectl get -o yaml` writes it, stands for its items.
        items = document.value.get("items")
        if document.value.get("kind") == "List" and isinstance(items, list):
            found += (item for item in items if isinstance(item, Mapping))
        else:
            found.append(document.value)
    return found


def _kind(value: Any) -> str:
    return str(value.get("kind") or "") if isinstance(value, Mapping) else ""


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""
