"""What the soak calls steady."""

import pytest

from tests.system.soak import Sample, judge


def samples(mb_per_hour: float, files: list[int]) -> list[Sample]:
    """Two hours, a look each minute, with the saw of a collector of garbage on top."""
    return [
        Sample(minute / 60, 80 + mb_per_hour * minute / 60 + minute % 7, files[minute * len(files) // 120])
        for minute in range(120)
    ]


@pytest.mark.parametrize(
    ("mb_per_hour", "files", "steady"),
    [
        (0.0, [20, 25, 20], True),
        (4.0, [20], True),
        (6.0, [20], False),
        (0.0, [20, 21, 23], False),
        (-8.0, [30, 20, 20], True),
    ],
)
def test_growth_is_told_from_breath(mb_per_hour: float, files: list[int], steady: bool) -> None:
    verdict = judge("ingest", samples(mb_per_hour, files))
    assert verdict.mb_per_hour == pytest.approx(mb_per_hour, abs=0.5)
    assert verdict.steady is steady
