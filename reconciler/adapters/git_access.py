"""How git shows who it is, and whom it believes: by files in two folders, which may change at any time."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GitAccess"]

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15")


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
