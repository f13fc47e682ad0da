"""The tree of the MVTec anomaly sets, which many others copied.

    train/good/*.png
    test/good/*.png  test/<defect>/*.png
    ground_truth/<defect>/*_mask.png

Source: Bergmann et al. 2019, "MVTec AD", https://www.mvtec.com/company/research/datasets/mvtec-ad.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from tenfold.errors import DataError, Unsupported
from tenfold.formats.files import check_folder, copy_mask, copy_picture, folders_in, pictures_below
from tenfold.formats.row import SPLIT_NAMES, Rejected, Row, is_good

MASKS = "ground_truth"


def looks_like(source: Path) -> bool:
    """Whether `source` has train and test folders, and trains on good pictures only."""
    if not {"train", "test"} <= set(folders_in(source)):
        return False
    train = folders_in(source / "train")
    return len(train) == 1 and is_good(train[0]) and bool(folders_in(source / "test"))


def read(source: Path) -> Iterator[Row | Rejected]:
    """Rows of train, test and (where there is one) validation; a mask belongs to its picture.

    Raises:
        NotFound, DataError: there is no such folder, or it has another layout.
    """
    check_folder(source)
    if not {"train", "test"} <= set(folders_in(source)):
        raise DataError(
            f"expected folders train and test, got {', '.join(folders_in(source)) or 'none'}.",
            where=str(source),
            hint="Give the folder of one object, or use format image_folder.",
        )
    entries = list(pictures_below(source))
    masks = {e for e in entries if isinstance(e, str) and e.startswith(f"{MASKS}/")}
    used: set[str] = set()
    for entry in entries:
        if isinstance(entry, Rejected):
            yield entry
        elif entry not in masks:
            row = _row(entry, source, masks)
            if isinstance(row, Row) and row.mask:
                used.add(row.mask)
            yield row
    for mask in sorted(masks - used):
        yield Rejected(mask, "stray-mask", "a mask without a picture of its name under test.")


def write(rows: Iterable[Row], folder: Path) -> None:
    """Copy pictures and masks into the tree.

    Raises:
        Unsupported: a row has no split or not exactly one label, or a group or attributes.
    """
    for row in rows:
        if row.split is None or len(row.labels) != 1 or row.group or row.attributes:
            raise Unsupported(
                "the MVTec tree needs a split and one label, and has no place for more.",
                where=row.path,
                hint="Write format csv.",
            )
        parts = PurePosixPath(row.path).parts
        kept = len(parts) == 3 and (SPLIT_NAMES.get(parts[0]), parts[1]) == (
            row.split,
            row.labels[0],
        )
        path = row.path if kept else f"{row.split}/{row.labels[0]}/{parts[-1]}"
        copy_picture(row, folder, path)
        copy_mask(row, folder, f"{MASKS}/{row.labels[0]}/{PurePosixPath(path).stem}_mask.png")


def _row(path: str, source: Path, masks: set[str]) -> Row | Rejected:
    parts = PurePosixPath(path).parts
    if len(parts) != 3 or parts[0] not in SPLIT_NAMES:
        return Rejected(path, "out-of-place", "not in train/…, test/… or ground_truth/….")
    split, label, name = parts
    stem = f"{MASKS}/{label}/{PurePosixPath(name).stem}"
    mask = next((m for m in (f"{stem}_mask.png", f"{stem}.png") if m in masks), None)
    return Row(path, (label,), split=SPLIT_NAMES[split], mask=mask, root=source)
