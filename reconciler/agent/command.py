"""`wayside agent`: its arguments, and the start of the agent."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.agent.settings import AgentSettings

__all__ = ["add_arguments", "run", "settings_of"]


_PUBLIC_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\n?", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--repo", required=True, metavar="URL", help="the fleet's repository: a path or a URL"
    )
    parser.add_argument(
        "--branch",
        default="main",
        metavar="NAME",
        help="branch, tag, full reference or full id of a commit (default: main)",
    )
    parser.add_argument("--site", required=True, metavar="NAME", help="the site that this agent looks after")
    parser.add_argument(
        "--state", required=True, type=Path, metavar="DIR", help="folder for the state file and the clone"
    )
    parser.add_argument(
        "--target",
        metavar="TARGET",
        help="in-cluster, kubeconfig:PATH[#CONTEXT] or directory:PATH (default: what site.yaml says)",
    )
    parser.add_argument(
        "--sink",
        default="",
        metavar="SINK",
        help="where events go: https://HUB, file:PATH, git (the branch status/<site> of the fleet's"
        " repository) or git:URL[#status/NAME] (default: nowhere)",
    )
    parser.add_argument("--sink-token-file", default="", metavar="FILE", help="bearer token for the hub")
    parser.add_argument(
        "--sink-ca-file", default="", metavar="FILE", help="certificates that vouch for the hub"
    )
    parser.add_argument("--once", action="store_true", help="sync once and say how it went by the exit code")
    parser.add_argument(
        "--interval", type=_seconds, metavar="SECONDS", help="between two looks (default: spec.sync.interval)"
    )
    parser.add_argument(
        "--drift-interval",
        type=_seconds,
        metavar="SECONDS",
        help="between two full looks for drift (default: 300; 3600 where everything is watched)",
    )
    parser.add_argument(
        "--heartbeat-interval",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="between two heartbeats (default: 300)",
    )
    parser.add_argument(
        "--git-timeout",
        type=_seconds,
        default=120.0,
        metavar="SECONDS",
        help="for one git command (default: 120)",
    )
    parser.add_argument(
        "--allow-rewind",
        action="store_true",
        help="take a revision that does not come after the applied one (a force-push)",
    )
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="DIR",
        help="folder with username and password, or identity (SSH key), for git; hub-token; webhook-secret;"
        " read anew each time",
    )
    parser.add_argument(
        "--trust",
        type=Path,
        metavar="DIR",
        help="folder with known_hosts and ca.crt for git, hub-ca.crt for the hub; with allowed_signers (SSH)"
        " or signers.asc (GPG) in it, every revision must be signed; with image-keys.pub, every image",
    )
    parser.add_argument(
        "--require-signed-images",
        action="store_true",
        help="refuse what has an image that no signer of the fleet has signed, whatever fleet.yaml says",
    )
    parser.add_argument(
        "--image-key",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a public key of this installation: one of them must have signed every image; repeatable",
    )
    parser.add_argument(
        "--listen",
        default="",
        metavar="[HOST]:PORT",
        help="answer /healthz, /readyz, /metrics and /hook there (default: nowhere)",
    )
    parser.add_argument(
        "--webhook-secret-file",
        default="",
        metavar="FILE",
        help="the secret that pushes to /hook are signed with (default: no hook)",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="(default: text)")


def run(args: argparse.Namespace) -> int:
    """Run the agent, and return its exit code.

    Raises:
        UsageError: The arguments cannot be used.
        StateError: The state folder cannot be used.
    """
    from reconciler.agent.loop import run_agent

    return run_agent(settings_of(args))


def settings_of(args: argparse.Namespace) -> AgentSettings:
    """Return the settings that the arguments say.

    Raises:
        UsageError: The arguments cannot be used.
    """
    from reconciler.agent.settings import AgentSettings, parse_target
    from reconciler.agent.watch import local_path

    if not args.site:
        raise UsageError("expected the name of a site, found nothing", code="bad-site")
    path = local_path(args.repo)
    # git works in the clone, so a relative path would mean another place there.
    repository = args.repo if path is None or "://" in args.repo else str(path.absolute())
    return AgentSettings(
        repository=repository,
        branch=args.branch,
        site=args.site,
        state=args.state.absolute(),
        target=parse_target(args.target) if args.target else None,
        sink=args.sink,
        once=args.once,
        interval=args.interval,
        drift_interval=args.drift_interval,
        heartbeat_interval=args.heartbeat_interval,
        git_timeout=args.git_timeout,
        worker_timeout=max(300.0, args.git_timeout * 3),
        allow_rewind=args.allow_rewind,
        signed_images=args.require_signed_images,
        image_keys=_image_keys(args),
        json_logs=args.log_format == "json",
        sink_token_file=args.sink_token_file or _within(args.credentials, "hub-token"),
        sink_ca_file=args.sink_ca_file or _within(args.trust, "hub-ca.crt"),
        credentials=args.credentials.absolute() if args.credentials else None,
        trust=args.trust.absolute() if args.trust else None,
        listen=args.listen,
        webhook_secret_file=args.webhook_secret_file or _within(args.credentials, "webhook-secret"),
    )


def _within(folder: Path | None, name: str) -> str:
    """Return the path of a file in a folder, or "" where it is not there."""
    path = None if folder is None else folder / name
    return str(path.absolute()) if path is not None and path.is_file() else ""


def _image_keys(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the keys of `--image-key`, and of `image-keys.pub` in the folder of `--trust`."""
    installed = _within(args.trust, "image-keys.pub")
    paths = [*args.image_key, *([Path(installed)] if installed else [])]
    return tuple(key for path in paths for key in _read_keys(path))


def _read_keys(path: Path) -> list[str]:
    """Return the public keys of a file, each in PEM.

    Raises:
        UsageError: The file cannot be read, or has none.
    """
    try:
        keys = _PUBLIC_KEY.findall(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as err:
        why = err.strerror if isinstance(err, OSError) else "it is not PEM"
        raise UsageError(f"expected a public key in {path}: {why}", code="bad-key") from err
    if not keys:
        raise UsageError(
            f"expected a public key in PEM in {path}, found something else",
            code="bad-key",
            hint="for example what `cosign public-key --key release.key` prints",
        )
    return keys


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 86400 * 365:
        raise argparse.ArgumentTypeError(f"expected seconds from 0.1, found {text!r}")
    return value
