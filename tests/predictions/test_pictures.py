from datetime import date

from tenfold.predictions import pictures

TODAY = date(2026, 11, 25)


def test_a_picture_is_kept_as_long_as_it_is_said(tmp_path):
    pictures.keep(tmp_path, "a" * 64, b"first", today=TODAY, days=1)
    pictures.keep(tmp_path, "b" * 64, b"second", today=TODAY, days=30)
    assert pictures.purge(tmp_path, today=date(2026, 11, 26)) == 0
    assert pictures.find(tmp_path, "a" * 64) == b"first"
    assert pictures.purge(tmp_path, today=date(2026, 11, 27)) == 1
    assert pictures.find(tmp_path, "a" * 64) is None
    assert pictures.find(tmp_path, "b" * 64) == b"second"


def test_nothing_is_kept_where_nothing_was(tmp_path):
    assert pictures.find(tmp_path, "a" * 64) is None
    assert pictures.purge(tmp_path, today=TODAY) == 0
