"""Every table there is, or will be, comes through a backup; every digest says what it names."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, String, insert, select

from tenfold.catalog import Catalog, copies
from tenfold.catalog.tables import Money, UtcDateTime, metadata
from tenfold.errors import Conflict

POSTGRES = [pytest.mark.postgres, pytest.mark.xdist_group("postgres")]
WAYS = [
    ("sqlite", "sqlite"),
    pytest.param(("sqlite", "postgres"), marks=POSTGRES),
    pytest.param(("postgres", "sqlite"), marks=POSTGRES),
]
EXTREMES = {
    UtcDateTime: datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    Money: Decimal("-1234567890123.000001"),
    LargeBinary: bytes(range(256)),
    JSON: {"z": [1.5, None, True, "U+2028 \u2028 ✓\n"], "a": {"nested": 1e-300}},
    Boolean: True,
    Float: 0.1 + 0.2,
    Integer: 2**31 - 1,
    String: "猫\r\n\t'\"\\ ü ✓ 猫",
}


@pytest.fixture
def opened(tmp_path, request):
    """Opens a new catalog in one of the databases."""
    catalogs = []

    def new(kind):
        place = tmp_path / f"{len(catalogs)}.sqlite"
        if kind == "postgres":
            place = request.getfixturevalue("postgres").database()
        catalogs.append(Catalog.open(place))
        return catalogs[-1].scope("local", "ann")

    yield new
    for catalog in catalogs:
        catalog.close()


def row_of(table, number, *, parent=None):
    """The first with every value filled in; others with every one that may be absent absent."""
    row = {}
    for column in table.columns:
        if column.foreign_keys:
            row[column.name] = parent or number
        elif column.primary_key and isinstance(column.type, Integer):
            row[column.name] = number
        elif column.nullable and number > 1:
            row[column.name] = None
        else:
            row[column.name] = next(v for t, v in EXTREMES.items() if isinstance(column.type, t))
            if isinstance(column.type, String):
                text = row[column.name][: column.type.length] if number == 1 else str(number)
                row[column.name] = text
    return row


def fill(scope):
    with scope.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(insert(table), [row_of(table, 1), row_of(table, 7)])


def rows_of(scope):
    with scope.read() as connection:
        return {
            table.name: connection.execute(select(table).order_by(*table.primary_key)).all()
            for table in metadata.sorted_tables
        }


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]} to {way[1]}")
def test_every_table_comes_back_as_it_was(opened, way, tmp_path):
    one, other = map(opened, way)
    fill(one)
    told = []
    copied, _ = copies.write(one, tmp_path / "copy", progress=lambda *step: told.append(step))
    assert told[-1] == ("catalog", copied.rows, copied.rows)
    copies.check_may_fill(other, copied.schema)
    copies.fill(other, copied, tmp_path / "copy")
    assert rows_of(other) == rows_of(one)
    assert all(len(rows) == 2 for rows in rows_of(other).values())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]} to {way[1]}")
def test_new_rows_get_new_ids_afterwards(opened, way, tmp_path):
    one, other = map(opened, way)
    fill(one)
    copied, _ = copies.write(one, tmp_path / "copy")
    copies.fill(other, copied, tmp_path / "copy")
    for table in metadata.sorted_tables:
        key = table.autoincrement_column
        if key is not None:
            row = row_of(table, 8, parent=7)
            del row[key.name]
            with other.write() as connection:
                assert connection.execute(insert(table), row).inserted_primary_key == (8,)


def test_a_catalog_that_holds_anything_is_not_filled(opened, tmp_path):
    one, other = opened("sqlite"), opened("sqlite")
    fill(one)
    copied, _ = copies.write(one, tmp_path / "copy")
    table = metadata.tables["runs"]
    with other.write() as connection:
        connection.execute(insert(table), row_of(table, 1))
    for refused in (
        lambda: copies.check_may_fill(other, copied.schema),
        lambda: copies.fill(other, copied, tmp_path / "copy"),
    ):
        with pytest.raises(Conflict, match="TENFOLD_HOME"):
            refused()
    assert {name for name, rows in rows_of(other).items() if rows} == {"runs"}


def test_every_column_of_digests_says_whether_they_are_blobs():
    digests = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and column.type.length == 64
    }
    said = [
        (table, column)
        for told in (copies.NEEDED, copies.WANTED, copies.NO_BLOBS)
        for table, columns in told.items()
        for column in columns
    ]
    assert digests <= set(said)
    assert len(said) == len(set(said))
