"""The shortest time between two starts of a CronJob, never too long."""

from __future__ import annotations

import pytest

from reconciler.rules.facts.schedule import shortest_period


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("* * * * *", 1),
        ("*/5 * * * *", 5),
        ("7 * * * *", 60),
        ("0,10,40 * * * *", 10),
        ("50,10 * * * *", 20),
        ("30 3 * * *", 1440),
        ("0 */6 * * 1", 360),
        ("0 1-3 1 * *", 60),
        ("*/7 * * * *", 4),
        ("5/20 * * * *", 20),
        ("@hourly", 60),
        ("@daily", 1440),
        ("0 0 * * MON", 1440),
        ("@every 5m", None),
        ("x * * * *", None),
        ("*/0 * * * *", None),
        ("99 * * * *", None),
        ("* * * *", None),
        ("", None),
    ],
)
def test_the_shortest_period_of_a_schedule(schedule: str, minutes: int | None) -> None:
    assert shortest_period(schedule) == minutes
