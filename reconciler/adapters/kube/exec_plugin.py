"""Credentials that a program gives: exec plugins and what else a kubeconfig may ask for.

The `kubernetes` package knows them all, and costs 33 MiB to import. So it runs in a short-lived child process
that prints what it found; the agent keeps the answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field

from reconciler.errors import TargetUnreachable

__all__ = ["Credentials", "Plugin", "fetch"]

_SCRIPT = """
import json, sys
from kubernetes import client, config
settings = client.Configuration()
config.load_kube_config(config_file=sys.argv[1], context=sys.argv[2] or None, client_configuration=settings)
def text(path):
    if not path:
        return ""
    with open(path) as file:
        return file.read()
found = {"cert": text(settings.cert_file), "key": text(settings.key_file), "authorization": ""}
for name in ("authorization", "BearerToken"):
    found["authorization"] = found["authorization"] or settings.get_api_key_with_prefix(name) or ""
json.dump(found, sys.stdout)
"""
#: Seconds that a plugin may take.
_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Plugin:
    """A kubeconfig and the context in it whose user asks for a program."""

    path: str
    context: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the program gave: the value of `Authorization`, and a client certificate as PEM text."""

    authorization: str = field(default="", repr=False)
    cert: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


def fetch(plugin: Plugin) -> Credentials:
    """Run the program and return its credentials.

    Raises:
        TargetUnreachable: It failed, or took too long.
    """
    command = [sys.executable, "-c", _SCRIPT, plugin.path, plugin.context]
    hint = f"try it with: kubectl --kubeconfig {plugin.path} --context {plugin.context} version"
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script; the file is the operator's
            command, capture_output=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        message = f"expected credentials for {plugin.path}, but their program did not answer"
        raise TargetUnreachable(message, code="credentials", hint=hint) from err
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not any(answer.values()):
        message = f"expected credentials for {plugin.path}, but their program failed ({done.returncode})"
        raise TargetUnreachable(message, code="credentials", hint=hint)
    return Credentials(
        str(answer.get("authorization") or ""), str(answer.get("cert") or ""), str(answer.get("key") or "")
    )
