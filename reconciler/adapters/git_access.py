"""How git shows who it is, and whom it believes: by files in two folders, which may change at any time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONFIG", "ENVIRONMENT", "GitAccess", "complaint", "redact"]

#: Never ask a person, never run a program that a URL names, never leave a process behind.
CONFIG = (
    "protocol.ext.allow=never",
    "core.hooksPath=/dev/null",
    "credential.interactive=never",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=30",
)
ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_OPTIONAL_LOCKS": "0",
}
_UNREAD = "Could not read from remote repository"
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/@\s'\"]*@")
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15")


def redact(text: str) -> str:
    """Return the text without the credentials of URLs in it."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


def complaint(stderr: str) -> str:
    """Return git's own words: the lines that say what is wrong, or the last one."""
    text = stderr.strip()
    if text.startswith("stderr: '"):
        text = text.removeprefix("stderr: '").removesuffix("'")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    spoken = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    if (place := next((n for n, line in enumerate(lines) if _UNREAD in line), 0)) > 0:
        # What ssh said last is why; git only says that there was nothing to read.
        spoken = [lines[place - 1], *(line for line in spoken if line != lines[place - 1])]
    return "; ".join((spoken or lines[-1:])[:3])[:500]


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Credentials and trust for git.

    Attributes:
        credentials: A folder with `username` and `password` for HTTPS, `identity` for SSH; or None.
        trust: A folder with `known_hosts` for SSH, `ca.crt` for HTTPS; or None.
    """

    credentials: Path | None = None
    trust: Path | None = None

    def settings(self) -> Iterator[str]:
        """Yield git's settings, by the files that are there now.

        GIT_SSH_COMMAND, where the environment has it, goes before the one that is set here.
        """
        yield f"core.sshCommand={shlex.join(self._ssh())}"
        if (password := self._file(self.credentials, "password")) is not None:
            # An empty one first: helpers of the machine are not asked. What is read is never an argument.
            yield "credential.helper="
            yield f"credential.helper={_helper(self._file(self.credentials, 'username'), password)}"

    def variables(self) -> dict[str, str]:
        """Return variables for git, by the files that are there now; they go before the machine's own."""
        authority = self._file(self.trust, "ca.crt")
        return {} if authority is None else {"GIT_SSL_CAINFO": str(authority)}

    def _ssh(self) -> Iterator[str]:
        yield from _SSH
        if (identity := self._file(self.credentials, "identity")) is not None:
            yield from ("-i", str(identity), "-o", "IdentitiesOnly=yes")
        if (known := self._file(self.trust, "known_hosts")) is not None:
            yield from ("-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes")

    @staticmethod
    def _file(folder: Path | None, name: str) -> Path | None:
        path = None if folder is None else folder / name
        return path if path is not None and path.is_file() else None


def _helper(username: Path | None, password: Path) -> str:
    """Return a helper for git that reads the files when it is asked."""
    user = f'"$(cat {shlex.quote(str(username))})"' if username is not None else "git"
    secret = f'"$(cat {shlex.quote(str(password))})"'
    return f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" {user} {secret}; }}; f'
