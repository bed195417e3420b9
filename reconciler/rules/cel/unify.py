"""Type parameters and what they stand for, with cel-go's rules of assignability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.rules.cel.types import (
    DURATION,
    DYN,
    NULL,
    TIMESTAMP,
    Type,
    is_variable,
)

__all__ = ["Substitution"]

_DYNAMIC = frozenset({"dyn", "any", "!error!"})


class Substitution:
    """What is known of the type parameters met so far. Parameters in use are named `~1`, `~2`, ..."""

    def __init__(self) -> None:
        self._known: dict[str, Type] = {}
        self._count = 0

    def fresh(self) -> Type:
        """Return a type parameter that nothing is known of."""
        self._count += 1
        return Type(f"~{self._count}")

    def fresh_names(self) -> Callable[[Type], Type]:
        """Return a function that renames a signature's type parameters, the same ones the same way."""
        names: dict[str, Type] = {}

        def rename(term: Type) -> Type:
            if term.args:
                return Type(term.name, tuple(map(rename, term.args)))
            if not is_variable(term):
                return term
            if term.name not in names:
                names[term.name] = self.fresh()
            return names[term.name]

        return rename

    def resolve(self, term: Type) -> Type:
        """Return what a type parameter stands for, at the top."""
        while (found := self._known.get(term.name)) is not None:
            term = found
        return term

    def apply(self, term: Type) -> Type:
        """Replace the type parameters that are known, all the way down."""
        term = self.resolve(term)
        return Type(term.name, tuple(map(self.apply, term.args))) if term.args else term

    def final(self, term: Type) -> Type:
        """Replace all type parameters; what is not known is `dyn`."""
        term = self.resolve(term)
        if term.name.startswith("~"):
            return DYN
        return Type(term.name, tuple(map(self.final, term.args))) if term.args else term

    def all_assignable(self, actual: Sequence[Type], wanted: Sequence[Type]) -> bool:
        """Tell whether a call's arguments fit; what is learned is kept only if all do."""
        before = dict(self._known)
        if all(self._fits(want, have) for want, have in zip(wanted, actual, strict=True)):
            return True
        self._known = before
        return False

    def assignable(self, wanted: Type, actual: Type) -> bool:
        """Tell whether a value of one type can stand where another is wanted."""
        return self.all_assignable([actual], [wanted])

    def _fits(self, wanted: Type, actual: Type) -> bool:
        parameter = wanted.name if wanted.name.startswith("~") else ""
        wanted, actual = self.resolve(wanted), self.resolve(actual)
        if parameter in self._known and not wanted.name.startswith("~"):
            # what a parameter stands for grows more general with every argument that it takes in
            if not self._same(wanted, actual):
                return False
            self._known[parameter] = self.most_general(wanted, actual)
            return True
        return self._same(wanted, actual)

    def _same(self, wanted: Type, actual: Type) -> bool:
        if wanted == actual:
            return True
        if actual.name.startswith("~"):
            return self._bind(actual, wanted)
        if wanted.name.startswith("~"):
            return self._bind(wanted, actual)
        if wanted.name in _DYNAMIC or actual.name in _DYNAMIC:
            return True
        if wanted.name == "wrapper":
            return actual == NULL or self._fits(wanted.args[0], _inner(actual))
        if actual.name == "wrapper":
            return self._fits(wanted, actual.args[0])
        if NULL in (wanted, actual):
            other = actual if wanted == NULL else wanted
            return other in (DURATION, TIMESTAMP) or other.name.startswith("kubernetes.")
        if wanted.name == actual.name == "type":
            return True
        if wanted.name != actual.name or len(wanted.args) != len(actual.args):
            return False
        return all(self._fits(a, b) for a, b in zip(wanted.args, actual.args, strict=True))

    def _bind(self, parameter: Type, term: Type) -> bool:
        if self._contains(term, parameter.name):
            return False
        self._known[parameter.name] = term
        return True

    def _contains(self, term: Type, name: str) -> bool:
        term = self.resolve(term)
        return term.name == name or any(self._contains(arg, name) for arg in term.args)

    def most_general(self, left: Type, right: Type) -> Type:
        """Return the type that takes in both, of two that are assignable."""
        return left if self._at_most_as_special(left, right) else right

    def _at_most_as_special(self, left: Type, right: Type) -> bool:
        left, right = self.resolve(left), self.resolve(right)
        if left.name in _DYNAMIC or left.name.startswith("~"):
            return True
        if right.name in _DYNAMIC or right.name.startswith("~"):
            return False
        if left.name == "wrapper" and right.name != "wrapper":
            return True
        if left.name != right.name or len(left.args) != len(right.args):
            return True
        return all(self._at_most_as_special(a, b) for a, b in zip(left.args, right.args, strict=True))


def _inner(term: Type) -> Type:
    return term.args[0] if term.name == "wrapper" else term
