"""Several requests at once."""

from __future__ import annotations

import threading
import time

import pytest

from reconciler.adapters.parallel import each


@pytest.mark.parametrize("width", [1, 3, 50])
def test_results_come_in_the_order_of_the_items_whatever_ends_first(width: int) -> None:
    def call(number: int) -> int:
        time.sleep(0.01 * (number % 3))
        return number * 2

    assert list(each(range(20), call, width=width, expected=ValueError)) == [(n, n * 2) for n in range(20)]


def test_no_more_than_the_width_run_at_a_time() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def call(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    list(each(range(20), call, width=4, expected=ValueError))
    assert 2 <= most <= 4


@pytest.mark.parametrize("width", [1, 4])
def test_an_expected_failure_is_a_result_and_any_other_is_raised(width: int) -> None:
    def call(number: int) -> int:
        if number == 3:
            raise ValueError
        if number == 7:
            raise KeyError
        return number

    found = each(range(10), call, width=width, expected=ValueError)
    first = [next(found) for _ in range(7)]
    assert [type(result) for _, result in first] == [int, int, int, ValueError, int, int, int]
    with pytest.raises(KeyError):
        next(found)


@pytest.mark.parametrize("width", [1, 4])
def test_after_a_failure_that_halts_nothing_is_begun_and_what_was_begun_is_told(width: int) -> None:
    begun: list[int] = []

    def call(number: int) -> int:
        begun.append(number)
        time.sleep(0.02)
        if number == 2:
            raise ValueError
        return number

    told = [item for item, _ in each(range(40), call, width=width, expected=ValueError, halt=True)]
    assert sorted(told) == sorted(begun)
    assert 2 in told
    assert len(told) < 40
