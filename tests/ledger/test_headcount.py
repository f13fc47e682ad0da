from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.errors import DataError, SpecError
from tenfold.ledger import headcount

TEXT = "headcount:\n  - {date: 2020-12-31, people: 2700}\n  - {date: 2021-12-31, people: 4200}\n"


def people(text=TEXT):
    return headcount.parsed(headcount.Headcount, text, where="people.yaml", hint="")


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_between_two_dates_the_line_is_straight():
    assert people().average(day("2021-01-01"), day("2022-01-01")) == pytest.approx(3450)
    assert people().average(day("2021-01-01"), day("2021-01-02")) == pytest.approx(2702.05, abs=0.1)


def test_outside_the_dates_it_stays_level():
    assert people().average(day("2010-01-01"), day("2011-01-01")) == 2700
    assert people().average(day("2022-01-01"), day("2023-01-01")) == 4200
    assert people().average(day("2020-01-01"), day("2023-01-01")) == pytest.approx(
        (2700 * 366 + 3450 * 365 + 4200 * 365) / 1096
    )


@given(st.integers(1, 3000), st.integers(1, 2999))
def test_an_average_is_that_of_its_parts(whole, cut):
    begin = day("2019-06-01")
    cut = min(cut, whole)
    middle = begin + cut * (day("2019-06-02") - begin)
    end = begin + whole * (day("2019-06-02") - begin)
    if cut < whole:
        parts = people().average(begin, middle) * cut + people().average(middle, end) * (
            whole - cut
        )
        assert people().average(begin, end) == pytest.approx(parts / whole)


def test_what_is_no_headcount_names_file_and_line():
    with pytest.raises(SpecError, match=r"people.yaml:2: .*oldest first|oldest first"):
        people(TEXT.replace("2021", "2019"))
    with pytest.raises(SpecError, match=r"people.yaml:2: headcount.0.people"):
        people("headcount:\n  - {date: 2020-12-31, people: -1}\n")
    with pytest.raises(DataError, match="no time passes"):
        people().average(day("2021-01-01"), day("2021-01-01"))


def test_no_file_is_no_headcount():
    assert headcount.load("") is None
