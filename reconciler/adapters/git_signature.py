"""Who signed a commit: an SSH key of `allowed_signers`, or a GPG key of `signers.asc`.

Both files come with the agent's installation and never from the repository that they guard.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SourceError

__all__ = ["Signers"]

_SSH, _GPG = "allowed_signers", "signers.asc"


@dataclass(frozen=True, slots=True)
class Signers:
    """Whose commits are believed.

    Attributes:
        folder: The folder with `allowed_signers` (as ssh-keygen reads it) or `signers.asc` (public keys).
    """

    folder: Path

    @property
    def required(self) -> bool:
        """Whether commits must be signed: one of the files is there, whatever is in it."""
        return any((self.folder / name).exists() for name in (_SSH, _GPG))

    def problem(self, run: Callable[[Sequence[str], Sequence[str], dict[str, str]], str], commit: str) -> str:
        """Return why a commit is not believed, or "".

        Args:
            run: Runs git with arguments, settings and variables; raises where git says no.
            commit: The full commit id.

        Raises:
            SourceError: The keys cannot be loaded. Unknown is not signed.
        """
        with tempfile.TemporaryDirectory(prefix="wayside-keys-") as home:
            variables = {"GNUPGHOME": home}
            if (self.folder / _GPG).exists():
                self._import(home)
            # Without a file, no SSH signature at all is good.
            signers = self.folder / _SSH
            settings = [
                f"gpg.ssh.allowedSignersFile={signers if signers.exists() else '/dev/null'}",
                "gpg.minTrustLevel=undefined",
            ]
            try:
                run(("verify-commit", commit), settings, variables)
            except SourceError as err:
                if err.code in ("git-timeout", "git-missing"):
                    raise
                _, _, said = err.message.partition(" failed: ")
                return said or "it has no signature"
        return ""

    def _import(self, home: str) -> None:
        command = ("gpg", "--homedir", home, "--batch", "--quiet", "--import", str(self.folder / _GPG))
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                command, capture_output=True, text=True, check=False, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            raise SourceError(
                f"expected gpg to read {_GPG}, but it cannot be run", code="gpg-missing", hint="install gpg"
            ) from err
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["gpg failed"])[-1]
            raise SourceError(f"the keys in {self.folder / _GPG} cannot be read: {last}", code="bad-keys")
