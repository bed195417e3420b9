"""Results of rule tests for people: what failed first and in full, what passed in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from reconciler.model.ruletest import RuleTestResult
from reconciler.report.ink import Ink

__all__ = ["format_rule_tests"]


def format_rule_tests(results: Sequence[RuleTestResult], *, ink: Ink, verbose: bool = False) -> str:
    """Write the results of rule tests for a terminal.

    Args:
        results: In the order of the files.
        ink: Colours or not.
        verbose: Whether passed cases are listed singly.
    """
    lines: list[str] = []
    for (path, rule), group in groupby(results, key=lambda result: (result.at.path, result.rule)):
        lines.extend(_file(path, rule, list(group), ink, verbose=verbose))
    lines.append(_summary(results, ink))
    return "\n".join(lines) + "\n"


def _file(
    path: str, rule: str, results: Sequence[RuleTestResult], ink: Ink, *, verbose: bool
) -> Iterator[str]:
    failed = [result for result in results if not result.passed]
    count = f"{len(results) - len(failed)}/{len(results)}"
    head = ink.error("FAIL") if failed else ink.good("ok")
    yield f"{head} {ink.strong(rule)} {ink.faint(f'{count} {path}')}"
    for result in results:
        if not result.passed:
            yield f"  {ink.error('x')} {result.case} {ink.faint(f'({result.at})')}"
            yield from (f"      {failure}" for failure in result.failures)
        elif verbose:
            yield f"  {ink.good('+')} {result.case}"


def _summary(results: Sequence[RuleTestResult], ink: Ink) -> str:
    failed = sum(not result.passed for result in results)
    rules = len({result.rule for result in results})
    passed = f"{len(results) - failed} passed"
    of = f"{rules} rule{'' if rules == 1 else 's'}"
    if not results:
        return ink.warning("no rule tests found")
    return f"{ink.error(f'{failed} failed')}, {passed}, {of}" if failed else f"{ink.good(passed)}, {of}"
