import pytest

from tenfold.catalog import Catalog


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]),
    ]
)
def both(request, tmp_path):
    """A scope of a catalog in each database."""
    is_file = request.param == "sqlite"
    place = (
        str(tmp_path / "both.sqlite") if is_file else request.getfixturevalue("postgres").database()
    )
    catalog = Catalog.open(place)
    yield catalog.scope("local", "ann")
    catalog.close()


@pytest.fixture
def scope(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite")
    yield catalog.scope("local", "ann")
    catalog.close()
