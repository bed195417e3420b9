"""`wayside hub`: takes the reports of all sites and shows the fleet; its tokens and its backup."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.ports.hub_store import TokenRow

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--database",
        default=os.environ.get("WAYSIDE_HUB_DATABASE", "sqlite:wayside-hub.db"),
        metavar="URL",
        help="sqlite:PATH (default: sqlite:wayside-hub.db) or postgresql://...; also $WAYSIDE_HUB_DATABASE",
    )
    parser.add_argument("--listen", default="127.0.0.1:8420", metavar="HOST:PORT", help="where to listen")
    parser.add_argument("--tls-certificate", default="", metavar="FILE", help="certificate and chain, in PEM")
    parser.add_argument("--tls-key", default="", metavar="FILE", help="its private key, in PEM")
    parser.add_argument(
        "--retention", type=float, default=90.0, metavar="DAYS", help="how long events are kept (default 90)"
    )
    actions = parser.add_subparsers(dest="action", title="instead of serving", metavar="ACTION")
    token = actions.add_parser("token", help="make, list or take back tokens", allow_abbrev=False)
    steps = token.add_subparsers(dest="step", required=True, metavar="STEP")
    create = steps.add_parser("create", help="make a token and print it once", allow_abbrev=False)
    whose = create.add_mutually_exclusive_group(required=True)
    whose.add_argument("--site", default="", metavar="NAME", help="for the agent of a site")
    whose.add_argument("--operator", default="", metavar="NAME", help="for a person, or a program")
    create.add_argument("--role", choices=("read", "write"), default="read", help="of an operator")
    create.add_argument("--days", type=float, default=0.0, help="after how many it expires (default: never)")
    steps.add_parser("list", help="whose tokens there are", allow_abbrev=False)
    revoke = steps.add_parser("revoke", help="take a token back", allow_abbrev=False)
    revoke.add_argument("id", help="as `wayside hub token list` shows it")
    backup = actions.add_parser("backup", help="write a copy of a SQLite database", allow_abbrev=False)
    backup.add_argument("file", help="a file that is not there yet")
    actions.add_parser("openapi", help="print the description of the API", allow_abbrev=False)


def run(options: argparse.Namespace) -> int:
    """Serve, or do what was asked for instead."""
    try:
        import starlette  # noqa: F401 - only to say what is missing
    except ModuleNotFoundError:
        raise UsageError(
            "the hub's parts are not installed", code="extra", hint="pip install 'wayside[hub]'"
        ) from None
    if options.action == "openapi":
        return _openapi()
    if options.action is None:
        return _serve(options)
    from reconciler.adapters.hub_store import open_store

    store = open_store(options.database, exclusive=False)
    try:
        if options.action == "backup":
            store.backup(options.file)
            return 0
        if options.step == "create":
            return _create(options, store.save_token)
        if options.step == "revoke":
            if not store.delete_token(options.id):
                raise UsageError(
                    f"there is no token {options.id!r}", code="unknown-token", hint="`wayside hub token list`"
                )
            return 0
        for row in store.tokens():
            expires = time.strftime("%Y-%m-%d", time.gmtime(row.expires)) if row.expires else "never"
            sys.stdout.write(
                f"{row.id}  {row.kind:<8}  {row.role:<6}  {row.subject:<30}  expires: {expires}\n"
            )
        return 0
    finally:
        store.close()


def _create(options: argparse.Namespace, save: Callable[[TokenRow], None]) -> int:
    from reconciler.hub.ingest_api import SITE_NAME
    from reconciler.hub.tokens import mint

    if options.site:
        if not SITE_NAME.fullmatch(options.site):
            raise UsageError(f"expected a site's name, found {options.site!r}", code="bad-site")
        kind, subject, role = "site", options.site, "report"
    else:
        kind, subject, role = "operator", options.operator, options.role
    if options.days < 0:
        raise UsageError("expected --days of 0 or more", code="bad-days")
    token, row = mint(kind=kind, subject=subject, role=role, now=time.time(), days=options.days)
    save(row)
    sys.stdout.write(f"{token}\n")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from reconciler.adapters.hub_store import open_store
    from reconciler.hub.core import Limits
    from reconciler.hub.server import Serving, serve

    host, _, port = options.listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"expected HOST:PORT for --listen, found {options.listen!r}", code="bad-address")
    if options.retention <= 0:
        raise UsageError("expected --retention of more than 0 days", code="bad-retention")
    store = open_store(options.database)
    try:
        serve(
            store,
            Serving(
                host=host.strip("[]"),
                port=int(port),
                certificate=options.tls_certificate,
                key=options.tls_key,
            ),
            Limits(retention=options.retention * 86400),
        )
    finally:
        store.close()
    return 0


def _openapi() -> int:
    import json

    from reconciler.hub.app import TABLE
    from reconciler.hub.openapi import describe

    json.dump(describe(TABLE), sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0
