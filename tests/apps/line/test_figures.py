"""The p-chart of a line."""

from datetime import UTC, datetime, timedelta

import pytest

from tenfold.apps.line.figures import MOST_POINTS, Run, p_chart, run_size

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def runs_with(shares, size=100):
    return [
        Run(NOON + timedelta(minutes=n), size, round(share * size))
        for n, share in enumerate(shares)
    ]


def test_a_run_far_above_those_before_is_an_alarm():
    points = p_chart(runs_with([0.05] * 20 + [0.05, 0.13, 0.14]))
    assert [point.is_alarm for point in points] == [False] * 22 + [True]
    # p = 0.05, n = 100: P(X > 12) = 0.0015, P(X > 13) = 0.0005
    assert points[21].upper == pytest.approx(0.13)
    assert points[21].lower == 0.0


def test_what_raised_an_alarm_sets_no_limits():
    points = p_chart(runs_with([0.05] * 20 + [0.5, 0.05]))
    assert points[-1].upper == pytest.approx(0.13)


def test_far_fewer_rejects_than_before_are_an_alarm_too():
    points = p_chart(runs_with([0.2] * 20 + [0.05], size=200))
    assert [point.is_alarm for point in points] == [False] * 20 + [True]


def test_one_reject_after_none_is_no_alarm():
    assert not any(point.is_alarm for point in p_chart(runs_with([0.0] * 20 + [0.1], size=10)))


def test_few_runs_set_no_limits():
    assert not any(point.is_alarm for point in p_chart(runs_with([0.0, 0.9, 0.1])))


@pytest.mark.parametrize("parts", [0, 9, 500, 20_000, 250_000])
def test_a_chart_has_no_more_points_than_people_can_look_at(parts):
    assert parts / run_size(parts) <= MOST_POINTS


def test_a_shift_of_five_hundred_parts_has_points_enough_for_limits():
    assert 500 / run_size(500) >= 40
