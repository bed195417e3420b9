"""References that the native engine miscounts, put right here.

Version 0.1.3 of `cel-expr-python` never gives back the arguments that it passes to a Python function, nor the
function's result; and it gives back references to None that it never took, until the interpreter aborts. Both
are repaired through documented means of `ctypes`, and only where a probe shows that the engine needs it, so a
release that counts right is left alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from cel_expr_python import cel

from reconciler.rules.cel.boxing import whole

__all__ = ["keep_none", "overload"]

#: More references to None than any process can give back by mistake.
_PLENTY = 1 << 40
_IMMORTAL_SINCE = (3, 12)
#: What `sys.getrefcount` says of an object that only a local name refers to.
_HERE = 2

_release = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_DecRef", ctypes.pythonapi))


@cache
def keep_none() -> None:
    """Make None outlive wrong counts, as Python itself does from 3.12 on."""
    if sys.version_info < _IMMORTAL_SINCE:
        ctypes.c_ssize_t.from_address(id(None)).value += _PLENTY


def overload(name: str, result: Any, params: list[Any], impl: Callable[..., Any]) -> Any:
    """Return an overload of a function that is no member, with a Python implementation.

    Args:
        name: The overload's id.
        result: Its result type, of the engine's own types.
        params: Types of its arguments.
        impl: The function. What it is passed is its own: nothing else refers to it.
    """

    def kept(*args: Any) -> Any:
        return whole(impl(*args))

    called = _giving_back(kept, len(params)) if _miscounts() else kept
    return _overload(name, result, params, called)


def _overload(name: str, result: Any, params: list[Any], impl: Callable[..., Any]) -> Any:
    return cel.Overload(name, return_type=result, parameters=params, is_member=False, impl=impl)


@cache
def _miscounts() -> bool:
    """Tell whether the engine keeps what it passes to a function and what that returns."""
    seen: list[Any] = []

    def probe(_result: object, _function: object, args: tuple[Any, ...]) -> str:
        seen.extend((args, args[0].upper()))
        return str(seen[1])

    text = cel.Type.STRING
    declared = cel.FunctionDecl("probe", [_overload("probe", text, [text], _intercepted(probe, 1))])
    cel.NewEnv(functions=[declared]).compile("probe('some text')").eval()
    args, result = seen
    seen.clear()
    return sys.getrefcount(args) == sys.getrefcount(result) == _HERE + 1


def _intercepted(check: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Return a callable that hands the very tuple of its arguments to a function, and returns its result.

    A function written in Python gets a copy of the tuple. `ctypes` passes the tuple itself to the function
    that checks a foreign call's result, and gives back what that returns; the foreign call does nothing here.
    """
    made: Any = _prototype(count)(("Py_IsInitialized", ctypes.pythonapi))
    made.errcheck = check
    return made  # type: ignore[no-any-return]  # a foreign function is callable


@cache
def _prototype(count: int) -> Any:
    return ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.py_object] * count)


def _giving_back(impl: Callable[..., Any], count: int) -> Callable[..., Any]:
    returned: list[Any] = []

    def call(_result: object, _function: object, args: tuple[Any, ...]) -> Any:
        _release(args)  # the engine's reference; the caller holds another until this returns
        while returned:
            _release(returned[-1])  # the engine has long converted it
            returned.pop()
        found = impl(*args)
        returned.append(found)
        return found

    return _intercepted(call, count)
