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


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ann:geheim@db/tenfold", "postgresql://ann:***@db/tenfold"),
        ("postgresql://ann:ge@he/im@db:5432/tenfold", "postgresql://ann:***@db:5432/tenfold"),
        ("postgresql://db/tenfold?user=ann&password=geheim", None),
        ("s3://team/a?aws_secret_access_key=geheim&region=x", None),
        ("postgresql+psycopg://ann@db/tenfold", "postgresql+psycopg://ann@db/tenfold"),
        ("s3://team/tenfold", "s3://team/tenfold"),
        ("", ""),
    ],
)
def test_a_password_is_never_told(monkeypatch, url, told):
    monkeypatch.setenv("TENFOLD_CATALOG", url)
    read = settings.from_environment()
    assert read.catalog == url
    printed = {name: value for name, value, _ in read.told()}["TENFOLD_CATALOG"]
    assert told in (None, printed)
    assert "geheim" not in repr(read) + printed
    assert not {"ge@", "im@"} & {printed[n : n + 3] for n in range(len(printed))}


def test_each_setting_is_told_with_its_help():
    names = {name for name, _, text in settings.from_environment().told() if text}
    assert {"TENFOLD_BLOBS", "TENFOLD_FEATURES", "TENFOLD_PATIENCE_S"} <= names
