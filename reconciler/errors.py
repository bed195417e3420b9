"""The exception tree of Wayside.

Results are values, failures are exceptions: a broken rule is a finding, a dead API server is an
exception. Every exception carries fields, so that a caller can act on them and a printer can show
them; none carries a whole document, and none carries the value of a Secret.

    WaysideError
    ├── InputError              something a person wrote is wrong; has a location
    │   ├── DocumentError       the text is not the YAML or JSON that was wanted
    │   ├── FleetError          fleet.yaml, site.yaml or images.lock is not valid
    │   ├── RenderError         an overlay cannot be built
    │   └── RuleError           a policy cannot be loaded or evaluated
    ├── SourceError             the repository cannot be read (not "is empty")
    ├── RegistryError           a registry gave no answer that can be used
    ├── TargetError             the site's cluster or folder did not do what was asked
    │   ├── TargetUnreachable   no answer; nothing is known about what is there
    │   └── TargetRefused       an answer that says no, with its reason
    ├── StateError              the agent's own state is unusable
    └── UsageError              the command line or environment is wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.location import Location

__all__ = [
    "DocumentError",
    "FleetError",
    "InputError",
    "RegistryError",
    "RenderError",
    "RuleError",
    "SourceError",
    "StateError",
    "TargetError",
    "TargetRefused",
    "TargetUnreachable",
    "UsageError",
    "WaysideError",
]


class WaysideError(Exception):
    """Any failure that Wayside names.

    Args:
        message: One sentence that says what is wrong, with the value found.
        code: A stable kebab-case identifier, for programs and documentation.
        hint: One sentence that says what to do, or an empty string.
    """

    def __init__(self, message: str, *, code: str = "error", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class InputError(WaysideError):
    """Something that a person wrote is wrong, at a place that can be shown.

    Args:
        message: One sentence that says what is wrong: "expected X, found Y".
        at: The place, or None where the whole input is meant.
        code: A stable kebab-case identifier; the rule id of the finding it becomes.
        hint: One sentence that says what to do.
    """

    def __init__(
        self, message: str, *, at: Location | None = None, code: str = "input", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.at = at

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at is not None else self.message


class DocumentError(InputError):
    """The text is not the YAML or JSON that was wanted."""


class FleetError(InputError):
    """A fleet, site or lock document is not valid."""


class RenderError(InputError):
    """An overlay cannot be built."""


class RuleError(InputError):
    """A policy cannot be loaded, compiled or evaluated."""


class SourceError(WaysideError):
    """The repository, or a revision of it, cannot be read. Never means "empty"."""


class RegistryError(WaysideError):
    """A registry gave no answer that can be used.

    `code` is one of `registry-unreachable` (no answer), `registry-limited` (it says "later"),
    `registry-denied` (it says "not you"), `registry-answer` (the answer is not what was asked for) and
    `image-missing`: the only one that means that there is no such image.

    Args:
        message: What is wrong, without credentials.
        status: The HTTP status, or 0 where there is none.
    """

    def __init__(self, message: str, *, code: str, status: int = 0, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status


class TargetError(WaysideError):
    """A site's cluster or folder did not do what was asked."""


class TargetUnreachable(TargetError):
    """The target gave no answer, so nothing is known of what is there."""


class TargetRefused(TargetError):
    """The target answered with a refusal.

    Args:
        message: The target's own words.
        reason: The machine-readable reason (a Kubernetes `Status.reason`), or "".
        status: The HTTP status, or 0 where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        status: int = 0,
        code: str = "target-refused",
        hint: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.reason = reason
        self.status = status


class StateError(WaysideError):
    """The agent's own state cannot be used."""


class UsageError(WaysideError):
    """The command line, or the environment it runs in, is wrong (exit code 2)."""
