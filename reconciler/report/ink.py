"""The few colours that reports use."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.finding import Severity

__all__ = ["Ink"]


@dataclass(frozen=True, slots=True)
class Ink:
    """Paints words with ANSI colours, or leaves them as they are.

    Attributes:
        colour: Whether to paint.
    """

    colour: bool = False

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def error(self, text: str) -> str:
        """Paint what refuses."""
        return self._paint("1;31", text)

    def warning(self, text: str) -> str:
        """Paint what warns."""
        return self._paint("1;33", text)

    def info(self, text: str) -> str:
        """Paint what only tells."""
        return self._paint("1;36", text)

    def good(self, text: str) -> str:
        """Paint what is fine."""
        return self._paint("1;32", text)

    def strong(self, text: str) -> str:
        """Paint what leads a line."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """Paint what may be overlooked."""
        return self._paint("2", text)

    def frame(self, text: str) -> str:
        """Paint the frame around shown lines."""
        return self._paint("1;34", text)

    def severity(self, severity: Severity, text: str) -> str:
        """Paint by severity."""
        match severity:
            case Severity.ERROR:
                return self.error(text)
            case Severity.WARNING:
                return self.warning(text)
            case Severity.INFO:
                return self.info(text)
