"""Credentials for registries, from the files and helpers that docker and podman keep.

Formats: docker's `config.json` (`auths`, `credHelpers`, `credsStore`), containers-auth.json(5) and the
protocol of docker-credential-helpers. Nothing of them is ever shown or logged.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError

__all__ = ["CredentialStore", "Credentials", "credential_files"]

_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HELPER_SECONDS = 30.0
_LARGEST_FILE = 1024 * 1024
#: What a helper says that knows no credentials for a host; it is no failure.
_UNKNOWN = "credentials not found"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a registry is shown: a name and a password, or a token that stands for both."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def credential_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the credential files of a user that exist, in the order in which they are asked.

    `REGISTRY_AUTH_FILE` alone where it is set; otherwise podman's files, then docker's.

    Raises:
        UsageError: The file that the environment names does not exist.
    """
    if environ.get("REGISTRY_AUTH_FILE"):
        named = Path(environ["REGISTRY_AUTH_FILE"])
        if not named.is_file():
            raise UsageError(
                f"REGISTRY_AUTH_FILE names {named}, and there is no such file", code="credentials"
            )
        return (named,)
    home = Path(environ.get("HOME") or "/nonexistent")
    runtime = environ.get("XDG_RUNTIME_DIR")
    candidates = [
        *([Path(runtime) / "containers/auth.json"] if runtime else []),
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json",
        Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
    ]
    return tuple(file for file in candidates if file.is_file())


class CredentialStore:
    """Finds credentials by the host that is asked, and by the repository where a file is that exact.

    Args:
        files: Files of docker or podman, the first one that knows a host wins.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._files = tuple(_File.read(path) for path in files)

    def find(self, host: str, repository: str) -> Credentials | None:
        """Return the credentials for a repository of a host, or None where nobody knows any.

        Args:
            host: As references name it; `docker.io` for Docker Hub.
            repository: The path on that host.

        Raises:
            UsageError: A helper fails, or an entry cannot be read.
        """
        for file in self._files:
            found = file.find(host, repository)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    entries: Mapping[str, Mapping[str, Any]]
    helpers: Mapping[str, str]
    store: str

    @classmethod
    def read(cls, path: Path) -> _File:
        try:
            with path.open("rb") as file:
                value = json.loads(file.read(_LARGEST_FILE))
            entries = {str(key): dict(entry) for key, entry in (value.get("auths") or {}).items()}
            helpers = {str(key): str(name) for key, name in (value.get("credHelpers") or {}).items()}
            store = str(value.get("credsStore") or "")
        except OSError as err:
            raise UsageError(
                f"cannot read the credentials in {path}: {err.strerror}", code="credentials"
            ) from err
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UsageError(
                f"expected the JSON of docker or podman in {path}, found something else", code="credentials"
            ) from None
        return cls(path, {_key(key): entry for key, entry in entries.items()}, helpers, store)

    def find(self, host: str, repository: str) -> Credentials | None:
        server = _HUB_KEY if host == _HUB else host
        for key in (host, server, *(("index.docker.io",) if host == _HUB else ())):
            if key in self.helpers:
                return self._ask(self.helpers[key], server)
        for key in _keys(host, repository):
            entry = self.entries.get(key)
            if entry is not None:
                found = self._entry(entry, key)
                if found is not None:
                    return found
        return self._ask(self.store, server) if self.store else None

    def _entry(self, entry: Mapping[str, Any], key: str) -> Credentials | None:
        token = str(entry.get("identitytoken") or "")
        username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            try:
                pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise UsageError(
                    f"expected base64 in the entry of {key} in {self.path}, found something else",
                    code="credentials",
                ) from None
            username, _, password = pair.rstrip("\0").partition(":")
        return Credentials(username, password, token) if username or token else None

    def _ask(self, helper: str, server: str) -> Credentials | None:
        if not _HELPER.match(helper):
            raise UsageError(
                f"expected the name of a credential helper in {self.path}, found {helper[:64]!r}",
                code="credentials",
            )
        program = f"docker-credential-{helper}"
        try:
            done = subprocess.run(  # noqa: S603 - the user's own configuration names the program
                [program, "get"],
                input=server,
                capture_output=True,
                text=True,
                timeout=_HELPER_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise UsageError(
                f"{self.path} names the credential helper {program}, which is not installed",
                code="credentials",
                hint="install it, or remove the entry",
            ) from None
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as err:
            raise UsageError(
                f"the credential helper {program} gave no answer: {type(err).__name__}", code="credentials"
            ) from None
        if done.returncode != 0:
            if _UNKNOWN in f"{done.stdout}{done.stderr}".lower():
                return None
            raise UsageError(
                f"the credential helper {program} ended with exit code {done.returncode} for {server}",
                code="credentials",
                hint=f"try it by hand: echo {server} | {program} get",
            )
        try:
            answer = json.loads(done.stdout)
            username, secret = str(answer["Username"]), str(answer["Secret"])
        except (ValueError, TypeError, LookupError):
            raise UsageError(
                f"expected a name and a secret from {program}, found something else", code="credentials"
            ) from None
        if username == "<token>":
            return Credentials(identity_token=secret)
        return Credentials(username, secret) if username or secret else None


def _key(key: str) -> str:
    """Return an entry's key without what old files put around a host: a scheme, `/v1/` and `/v2/`."""
    host = key.partition("://")[2].partition("/")[0] if "://" in key else key.rstrip("/")
    if host in {"index.docker.io", "registry-1.docker.io"}:
        return _HUB
    return host


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield the keys that may speak of a repository, the most exact one first."""
    path = f"{host}/{repository}"
    while path:
        yield path
        path = path.rpartition("/")[0]
