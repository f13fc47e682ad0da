"""ELPV: 2,624 pictures of solar cells, as the PyPI package `elpv-dataset` brings them.

    images/cell0001.png  1.0                 mono

A cell is `functional` up to a defect probability of 0.5, else `defective`. Licence of the pictures:
CC BY-NC-SA 4.0, so for demonstration and benchmarks only.

Source: Deitsch et al. 2019, "Automatic classification of defective photovoltaic module cells in
electroluminescence images", https://github.com/zae-bayern/elpv-dataset.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from tenfold.errors import DataError, Unsupported
from tenfold.formats.files import copy_picture
from tenfold.formats.row import Row

NAME = "elpv"
"""The source that means the installed package."""
TABLE = "labels.csv"
DEFECTIVE_ABOVE = 0.5


def read(source: Path = Path(NAME)) -> Iterator[Row]:
    """Rows of the installed package, or of a folder laid out like it.

    Raises:
        Unsupported: the package is not installed.
        DataError: a line of the table is not path, probability and cell type.
    """
    root = _installed() if source == Path(NAME) and not source.exists() else source
    table = root / TABLE
    if not table.is_file():
        raise DataError(f"expected {TABLE} in the folder.", where=str(root))
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            yield _row(line, f"{table}:{number}", root)


def write(rows: Iterable[Row], folder: Path) -> None:
    """Copy the pictures and write the table.

    Raises:
        Unsupported: a row lacks the attributes probability and cell.
    """
    lines: list[str] = []
    for row in rows:
        try:
            probability, cell = row.attributes["probability"], row.attributes["cell"]
        except KeyError as error:
            raise Unsupported(
                f"ELPV needs attribute {error.args[0]!r}.", where=row.path, hint="Write csv."
            ) from error
        copy_picture(row, folder, row.path)
        lines.append(f"{row.path}  {probability:18}  {cell}\n")
    (folder / TABLE).write_text("".join(lines), encoding="utf-8")


def _installed() -> Path:
    package = find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise Unsupported(
            "the ELPV pictures are not installed.", hint="Install them: pip install 'tenfold[demo]'"
        )
    return Path(package.origin).parent / "data"


def _row(line: str, where: str, root: Path) -> Row:
    try:
        path, probability, cell = line.split()
        label = "defective" if float(probability) > DEFECTIVE_ABOVE else "functional"
    except ValueError as error:
        raise DataError(
            f"expected path, probability and cell type, got {line!r}.", where=where
        ) from error
    return Row(path, (label,), attributes={"probability": probability, "cell": cell}, root=root)
