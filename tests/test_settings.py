from pathlib import Path

import pytest

from tenfold import settings
from tenfold.errors import SpecError


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(settings.os.environ):
        if name.startswith("TENFOLD_"):
            monkeypatch.delenv(name)


def test_the_environment_is_read_and_arguments_win(monkeypatch):
    monkeypatch.setenv("TENFOLD_HOME", "~/line-3")
    monkeypatch.setenv("TENFOLD_THREADS", "3")
    read = settings.from_environment(actor="ann", home=None)
    assert (read.home, read.cores, read.actor) == (Path("~/line-3").expanduser(), 3, "ann")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TENFOLD_THREADS", "many"),
        ("TENFOLD_THREADS", "-1"),
        ("TENFOLD_RUNTIME", "cuda"),
        ("TENFOLD_FEATURES_GB", "nan"),
        ("TENFOLD_HOMES", "/x"),
    ],
)
def test_an_impossible_setting_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=name):
        settings.from_environment()
