"""A frozen dataset comes back as it was, whatever its pictures are called."""

import hashlib

import pytest

import tenfold
from tenfold.catalog.datasets import Item
from tenfold.factory.snapshot import freeze, thaw


def item(number, name):
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    attributes = {"odd name": name}
    return Item(sha, f"{name}.png", (name, "plain"), lot=name, near=sha, attributes=attributes)


@pytest.mark.parametrize(
    "name",
    ["plain", "Größe 10 µm", 'a "b"\\c', "new\nline", "\u2028", "\u2029", "\x85", "\x0c\x1c", "🔩"],
)
def test_items_come_back_as_they_were(tmp_path, name):
    items = [item(0, name), item(1, "next to it"), item(2, name * 2)]
    with tenfold.opened(tmp_path / "home") as workspace:
        snapshot = freeze(workspace, "caps", items)
        assert snapshot.size == 3
        assert thaw(workspace, snapshot.id) == items
        assert freeze(workspace, "caps", items).id == snapshot.id
