"""Growth is told from what a wave of agents needs for a while, and from what is held."""

from __future__ import annotations

from bench.report import Result
from bench.soak import LEAK_BYTES, Sample, add_growth


def waves(leak_bytes: float) -> list[list[Sample]]:
    """Ten waves of 20,000 changes each; every change leaves so much, agents need 30 MB while they are there."""
    return [
        [
            Sample(
                at_s=10.0 * wave + place,
                rss_bytes=int(100_000_000 + held + leak_bytes * changes + need),
                value_bytes=held,
                changes=changes,
            )
            for place, need in enumerate((30_000_000, 10_000_000, 0))
            for changes in (wave * 20_000 + place,)
            for held in (wave * 1_000_000,)
        ]
        for wave in range(10)
    ]


def growth(leak_bytes: float) -> tuple[float, bool | None]:
    result = Result("soak", {})
    add_growth(result, waves(leak_bytes), at_most=LEAK_BYTES)
    figure = result.figures[0]
    return figure.value, figure.holds


def test_a_leak_of_every_change_fails() -> None:
    value, holds = growth(50.0)
    assert round(value) == 50_000
    assert holds is False


def test_what_is_held_or_needed_for_a_while_is_no_leak() -> None:
    value, holds = growth(0.0)
    assert round(value) == 0
    assert holds is True
