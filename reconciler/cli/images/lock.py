"""`wayside images lock`: what stands behind the references, from the registries into the repository."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.images.progress import Progress
from reconciler.cli.repository import Repository, open_repository
from reconciler.cli.style import Style
from reconciler.errors import DocumentError, UsageError
from reconciler.model.bytecount import format_bytes

if TYPE_CHECKING:
    from reconciler.adapters.registry.client import RegistryClient
    from reconciler.locking.run import Change, LockState, Outcome
    from reconciler.model.fleet import Fleet
    from reconciler.model.lock import LockedImage
    from reconciler.model.registry import RegistrySettings

__all__ = ["add_arguments", "print_findings", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument(
        "--update",
        nargs="*",
        default=None,
        metavar="NAME",
        help="resolve the tags of these images again: a repository, repository:tag or pattern; "
        "without a name, of all",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, and exit with 1 if images.lock is not current; asks no registry, "
        "unless --update says so",
    )
    parser.add_argument(
        "--registries",
        metavar="FILE",
        help="how to reach registries: a YAML file with `registries:` as in spec.images of fleet.yaml, "
        "which it goes before",
    )
    parser.add_argument(
        "--auth-file",
        action="append",
        metavar="FILE",
        help="a credential file of docker or podman, in place of the usual ones; repeatable",
    )
    parser.add_argument(
        "--jobs", type=_count, default=16, metavar="N", help="how many images are asked for at once"
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 64, found {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Lock the images of a fleet."""
    from reconciler.locking.stamp import known_current, remember_current, settled_stamp, stamp_of

    with open_repository(options.directory) as repository:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        stamp = stamp_of(repository.root)
        if stamp is not None and options.update is None:
            known = known_current(cache, repository.root, stamp)
            if known is not None:
                return _print_counts(_counts(unchanged=known), check=options.check, current=True)
        from reconciler.locking.run import lock_images, read_state

        with Progress("rendering sites") as progress:
            state = read_state(repository.tree, progress=progress)
        if state.findings:
            return print_findings(state, repository)
        with Progress("resolving images") as progress:
            outcome = lock_images(
                repository.root,
                state,
                lambda fleet: _connect(options, fleet),
                at=datetime.datetime.now(datetime.UTC),
                update=options.update,
                check=options.check,
                jobs=options.jobs,
                progress=progress,
            )
        if stamp is not None and not outcome.failures and not (options.check and not outcome.current):
            after = settled_stamp(repository.root)
            if after is not None and after.same_inputs(stamp):
                remember_current(cache, repository.root, after, outcome.images)
    return _print(outcome, check=options.check)


def print_findings(state: LockState, repository: Repository) -> int:
    """Print why the images of a fleet are not known; the exit code is 1."""
    from reconciler.report.text import TextStyle, finding_lines

    ink = Style.for_stream(sys.stderr, os.environ)
    for finding in state.findings:
        for line in finding_lines(finding, repository.read_line, TextStyle(ink=ink)):
            print(line, file=sys.stderr)
        print(file=sys.stderr)
    refused = ink.error("refused")
    print(f"{refused}: the images of this fleet are not known; nothing is written", file=sys.stderr)
    return 1


def _connect(options: argparse.Namespace, fleet: Fleet) -> RegistryClient:
    try:
        from reconciler.adapters.registry.client import make_client
    except ModuleNotFoundError as err:
        raise UsageError(
            f"this command needs the package {err.name}, which is not installed",
            code="missing-package",
            hint="pip install 'wayside[check]'",
        ) from err
    from reconciler.adapters.registry.credentials import CredentialStore, credential_files

    files = [Path(name) for name in options.auth_file or ()]
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}", code="credentials")
    credentials = CredentialStore(files or credential_files(os.environ))
    registries = fleet.images.registries
    if options.registries:
        own = _registries(Path(options.registries))
        hosts = {each.host for each in own}
        registries = (*own, *(each for each in registries if each.host not in hosts))
    return make_client(registries, credentials=credentials, connections=options.jobs)


def _registries(file: Path) -> tuple[RegistrySettings, ...]:
    from reconciler.documents.tree import WorkingTree
    from reconciler.fleet.images import load_registries

    try:
        data = file.read_bytes()
    except OSError as err:
        raise UsageError(f"cannot read {file}: {err.strerror}", code="registries") from err
    found, findings = load_registries(data, str(file), tree=WorkingTree(file.parent))
    if findings:
        first = findings[0]
        raise DocumentError(first.message, at=first.location, code="registries", hint=first.hint)
    return found


def _print(outcome: Outcome, *, check: bool) -> int:
    style = Style.for_stream(sys.stdout, os.environ)
    for change in outcome.changes:
        print(_line(change, style))
    for work in outcome.pending:
        print(f"{style.warning('?')} {work.shown} {work.why.value}")
    errors = Style.for_stream(sys.stderr, os.environ)
    for failure in outcome.failures:
        print(
            f"{errors.error(f'error[{failure.error.code}]')}: {failure.work.shown}: {failure.error.message}",
            file=sys.stderr,
        )
        if failure.error.hint:
            print(f"  = {errors.strong('hint')}: {failure.error.hint}", file=sys.stderr)
    if outcome.failures:
        count = len(outcome.failures)
        print(
            f"{errors.error('refused')}: {count} image{'s' * (count != 1)} could not be resolved; "
            "nothing is written",
            file=sys.stderr,
        )
        return 1
    added = sum(change.before is None for change in outcome.changes)
    removed = sum(change.after is None for change in outcome.changes)
    changed = len(outcome.changes) - added - removed
    counts = _counts(added=added, changed=changed, removed=removed, unchanged=outcome.unchanged)
    return _print_counts(counts, check=check, current=outcome.current)


def _counts(*, added: int = 0, changed: int = 0, removed: int = 0, unchanged: int = 0) -> str:
    numbers = ((added, "new"), (changed, "changed"), (removed, "no longer used"), (unchanged, "unchanged"))
    return ", ".join(f"{number} {word}" for number, word in numbers if number) or "no images"


def _print_counts(counts: str, *, check: bool, current: bool) -> int:
    style = Style.for_stream(sys.stdout, os.environ)
    if check and not current:
        print(
            f"{style.error('refused')}: images.lock is not current; run `wayside images lock` "
            "and commit what it writes"
        )
        return 1
    print(f"{style.good('ok')}: images.lock{' is current' if check else ''}: {counts}")
    return 0


def _line(change: Change, style: Style) -> str:
    if change.after is None:
        assert change.before is not None  # noqa: S101 - one of the two is there
        return f"{style.error('-')} {_shown(change.before)}"
    before = change.before
    sign = style.good("+") if before is None else style.warning("~")
    moved = f"{before.digest[:19]} -> " if before is not None and before.digest != change.after.digest else ""
    return f"{sign} {_shown(change.after)} {moved}{_about(change.after)}"


def _shown(image: LockedImage) -> str:
    return f"{image.name}:{image.tag}" if image.tag else f"{image.name}@{image.digest[:19]}"


def _about(image: LockedImage) -> str:
    platforms = ", ".join(dict.fromkeys(each.platform for each in image.platforms)) or "no platform"
    size = max((each.size for each in image.platforms), default=0)
    signatures = len(image.signatures)
    signed = f", {signatures} signature{'s' * (signatures != 1)}" if signatures else ""
    return f"{image.digest[:19]} {platforms}, {format_bytes(size)}{signed}"
